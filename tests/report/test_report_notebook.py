"""The cell magic and the views of results."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsor
from netsor.notebook import UsageError, show

PROGRAMS = Path(__file__).parents[2] / "programs"
CELL = (PROGRAMS / "algorithm1.netsor").read_text(encoding="utf-8")


def test_results_show_themselves() -> None:
    document = netsor.loads(CELL)
    assert "<svg" in str(document._repr_html_()) and document._repr_latex_() is None
    limit = document.limit()
    assert "0.10256726981" in str(limit._repr_html_())
    assert str(limit._repr_latex_()).startswith("$$\\begin{aligned} \\Delta\\tilde{f} &\\to 0.1025672698")
    run = document.run(64, 3)
    assert "width 64, 3 draws" in str(run._repr_html_()) and "\\pm" in str(run._repr_latex_())


def test_kernels_show_themselves() -> None:
    kernels = netsor.load(PROGRAMS / "networks" / "mlp_erf.netsor").ntk(np.eye(3))
    assert str(kernels._repr_html_()).count("<tr>") == 6
    assert "pmatrix" in str(kernels._repr_latex_())


def test_a_derivation_shows_itself() -> None:
    from netsor.show.derivation import derive

    found = derive(netsor.loads(CELL).program)
    assert "<math" in str(found._repr_html_()) and "\\mathbb{E}" in str(found._repr_latex_())


def test_a_document_with_errors_shows_its_diagnostics() -> None:
    assert "E201" in str(netsor.loads("y := W x\n")._repr_html_())


def test_the_magic_shows_the_parts_asked_for() -> None:
    page, name, document = show("--show limits,checks -r d", CELL)
    assert name == "d" and document is not None
    assert "<h3>Limits</h3>" in page.html and "<h3>Checks</h3>" in page.html and "<svg" not in page.html


@pytest.mark.parametrize("line", ["--nonsense", "--show nothing", "--width x"])
def test_wrong_options_are_told(line: str) -> None:
    with pytest.raises(UsageError):
        show(line, CELL)


def test_a_cell_with_errors_shows_diagnostics_and_keeps_nothing() -> None:
    page, name, document = show("-r d", "y := W x\n")
    assert name is None and document is None
    assert "E201" in page.html and "E201" in repr(page)


@pytest.fixture
def shell() -> Any:
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    found = interactive.InteractiveShell.instance()
    found.run_line_magic("load_ext", "netsor.notebook")
    yield found
    interactive.InteractiveShell.clear_instance()


def test_in_ipython(shell: Any) -> None:
    page = shell.run_cell_magic("netsor", "--show limits --result kept", CELL)
    assert "0.10256726981" in page.html
    kept = shell.user_ns["kept"]
    formats, _ = shell.display_formatter.format(kept.limit())
    assert {"text/html", "text/latex"} <= set(formats)


def test_wrong_usage_in_ipython(shell: Any) -> None:
    from IPython.core.error import UsageError as Told

    with pytest.raises(Told, match="no part"):
        shell.run_cell_magic("netsor", "--show nothing", CELL)


def test_a_derivations_latex_is_a_part_of_a_document() -> None:
    text = str(netsor.loads(CELL).derive()._repr_latex_())
    assert "\\documentclass" not in text and "\\end{document}" not in text
    assert "\\begin{alignat*}" in text and text.rstrip().endswith("\\end{alignat*}")


def test_in_a_terminal_a_limit_has_the_digits_that_its_bound_leaves() -> None:
    page, _, _ = show("", "vector x ~ N(0, 1)\noutput m := mean(x^2)\noutput e := mean(exp(x^2))\n")
    assert re.search(r"^m → 1 ± \d\.\de-1\d$", repr(page), re.M) and "e has no limit" in repr(page)


def test_an_unnamed_program_is_called_the_program() -> None:
    page, _, _ = show("--vectors q", "vector x ~ N(0, 1)\noutput m := mean(x^2)\n")
    assert "`q` is not a vector of the program" in repr(page)


def test_help_is_a_line_of_its_own(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.error import UsageError as Told

    shell.run_line_magic("netsor", "--help")
    assert "--vectors" in capsys.readouterr().out
    with pytest.raises(Told, match="below a first line"):
        shell.run_line_magic("netsor", "--width 10")


def test_only_limits_that_are_known_not_to_exist_are_said_not_to() -> None:
    limit = netsor.loads("vector x ~ N(0, 1)\noutput far := mean(exp(100 * x))\noutput bad := mean(exp(x^2))\n").limit()
    far, bad = str(limit._repr_latex_()).split("\\\\")
    assert "not computed" in far and "does not exist" in bad
