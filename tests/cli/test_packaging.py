"""What stands around the package: completion, pre-commit's hooks, the citation, the page of the package."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import netsor
from netsor.cli.main import main

ROOT = Path(netsor.__file__).resolve().parents[1]
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def entries(key: str) -> list[str]:
    return re.findall(rf"^(?:- |  ){key}: (.*)$", HOOKS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "netsor" in text and "stdin-filename" in text and "converge" in text
    if shell == "bash" and shutil.which("bash"):
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_completion_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'netsor[completion]'" in capsys.readouterr().err


def test_the_hooks_run(tmp_path: Path) -> None:
    assert entries("id") == ["netsor-check", "netsor-fmt"] and set(entries("files")) == {r"\.netsor$"}
    path = tmp_path / "p.netsor"
    path.write_text("vector x ~ N(0,1)\noutput m := mean(x)\n", encoding="utf-8")
    for entry in entries("entry"):
        command, *arguments = entry.split()
        assert command == "netsor" and main([*arguments, str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("vector x ~ N(0, 1)\n")


@pytest.mark.slow
def test_the_hooks_with_pre_commit(tmp_path: Path) -> None:
    """Installs the package with what it needs, so it asks for the network."""
    tool = shutil.which("pre-commit")
    if tool is None or not (ROOT / ".git").exists():
        pytest.skip("pre-commit, or the repository, is not here")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "good.netsor").write_text("vector x ~ N(0, 1)\noutput m := mean(x)\n", encoding="utf-8")
    (tmp_path / "bad.netsor").write_text("vector x ~ N(0,1)\noutput m = mean(x)\n", encoding="utf-8")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)

    def tried(hook: str, name: str) -> subprocess.CompletedProcess[str]:
        command = [tool, "try-repo", str(ROOT), hook, "--verbose", "--files", name]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    first = tried("netsor-check", "good.netsor")
    if re.search(r"Could not find a version|Failed to establish|ConnectionError", first.stdout + first.stderr):
        pytest.skip("the network is not here")
    assert first.returncode == 0 and "G-var" in first.stdout, first.stdout + first.stderr
    second = tried("netsor-check", "bad.netsor")
    assert second.returncode == 1 and "E108" in second.stdout
    (tmp_path / "good.netsor").write_text("vector x ~ N(0,1)\noutput m := mean(x)\n", encoding="utf-8")
    third = tried("netsor-fmt", "good.netsor")
    assert third.returncode == 1 and "files were modified" in third.stdout
    assert "N(0, 1)" in (tmp_path / "good.netsor").read_text(encoding="utf-8")


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.search(r"^version: (.*)$", text, re.MULTILINE)[1] == netsor.__version__ == project["version"]
    assert re.search(r"^license: (.*)$", text, re.MULTILINE)[1] == project["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def test_no_link_breaks_on_the_page_of_the_package() -> None:
    """It stands alone: its links lead to addresses or within itself."""
    text = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["readme"]["text"]
    assert "netsor ntk" in text
    assert all(link.startswith(("https://", "#")) for link in re.findall(r"\]\(([^)]*)\)", text))
