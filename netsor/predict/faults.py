"""What is said of predictions: settings that make no sense, and kernels that are singular to within their errors."""

from __future__ import annotations

from netsor.diagnostics import Diagnostic, NetsorError


def bad_setting(name: str, value: object, wanted: str, hint: str) -> NetsorError:
    return NetsorError(Diagnostic("E663", f"{name} should be {wanted}, not {value}", hint=hint))


def time_without_flow() -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E663",
            "a time belongs to the training of networks, and the posterior of the Gaussian process has none",
            hint="ask for the ensemble of trained networks with `--kernel ntk`, or leave out `--time`",
        )
    )


def singular(network: str, kernel: str, lost: int, size: int, bounded: bool) -> Diagnostic:
    """W664: directions that may or may not be none decide about the answer."""
    name = "NTK" if kernel == "ntk" else "NNGP"
    where = "1 direction" if lost == 1 else f"{lost} directions"
    return Diagnostic(
        "W664",
        f"the {name} of `{network}` on the training rows is singular to within its error in {where} of {size}",
        severity="warning",
        notes=(
            "these directions count as zero, so the answer is the one of least norm, which gradient flow tends to",
            "rows whose outputs depend on each other, or are too close to be told apart, have such directions",
            *(() if bounded else ("if they are small instead, the mean can be anything: its error is not bounded",)),
        ),
        hint="`--noise S` with a small S > 0, or with `--kernel ntk` a finite `--time`, has an answer with an error",
    )
