"""The direction of imports, read off the source: lazy imports inside functions count as any other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import netsor

ROOT = Path(netsor.__file__).parent
BASE = {"averages", "deadline", "diagnostics", "expr", "progress", "shown"}
# What each package may use besides itself; what stands below knows nothing of what stands above.
ALLOWED = {
    "averages": set(),
    "deadline": set(),
    "diagnostics": set(),
    "files": set(),
    "progress": set(),
    "resources": {"files"},
    "shown": set(),
    "expr": set(),
    "syntax": {"diagnostics", "resources"},
    "core": BASE,
    "check": {"syntax", "core", *BASE},
    "gaussian": {"deadline", "expr", "progress"},
    "limit": {"gaussian", "core", *BASE},
    "finite": {"core", *BASE},
    "show": {"limit", "gaussian", "check", "syntax", "core", "files", *BASE},
    "transform": {"check", "syntax", "core", *BASE},
    "arrays": {"diagnostics"},
    "datafiles": {"arrays", "diagnostics"},
    "tables": {"arrays", "datafiles", "inputs", "diagnostics"},
    "inputs": {"arrays", "datafiles", "check", "syntax", "diagnostics"},
    "kernels": {"transform", "limit", "finite", "gaussian", "check", "core", *BASE},
    "independence": {"kernels", "transform", "limit", "gaussian", "core", *BASE},
    "train": {"kernels", "transform", "limit", "finite", "gaussian", "check", "syntax", "core", *BASE},
    "predict": {"check", "syntax", "train", "kernels", "transform", "gaussian", "core", *BASE},
    "report": {"show", "limit", "finite", "gaussian", "check", "syntax", "core", *BASE},
    "converge": {"limit", "finite", "core", *BASE},
}
# The interfaces, which nothing else imports.
TOP = {
    "importer", "sklearn", "api", "networks", "runnable", "texts", "report", "cli", "notebook", "__init__", "__main__"
}  # fmt: skip
# What `netsor check` does without: half a second of imports.
HEAVY = ("numpy", "scipy", "rich")


def package(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    # A report of a whole program is made of what the interfaces give.
    return "report" if parts[:2] == ("show", "report") else parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of netsor that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{a.name}" for a in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "netsor" and len(parts) > 1 and parts[1] != "__version__":
                found.add(parts[1])
    return found


FILES = sorted(p for p in ROOT.rglob("*.py") if "_shipped" not in p.parts)


def test_every_package_has_its_place() -> None:
    assert {package(p) for p in FILES} <= set(ALLOWED) | TOP


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_imports_point_downwards(name: str) -> None:
    for path in FILES:
        if package(path) == name:
            assert imported(path) - {name} <= ALLOWED[name], path


def test_the_two_meanings_do_not_know_each_other() -> None:
    for path in FILES:
        if package(path) in ("limit", "finite"):
            assert not imported(path) & ({"limit", "finite"} - {package(path)}), path


def test_nothing_below_imports_the_top() -> None:
    for path in FILES:
        if package(path) not in TOP:
            assert not imported(path) & TOP, path


def test_the_check_detects_a_wrong_import(tmp_path: Path) -> None:
    """The reader of imports sees those inside functions, in both spellings."""
    path = tmp_path / "wrong.py"
    path.write_text("def f():\n    from netsor.limit import Limit\n    import netsor.finite.plan\n    return Limit\n")
    assert imported(path) == {"limit", "finite"}


def test_checking_imports_nothing_heavy() -> None:
    program = ROOT.parent / "programs" / "algorithm1.netsor"
    code = (
        "import sys\nfrom netsor.cli.main import main\n"
        f"status = main(['check', {str(program)!r}])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\nsys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_diagnostics_are_made_in_the_catalogue() -> None:
    """Elsewhere a code stands behind no message; rules about lines that do not parse alone have theirs beside them."""
    for path in FILES:
        if path.parts[-2:] == ("catalogue", "entry.py") or path.parent.name == "mistakes":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "Diagnostic", f"{path}:{node.lineno}"
