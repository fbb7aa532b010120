"""A function of the language is named in its entry alone: what is known of it elsewhere, a new one would lack."""

import ast
from pathlib import Path

import pytest

import netsor
from netsor.expr.functions import FUNCTIONS

ROOT = Path(netsor.__file__).parent
ENTRIES = "expr/functions.py"
# Files with words that are spelled like functions, and why each may have them: all of its words, or those named.
ALLOWED: dict[str, tuple[str, set[str] | None]] = {
    "syntax/mistakes/arrays.py": ("what other languages call our functions", None),
    "syntax/mistakes/latex.py": ("what LaTeX calls our functions", None),
    "syntax/mistakes/laws.py": ("what other languages call laws", {"sign", "exp"}),
    "syntax/mistakes/paper.py": ("x⁺ and (x)₊ are relu(x)", {"relu"}),
    "check/foreign.py": ("what other languages call our functions", None),
    "check/identities.py": ("identities between several functions, such as x step(x) = relu(x)", None),
    "expr/positive.py": ("sums of positive terms", {"exp", "sigmoid", "softplus", "cos"}),
    "expr/layers.py": ("the length of what several intervals have in common", {"relu", "min", "max"}),
    "core/uniform.py": ("the distribution function of a Gaussian", {"erf"}),
    "importer/operations/elementwise.py": ("PyTorch's functions and how the language writes them", None),
    "importer/operations/pooling.py": ("the largest of several", {"max"}),
    "importer/operations/reductions.py": ("softmax and the largest of several", {"max", "log", "abs", "exp", "min"}),
    "importer/parameters.py": ("a root of a variance", {"sqrt"}),
    "importer/terms.py": ("simplifications of texts", {"sqrt", "leaky_relu", "abs", "relu", "min", "max"}),
    "syntax/lexer.py": ("the word for √", {"sqrt"}),
    "expr/__init__.py": ("the constructor of a root, exported", {"sqrt"}),
    "expr/arrays.py": ("a name of scipy.special", {"erf"}),
    "expr/array_api.py": ("a name of scipy.special", {"erf"}),
    "show/formula/names.py": ("a Greek letter", {"Phi"}),
    "show/convergence.py": ("a logarithmic axis", {"log"}),
    "cli/train_command.py": ("the heading of a column", {"step"}),
}


def named(source: str) -> set[str]:
    """The functions of the language that a source names in strings of their own, those in patterns included."""
    strings = {n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return strings & set(FUNCTIONS)


FILES = sorted(p for p in ROOT.rglob("*.py") if "_shipped" not in p.parts)


def test_no_other_file_names_a_function() -> None:
    found = {}
    for path in FILES:
        place = path.relative_to(ROOT).as_posix()
        _, words = ALLOWED.get(place, ("", set()))
        left = set() if words is None else named(path.read_text(encoding="utf-8")) - words
        if place != ENTRIES and left:
            found[place] = left
    assert found == {}


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_what_is_allowed_is_needed(place: str) -> None:
    _, words = ALLOWED[place]
    there = named((ROOT / place).read_text(encoding="utf-8"))
    assert there if words is None else there == words


def test_the_reader_sees_names_in_comparisons_sets_and_patterns() -> None:
    source = "f(x == 'relu', {'tanh': 1})\nmatch e:\n    case 'exp' | 'log':\n        'of relu and erf'\n"
    assert named(source) == {"relu", "tanh", "exp", "log"}


def test_no_import_stands_inside_a_function_of_expressions() -> None:
    for path in sorted((ROOT / "expr").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inside = [n for n in ast.walk(node) if isinstance(n, ast.ImportFrom)]
                assert not [n for n in inside if (n.module or "").startswith("netsor")], path


def _imports_of_expr(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "netsor.expr":
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netsor.expr."):
            found.add(str(node.module).split(".")[2])
    return found


def test_the_files_of_expressions_stand_on_each_other() -> None:
    """Taking away those whose imports are gone, again and again, leaves none: there is no circle."""
    left = {p.stem: _imports_of_expr(p) for p in (ROOT / "expr").glob("*.py") if p.stem != "__init__"}
    while free := [name for name, imports in left.items() if not imports & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


def test_values_of_floats_know_no_expressions() -> None:
    assert _imports_of_expr(ROOT / "expr" / "values.py") == set()
