"""The documents say what is so: their programs check, their commands print what is shown, what they name exists."""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from docs_blocks import DOCUMENTS, ROOT, Block, blocks, difference, prose, run, run_python, same_line, sessions

import netsor
from netsor.cli.main import COMMANDS, build_parser
from netsor.gaussian.plan import tables

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
LANGUAGES = {
    "netsor", "netsor-with-mistakes", "netsor-needs-data", "netsor-of-the-future", "console", "python", "python-entry",
    "python-append", "python-torch", "console-torch", "text", "",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the gallery in it, as a reader in a checkout has it."""
    shutil.copytree(ROOT / "programs", tmp_path / "programs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@each_document
def test_blocks(path: Path, folder: Path) -> None:
    scope: dict = {}
    for block in blocks(path):
        place = f"{path.name}, line {block.line}"
        assert block.language in LANGUAGES, f"{place}: what is `{block.language}`?"
        if block.language == "netsor":
            _try_program(block, place)
        elif block.language in ("netsor-with-mistakes", "netsor-needs-data"):
            faults = {d.code for d in netsor.loads(block.text).check().diagnostics if d.is_error}
            assert faults and (faults == {"E404"}) is (block.language == "netsor-needs-data"), f"{place}: {faults}"
            Path(block.info).write_text(block.text, encoding="utf-8")
        elif block.language == "python-torch":
            Path(block.info).write_text(block.text, encoding="utf-8")
        elif block.language == "console" or block.language == "console-torch" and find_spec("torch"):
            _try_console(block, place)
        elif block.language == "python":
            found = run_python(block, scope)
            assert found is None, f"{place}: {found}"


def _try_program(block: Block, place: str) -> None:
    from netsor.syntax.format import format_source

    text = block.before + block.text
    word, _, argument = block.info.partition(" ")
    faults = {d.code for d in netsor.loads(text, "text.netsor").check().diagnostics if d.is_error}
    if word == "refused":
        assert faults == {argument}, f"{place}: {sorted(faults)}, not {argument}"
        return
    report = netsor.loads(text, "text.netsor").check()
    assert report.ok, f"{place}: {[d.message for d in report.diagnostics]}"
    if word == "canonical":
        assert format_source(block.text) == block.text, place
    elif word:
        assert word.endswith(".netsor"), f"{place}: what is `{word}`?"
        Path(word).write_text(text, encoding="utf-8")


def _try_console(block: Block, place: str) -> None:
    status = 0
    for command, shown in sessions(block.text):
        if command == "echo $?":
            assert shown == [str(status)], f"{place}: the exit status is {status}"
        elif command.startswith("cat > "):
            Path(command[6:].split()[0]).write_text("\n".join(shown[: shown.index("EOF")]) + "\n", encoding="utf-8")
        else:
            status, printed = run(command)
            found = difference(shown, printed.splitlines())
            assert found is None, f"{place}: $ {command}\n{found}"


# --- what documents name ------------------------------------------------------------------------------------------


def _parsers() -> dict[str, argparse.ArgumentParser]:
    actions = build_parser()._actions
    return next(dict(a.choices) for a in actions if isinstance(a, argparse._SubParsersAction))


def _quoted(path: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(path))


# Files that a reader makes; only their types matter.
_OF_THE_READER = re.compile(r"^(X|y|inputs|targets|mine|my_\w+|FILE)\.(npy|csv|json|netsor|svg|png)$")
_FILE = re.compile(r"^[\w./-]+\.(netsor|py|lark|md|toml|npy|csv|json|yml)$")


@each_document
def test_files_exist(path: Path) -> None:
    made = {b.info for b in blocks(path) if b.info.endswith(".netsor") or b.language == "python-append"}
    commands = [c for b in blocks(path) if b.language == "console" for c, _ in sessions(b.text)]
    made |= {c[6:].split()[0] for c in commands if c.startswith("cat > ")}
    missing = []
    for quoted in _quoted(path):
        is_folder = re.fullmatch(r"\.?[a-z_]+(/[a-z_]+)*/", quoted)
        if not (_FILE.match(quoted) or is_folder) or _OF_THE_READER.match(quoted) or quoted in made:
            continue
        if not any((base / quoted).exists() for base in (ROOT, ROOT / "programs", ROOT / "docs")):
            missing.append(quoted)
    assert missing == []


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def _anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as hosts of Markdown make them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, flags=re.M):
        kept = [c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LNM"]
        found.add("".join(kept).replace(" ", "-"))
    return found


@each_document
def test_commands_and_options_exist(path: Path) -> None:
    parsers = _parsers()
    known = {o for p in [build_parser(), *parsers.values()] for a in p._actions for o in a.option_strings}
    wrong = []
    for quoted in _quoted(path):
        command = re.match(r"netsor ([a-z]+)", quoted)
        if command and command[1] not in COMMANDS:
            wrong.append(quoted)
        own = {o for a in parsers[command[1]]._actions for o in a.option_strings} if command and not wrong else known
        if quoted.startswith(("netsor ", "--")):
            wrong += [f"{quoted}: {o}" for o in re.findall(r"(?<!\S)--[a-z0-9-]+", quoted) if o not in own]
    assert wrong == []


@each_document
def test_names_of_the_code_exist(path: Path) -> None:
    dotted = [q for q in _quoted(path) if re.fullmatch(r"netsor(\.\w+)+", q)]
    assert [d for d in dotted if not _importable(d)] == []


def _importable(dotted: str) -> bool:
    parts = dotted.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for name in parts[k:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


@each_document
def test_codes_exist(path: Path) -> None:
    """Diagnostics are named by codes that the tool has."""
    sources = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "netsor").rglob("*.py"))
    for code in set(re.findall(r"\b[EW]\d{3}\b", prose(path))):
        assert f'"{code}"' in sources, code


# --- what the documents promise to be complete about ----------------------------------------------------------------


def test_the_reference_names_every_function_keyword_and_command() -> None:
    from netsor.expr.functions import PUBLIC
    from netsor.syntax.names import KEYWORDS

    quoted = " ".join(_quoted(ROOT / "docs" / "language.md"))
    words = set(re.findall(r"\w+", quoted))
    assert {*PUBLIC, *KEYWORDS, *COMMANDS, "mean", "sum", "sqrt", "n", "pi"} - words == set()


def test_the_reference_lists_every_option() -> None:
    """Each command has its options, by any of their names, in the synopsis under Commands."""
    (synopsis,) = (b.text for b in blocks(ROOT / "docs" / "language.md") if b.text.startswith("netsor check FILE"))
    parts = re.split(r"^netsor (\w+)", synopsis, flags=re.M)[1:]
    listed = {command: _options(text) for command, text in zip(parts[::2], parts[1::2], strict=True)}
    assert "… as sgd …" in synopsis
    listed["train"] |= listed["sgd"]
    for command, parser in _parsers().items():
        actions = [set(a.option_strings) for a in parser._actions if a.option_strings]
        missing = [names for names in actions if "--help" not in names and not names & listed[command]]
        assert missing == [], f"docs/language.md, Commands, netsor {command}"


def _options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


# --- the recipes for contributors -----------------------------------------------------------------------------------

# Behind what a recipe's block goes.
_BEHIND = {
    "netsor/expr/functions.py": r"def _entries\(\) -> list\[Nonlinearity\]:\n(?:.*\n)*?    return \[\n",
    "netsor/check/assignments.py import": r"from netsor\.diagnostics import Span\n",
    "netsor/check/assignments.py _add_output": r"def _add_output\(.*\n",
    "netsor/gaussian/problem.py Method": r"class Method\(Enum\):\n.*\n\n",
    "netsor/gaussian/plan.py import": r"import replace\n\n",
    "netsor/gaussian/plan.py RULES": r"RULES: .* = \(\n(?:.*\n)*?(?=    Lattice)",
    "netsor/gaussian/plan.py REDUCTIONS": r"REDUCTIONS: .* = \(\n    LaplaceInArrays\(\),\n    Terms\(\),\n",
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of netsor with all recipes of the contributors' page carried out."""
    copy = tmp_path_factory.mktemp("changed")
    for folder in ("netsor", "grammar"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for block in blocks(ROOT / "docs" / "contributing.md"):
        if block.language not in ("python-entry", "python-append"):
            continue
        file = copy / block.info.split()[0]
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if block.language == "python-append":
            text += ("\n\n" if text else "") + block.text
        else:
            place = re.search(_BEHIND[block.info], text)
            assert place, f"the recipe's place in {block.info} is gone"
            text = text[: place.end()] + block.text + text[place.end() :]
        file.write_text(text, encoding="utf-8")
    return copy


def _in(copy: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=copy, check=False,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_for_a_nonlinearity(changed: Path) -> None:
    """It checks, differentiates, has limits (also through Wᵀ), and runs by both engines."""
    program = next(b for b in blocks(ROOT / "docs" / "contributing.md") if b.language == "netsor-of-the-future")
    code = f"""
import json, netsor
document = netsor.loads({program.text!r})
assert netsor.__file__.startswith({str(changed)!r}), netsor.__file__
report = document.check()
assert report.ok and report.assumptions["B8"].holds, report
limit = document.limit()
lazy, dense = (document.run(400, 60, engine=e) for e in ("lazy", "dense"))
values = {{k: (v.value, v.error) for k, v in limit.outputs.items()}}
print(json.dumps([values, lazy.mean(), lazy.stderr(), dense.mean(), dense.stderr()]))
"""
    limit, *runs = json.loads(_in(changed, code))
    x, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    f = (x + np.sqrt(x * x + 4)) / 2
    size = float(w @ f**2)
    slope = float(w @ ((1 + size**0.5 * x / np.sqrt(size * x * x + 4)) / 2))
    truth = {"slope": 0.5, "size": size, "back": slope * size}
    for name, (value, error) in limit.items():
        assert abs(value - truth[name]) <= error + 1e-9, name
        for mean, stderr in zip(runs[::2], runs[1::2]):
            assert abs(mean[name] - value) < 5 * stderr[name] + 0.05 * abs(value), name


def test_the_recipe_for_a_diagnostic(changed: Path) -> None:
    code = """
import netsor
from netsor.diagnostics.catalogue import explain, lookup
entry = lookup("W989")
for text, codes in ((entry.bad, ["W989"]), (entry.good, [])):
    assert [d.code for d in netsor.loads(text).check().diagnostics] == codes
print(explain("W989"))
"""
    assert "asked for twice" in _in(changed, code)


def test_the_recipes_for_a_rule_and_a_reduction(changed: Path) -> None:
    """E tanh(u/4) tanh(v/4) tanh((u + v)/4 + 1) against 90 Gauss–Hermite nodes a side; E log|u| of variance 4."""
    code = """
import json
from netsor.expr import call, sym
from netsor.gaussian import FixedLaw, expect
u, v = sym("u"), sym("v")
law = FixedLaw([u, v], [[1, 0.5], [0.5, 1]])
three = call("tanh", u / 4) * call("tanh", v / 4) * call("tanh", (u + v) / 4 + 1)
asked = ((three, law), (call("log", call("abs", u)), FixedLaw([u], [[4]])))
found = [expect(*a) for a in asked]
print(json.dumps([[e.value, e.error, e.method] for e in found]))
"""
    (pair, error, rule), (logarithm, doubt, reduction) = json.loads(_in(changed, code))
    x, w = np.polynomial.hermite_e.hermegauss(90)
    w = w / w.sum()
    y = 0.5 * x[:, None] + 0.75**0.5 * x
    u = x[:, None]
    truth = float(w @ (np.tanh(u / 4) * np.tanh(y / 4) * np.tanh((u + y) / 4 + 1)) @ w)
    assert abs(pair - truth) <= error + 1e-15 and "Gauss–Hermite 2-D" in rule
    assert abs(logarithm - (math.log(2) - np.euler_gamma) / 2) <= doubt < 1e-14 and reduction == "exact algebra"


def test_the_tables_of_methods_are_those_of_the_code() -> None:
    """As `netsor.gaussian.plan.tables` writes them."""
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for table in tables().split("\n\n"):
        assert table in text, "write the tables of netsor.gaussian.plan.tables() into docs/limits.md"


# --- the README ---------------------------------------------------------------------------------------------------


def _marked(name: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- {name} -->\n```\n(.*?)^```$", text, flags=re.S | re.M)
    assert found, f"the README has no block marked {name}"
    return found[1].splitlines()


def test_the_readme_says_what_it_is_in_three_lines() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["# netsor", ""]
    assert lines.index("", 2) == 5


def test_the_readme_has_two_lines_to_paste() -> None:
    first, tests = _marked("first"), _marked("tests")
    assert len(first) == len(tests) == 1
    for line in (*first, *tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0
    assert tests[0].endswith(".venv/bin/python -m pytest")
    command = first[0].rpartition("&& .venv/bin/")[2]
    assert {"--limit", "--width"} <= set(command.split())


def test_the_first_line_of_the_readme_works(folder: Path) -> None:
    status, printed = run(_marked("first")[0].rpartition("&& .venv/bin/")[2])
    assert status == 0
    assert "Δf̃" in printed


def test_the_readme_shows_algorithm1() -> None:
    """The program on the README's first screen is the gallery's first."""
    file = (ROOT / "programs" / "algorithm1.netsor").read_text(encoding="utf-8")
    shown = next(b for b in blocks(ROOT / "README.md") if b.language == "netsor")
    assert netsor.loads(shown.text).program == netsor.loads(file).program


# --- the tests of these tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("f 0.1026", "f 0.10257", True),
        ("f 0.1026", "f 0.1036", False),
        ("± 1.6e-15", "± 3.0e-14", True),
        ("± 1.6e-15", "± 3.0e-10", False),
        ("found by …", "found by quadrature 1-D", True),
        ("2 lines", "3 lines", False),
        ("2.8e-03", "2.8e-03", True),
        ("2.8e-03", "2.9e-03", False),
        ("x[1,2] a", "x[1,3] a", False),
        ("a, 3.2 ms", "a, 4.1 ms", False),
        ("a, … ms", "a, 4.1 ms", True),
    ],
)
def test_lines_are_compared(shown: str, printed: str, same: bool) -> None:
    assert same_line(shown, printed) is same
