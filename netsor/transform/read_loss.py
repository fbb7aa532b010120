"""A loss given as text: an expression in f and y, read by the parser and checker of the language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue import derived
from netsor.expr import Expr, substitute, sym


def _cross_entropy(count: int) -> str:
    """−Σ y_j log softmax(f)_j for targets that are probabilities; of one output, that of the classes y = 0 and 1."""
    if count == 1:
        return "softplus(f) - y * f"
    fs = [f"f{j}" for j in range(1, count + 1)]
    return " + ".join(f"y{j} * log({' + '.join(f'exp({g} - {f})' for g in fs)})" for j, f in enumerate(fs, start=1))


# Losses by name, as a function of the number of outputs; mse is the mean over outputs, as in torch, the others sums.
NAMED: dict[str, Callable[[int], str]] = {
    "mse": lambda count: "(f - y)^2" if count == 1 else f"(f - y)^2 / {count}",
    "logistic": lambda count: "softplus(-y * f)",
    "hinge": lambda count: "relu(1 - y * f)",
    "cross_entropy": _cross_entropy,
}


def read_loss(text: str, count: int = 1) -> Expr:
    """The expression of a loss in `f` and `y`, or with several outputs also in `f1`, `y1`, `f2`, …; or one of `NAMED`.

    Raises NetsorError where the text is not such an expression (E658, or the error of the parser with its place in the
    text).
    """
    from netsor.check import check_source

    text = text.strip()
    text = NAMED[text](count) if text in NAMED else text
    if not text or "\n" in text or "#" in text:
        raise NetsorError(derived.bad_loss(f"the loss `{' '.join(text.split())}` is not one expression"))
    names = ["f", "y"]
    if count > 1:
        names += [f"{x}{j}" for j in range(1, count + 1) for x in "fy"]
    head = f"ℓ({', '.join(names)})"
    declared = "".join(f"vector {x} ~ N(0, 1)\n" for x in names)
    report = check_source(Source("--loss", f"{head} = {text}\n{declared}output mean({head})\n"))
    if report.program is None:
        listed = ", ".join(f"`{x}`" for x in names)
        hint = f"a loss is written in {listed} and functions of the language"
        raise NetsorError(replace(d, hint=hint) if d.code == "E201" else d for d in report.diagnostics if d.is_error)
    made = next((f for f in report.program.functions() if f.name == "ℓ"), None)
    if made is None:
        raise NetsorError(
            derived.bad_loss(f"the loss `{text}` is not a function of the outputs and targets of one row")
        )
    return substitute(made.body, {p: sym(str(p.name)) for p in made.params})
