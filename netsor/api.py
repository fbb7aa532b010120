"""The Python interface: load a program, check it, take its limit, run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.check import Report, check_source
from netsor.core import Program
from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue.networks import network_without_rows
from netsor.inputs import read_data, read_settings
from netsor.networks import Networks
from netsor.runnable import Runnable
from netsor.shown import Shown, register
from netsor.syntax import read_source

if TYPE_CHECKING:
    from netsor.predict.fit import Fit


@dataclass(frozen=True, repr=False)
class Document(Networks, Runnable, Shown):
    """A program that was read and checked, as `load` returns it."""

    report: Report
    # The values of `param` and `data` lines that were given, for kernels as functions of the others.
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def program(self) -> Program:
        """The checked core program; raises NetsorError with the diagnostics where the text has errors."""
        if self.report.program is None:
            raise NetsorError(d for d in self.report.diagnostics if d.is_error)
        return self.report.program

    def check(self) -> Report:
        """The kinds of all variables, the assumptions, and every diagnostic of the text; never raises."""
        return self.report

    def evaluable(self) -> Program:
        """The program where it can be evaluated; raises NetsorError for a network, which needs rows first (E610)."""
        if self.program.kind == "network":
            raise NetsorError(network_without_rows(self.program.name, self.report.source.name))
        return self.program

    def fit(
        self,
        inputs: Any,
        targets: Any,
        params: Sequence[str],
        *,
        noise: float = 0.0,
        tol: float = 1e-10,
        budget: float | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[Document, Fit]:
        """The document with the values of `params` that maximize the likelihood of the targets, and the fit.

        See `netsor.predict.fit.fit`; "noise" among the `params` fits the noise variance too. When `budget` seconds are
        over, they are the likeliest so far, and the fit is not `finished`.
        """
        from netsor.predict.fit import fit
        from netsor.predict.hyperparameters import Family

        family = Family(self.report.source, self.settings, self.data)
        found = fit(family, self.program, inputs, targets, params, noise, tol, budget, progress)
        return self.at(found.values), found

    def at(self, values: Mapping[str, Any]) -> Document:
        """The document with other values of some `param` lines, as `load` reads them in `set`."""
        settings = {**self.settings, **read_settings(values)}
        return Document(check_source(self.report.source, settings, self.data), settings, self.data)


def load(
    path: str | Path, set: Mapping[str, Any] | Iterable[str] = (), data: Mapping[str, Any] | Iterable[str] = ()
) -> Document:
    """Read and check a file.

    `set` gives values to `param` lines, and `data` gives arrays or files to `data` lines. Errors in the text are in
    `.check().diagnostics`; a file that cannot be read, or values that cannot be used, raise NetsorError.
    """
    return load_source(read_source(path), set, data)


def loads(
    text: str,
    name: str = "<text>",
    set: Mapping[str, Any] | Iterable[str] = (),
    data: Mapping[str, Any] | Iterable[str] = (),
) -> Document:
    """Check a program given as text; otherwise as `load`."""
    return load_source(Source(name, text), set, data)


def load_source(
    source: Source, set: Mapping[str, Any] | Iterable[str] = (), data: Mapping[str, Any] | Iterable[str] = ()
) -> Document:
    """Check a program given as a `Source`; otherwise as `load`."""
    settings, values = read_settings(set), read_data(data)
    return Document(check_source(source, settings, values), settings, values)


# How results are displayed in a notebook; these modules are imported only when a notebook asks.
for _kind, _view in (
    ("Document", "document"),
    ("LimitResult", "limit"),
    ("FiniteResult", "finite"),
    ("Kernels", "kernels"),
    ("Covariances", "kernels"),
    ("Derivation", "derivation"),
):
    register(_kind, html=f"netsor.report.views:{_view}_html")
    if _kind != "Document":
        register(_kind, latex=f"netsor.report.views:{_view}_latex")

# How they print in a session.
for _kind, _view in (
    ("Document", "document"), ("Derived", "derived"), ("Report", "report"), ("LimitResult", "limit"),
    ("FiniteResult", "finite"), ("Kernel", "kernel_alone"), ("EmpiricalKernel", "kernel_alone"), ("Kernels", "kernels"),
    ("Covariances", "kernels"), ("EmpiricalKernels", "kernels"), ("EmpiricalCovariances", "kernels"),
    ("Training", "training"), ("Prediction", "prediction"), ("Study", "study"), ("Derivation", "derivation"),
    ("ExactReport", "exact"), ("CoordinateLaw", "law"),
):  # fmt: skip
    register(_kind, text=f"netsor.texts:{_view}_text")
