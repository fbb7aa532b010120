"""Tables fit the width that they are given and lose nothing by it; kernels have the digits that errors support."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import netsor
from netsor.cli.kernel_text import compared, kernel_text
from netsor.cli.main import main
from netsor.cli.matrices import matrix
from netsor.cli.tables import paragraph, table
from netsor.diagnostics.columns import text_width
from netsor.show.heatmap import heatmap_svg

ROWS = [
    ["output", "limit", "± at most", "width 1000", "found by"],
    ["k[1,1]", "0.40248086873925", "2.5e-15", "0.408", "quasi-Monte Carlo"],
    ["a", "does not exist", "", "1.2e+05", ""],
]


def words(text: str) -> list[str]:
    return sorted(text.split())


@pytest.mark.parametrize("width", [40, 50, 60, 80, 200])
def test_a_table_fits_and_keeps_every_word(width):
    text = table(ROWS, width=width)
    assert max(map(text_width, text.splitlines())) <= width
    cells = [w for row in ROWS[1:] for cell in row for w in cell.split()]
    found = text.split()
    assert all(found.count(w) >= cells.count(w) for w in cells)


def test_a_column_that_may_go_goes_before_rows_are_lists():
    text = table(ROWS, width=45, optional=4)
    assert "found" not in text and len(text.splitlines()) <= 5 and "0.40248086873925" in text
    assert "found by" in table(ROWS, width=100, optional=4)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_sentence_is_wrapped(width):
    text = "A1: holds: " + "the word and " * 20
    lines = paragraph(text.strip(), width=width).splitlines()
    assert max(map(text_width, lines)) <= width and words(" ".join(lines)) == words(text)


NETWORK = """network m(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector b, v ~ N(0, 1)
train U, W, b, v
x := relu(W tanh(U ξ) + b)
output f := vᵀ x / √n
"""
PROGRAM = "program p\nmatrix W\nvector x ~ N(0, 1)\nh := W tanh(x)\noutput size := mean(h^2 * max(h, x))\n"
TRAIN = ["m.netsor", "--inputs", "x.csv", "--targets", "y.csv"]
COMMANDS = {
    "check": ["check", "m.netsor"],
    "exact": ["check", "--exact", "m.netsor"],
    "eval": ["eval", "p.netsor", "--limit", "--width", "50,100", "--seeds", "3", "--explain"],
    "eval a network": ["eval", "m.netsor", "--inputs", "x.csv"],
    "law": ["eval", "p.netsor", "--law", "h,x"],
    "law beside a width": ["eval", "p.netsor", "--law", "h", "--width", "16"],
    "converge": ["converge", "p.netsor", "--widths", "50,100", "--seeds", "3"],
    "ntk": ["ntk", "m.netsor", "--inputs", "x.csv", "--by-parameter", "--explain"],
    "ntk beside a width": ["ntk", "m.netsor", "--inputs", "x.csv", "--limit", "--width", "50", "--seeds", "3"],
    "train": ["train", *TRAIN, "--steps", "2", "--limit", "--width", "50", "--seeds", "2"],
    "predict": ["predict", *TRAIN, "--test", "x.csv", "--test-targets", "y.csv", "--standardize", "--cov"],
    "fit": ["predict", *TRAIN, "--test", "x.csv", "--fit", "noise"],
    "explain": ["explain", "E501"],
    "all codes": ["explain"],
}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_commands_print_fits(command, width, tmp_path, monkeypatch, capsys):
    """But for programs, which `explain` shows as they are written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    for name, text in {
        "m.netsor": NETWORK,
        "p.netsor": PROGRAM,
        "x.csv": "1,0.5\n-1,2\n0.3,1\n",
        "y.csv": "1\n-1\n0\n",
    }.items():
        Path(name).write_text(text, encoding="utf-8")
    assert main(COMMANDS[command]) == 0
    out, err = capsys.readouterr()
    lines = [line for line in (out + err).splitlines() if not (command == "explain" and line.startswith("    "))]
    assert lines and [line for line in lines if text_width(line) > width] == []


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_matrix_is_cut_into_blocks_of_columns(width):
    numbers = np.random.default_rng(0).standard_normal((3, 9))
    rows = [(str(i + 1), [f"{x:.6f}" for x in row]) for i, row in enumerate(numbers)]
    text = matrix("step", [f"train {j + 1}" for j in range(9)], rows, width=width, last=["loss", "1", "0.5", "0.25"])
    assert max(map(text_width, text.splitlines())) <= width
    for _, row in rows:
        assert all(x in text for x in row)
    # Points stand below each other.
    block = text.splitlines()[1:4]
    assert len({line.index(".") for line in block}) == 1


def test_digits_go_as_far_as_each_error(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    kernel = SimpleNamespace(value=np.array([[1 / 3, 1 / 3], [1 / 3, 2.0]]), error=np.array([[0, 1e-4], [1e-4, 1e-15]]))
    text = kernel_text("NNGP", kernel)
    assert re.findall(r"[\d.]+", text.splitlines()[2]) == ["1", "0.33333333", "0.333"]
    drawn = SimpleNamespace(mean=np.array([[0.31234567]]), stderr=np.array([[0.026]]))
    assert "0.312" in kernel_text("NNGP", drawn) and "0.3123" not in kernel_text("NNGP", drawn)
    whole = SimpleNamespace(value=np.array([[1 / 3]]), error=np.array([[2e-15]]))
    line = compared("NNGP", whole, drawn, 100).splitlines()[-1]
    assert line.split()[:2] + line.split()[3:] == ["1,1", "0.33333333", "0.312", "2.6e-02", "-0.8", "σ"]


NETWORK = (
    "network shallow(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\ntrain v\noutput f := vᵀ relu(U ξ) / √n\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.netsor").write_text(NETWORK)
    Path("X.json").write_text("[[1, 0], [1, 1]]")
    return tmp_path


def test_limit_and_width_side_by_side(capsys, folder):
    arguments = ["ntk", "net.netsor", "--inputs", "X.json", "--limit", "--width", "300", "--seeds", "20"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["seeds"]) == (300, 20)
    for name in ("nngp", "ntk"):
        limit, finite = found[name]["limit"], found[name]["finite"]
        # Of relu, E relu(u)² = |ξ|²/2; the readout alone is trained, so that both kernels are one.
        assert limit["value"][0][0] == pytest.approx(0.5, abs=1e-12) and limit["value"][1][1] == pytest.approx(1)
        stderr = np.array(finite["stderr"])
        assert stderr.shape == (2, 2) and np.all(stderr > 0) and len(set(stderr.ravel())) == 3
        assert np.all(np.abs(np.array(finite["mean"]) - limit["value"]) < 5 * stderr)
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "± at most" in out and "± stderr" in out and " σ" in out


def test_finished_draws_are_told_when_a_run_is_interrupted(capsys, folder, monkeypatch):
    from netsor.kernels import empirical

    real, calls = empirical.run_vectors, []

    def slow(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(empirical, "run_vectors", slow)
    arguments = ["ntk", "net.netsor", "--inputs", "X.json", "--width", "50", "--seeds", "9", "--json"]
    assert main(arguments) == 130
    out, err = capsys.readouterr()
    assert json.loads(out)["seeds"] == 2 and "interrupted after 2 of 9 seeds" in err


def test_kernels_as_heat_maps(capsys, folder):
    assert main(["ntk", "net.netsor", "--inputs", "X.json", "--plot", "k.svg"]) == 0
    svg = Path("k.svg").read_text()
    assert svg.startswith("<svg") and svg.count("<g>") == 2 and ">0.5</text>" in svg
    assert main(["ntk", "net.netsor", "--inputs", "X.json", "--plot", "k.txt"]) == 2
    # Zero is white, the two ends are the two colours, and what is no number is grey.
    svg = heatmap_svg({"K": np.array([[1.0, 0.0], [-1.0, np.nan]])})
    cells = re.findall(r'fill="(#\w+)"/>', svg)[:4]
    assert cells == ["#c75410", "#f7f7f5", "#1a5c94", "#999"]
    outputs = np.arange(16.0).reshape(2, 2, 2, 2)
    assert heatmap_svg({"K": outputs}).count("<rect") == 16 + 40


def test_one_warning_for_all_outputs_that_missed_the_tolerance():
    text = "vector u ~ N(0, 1)\n" + "".join(f"output a[{k}] := mean(exp(sin({k} * u)))\n" for k in range(1, 16))
    result = netsor.loads(text).limit(tol=1e-19)
    (said,) = result.diagnostics
    assert said.code == "W901" and "limits of `a[1]`" in said.message and "and 10 more" in said.message


def test_found_by_is_the_hardest_step():
    # The last step is a closed form (of a square); the variance comes from a quadrature.
    found = netsor.loads("matrix W\nvector u ~ N(0, 1)\nx := W softplus(u)\noutput a := mean(relu(x)^2)\n").limit()["a"]
    assert found.method.split(" + ")[-1] == "closed form" and found.hardest == "quadrature 1-D"


def test_check_begins_with_its_conclusion(capsys, folder):
    assert main(["check", "net.netsor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  NTKTRAIN: ")
    assert any(line.startswith("  A1: not needed") for line in lines)
    Path("p.netsor").write_text("vector x ~ N(0, 1)\noutput a := mean(x^2)\n")
    assert main(["check", "p.netsor"]) == 0
    assert "Theorem B.4" in capsys.readouterr().out.splitlines()[1]
