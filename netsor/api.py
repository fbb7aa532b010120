"""The Python interface: load a program, check it, take its limit, run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.check import Report, check_source
from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError, Source
from netsor.inputs import read_data, read_settings
from netsor.networks import Networks
from netsor.shown import Shown, register
from netsor.syntax import read_source

if TYPE_CHECKING:
    from netsor.finite import FiniteResult
    from netsor.limit import LimitResult
    from netsor.predict.fit import Fit
    from netsor.show.derivation import Derivation


@dataclass(frozen=True)
class Document(Networks, Shown):
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

    def limit(
        self,
        tol: float = 1e-8,
        budget: float | None = 60.0,
        outputs: Sequence[str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> LimitResult:
        """The n → ∞ limits of the outputs by Def. B.3, each with an error that bounds |value − limit|.

        `tol` is relative to the size E|ψ| of the averaged ψ, and `budget` is in seconds; a limit that does not exist
        has the value None and a diagnostic in the result. Raises NetsorError where the text has errors, and for a
        network (E610).
        """
        from netsor.limit import infer_limit

        return infer_limit(self._runnable("limit"), tol, budget, outputs, progress)

    def run(
        self, width: int, seeds: int | Sequence[int] = 1, *, seed: int = 0, dtype: str = "float64", **options: Any
    ) -> FiniteResult:
        """The outputs at width n for K draws (Setup B.2): `values[name]` has shape (K,), with `mean` and `stderr`.

        Raises NetsorError where the text has errors, for a network (E610), and as `netsor.finite.run.run` does: among
        others for a width that is not a positive integer (E701), and a run that does not fit the memory (E702).
        """
        from netsor.finite import run

        return run(self._runnable("run"), width, seeds, seed=seed, dtype=dtype, **options)

    def derive(self, of: str | None = None, every: bool = False) -> Derivation:
        """The limit as formulas, one line for each variable that the outputs need, or that the variable `of` needs.

        Raises NetsorError where the text has errors, and for a network (E610).
        """
        from netsor.show.derivation import derive

        return derive(self._runnable("limit"), of, every)

    def listing(self) -> str:
        """The core as a listing like Algorithm 1, which is itself a valid text with the same core."""
        from netsor.show.listing import listing

        return listing(self.program)

    def fit(
        self,
        inputs: Any,
        targets: Any,
        params: Sequence[str],
        *,
        noise: float = 0.0,
        tol: float = 1e-10,
        progress: Callable[[str], None] | None = None,
    ) -> tuple[Document, Fit]:
        """The document with the values of `params` that maximize the likelihood of the targets, and the fit.

        See `netsor.predict.fit.fit`; "noise" among the `params` fits the noise variance too.
        """
        from netsor.predict.fit import fit
        from netsor.predict.hyperparameters import Family

        family = Family(self.report.source, self.settings, self.data)
        found = fit(family, self.program, inputs, targets, params, noise, tol, progress)
        settings = {**self.settings, **found.values}
        return Document(check_source(self.report.source, settings, self.data), settings, self.data), found

    def _runnable(self, what: str) -> Program:
        if self.program.kind == "network":
            name = self.program.name
            verb = "a limit" if what == "limit" else "outputs at a width"
            raise NetsorError(
                Diagnostic(
                    "E610",
                    f"`{name}` is a network, the program of one example, and only a program has {verb}",
                    hint=f"`netsor ntk {self.report.source.name} --inputs X.npy` gives its kernels",
                )
            )
        return self.program


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
