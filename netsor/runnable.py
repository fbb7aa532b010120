"""What every program can do, whether it was read from a text or made from a network: limits, runs, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.core import Program

if TYPE_CHECKING:
    from netsor.finite import FiniteResult
    from netsor.finite.converge import Study
    from netsor.limit import LimitResult
    from netsor.limit.law import CoordinateLaw
    from netsor.show.derivation import Derivation


class Runnable:
    """The methods of a program; `program` is its checked core."""

    if TYPE_CHECKING:
        # A field of some of them and a property of others.
        @property
        def program(self) -> Program: ...

    def evaluable(self) -> Program:
        """The program where it can be evaluated; raises NetsorError for a network (E610)."""
        return self.program

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
        network without rows (E610).
        """
        from netsor.limit import infer_limit

        return infer_limit(self.evaluable(), tol, budget, outputs, progress)

    def run(
        self, width: int, seeds: int | Sequence[int] = 1, *, seed: int = 0, dtype: str = "float64", **options: Any
    ) -> FiniteResult:
        """The outputs at width n for K draws (Setup B.2): `values[name]` has shape (K,), with `mean` and `stderr`.

        Raises NetsorError where the text has errors, for a network without rows (E610), and as `netsor.finite.run.run`
        does: among others for a width that is not a positive integer (E701), and a run that does not fit the memory
        (E702).
        """
        from netsor.finite import run

        return run(self.evaluable(), width, seeds, seed=seed, dtype=dtype, **options)

    def converge(
        self,
        widths: Iterable[int],
        seeds: int = 20,
        *,
        seed: int = 0,
        tol: float = 1e-8,
        budget: float | None = 60.0,
        **options: Any,
    ) -> Study:
        """Runs at several widths against the limits, with rates and a verdict for each output.

        `options` are those of `netsor.finite.converge.converge`. Raises NetsorError as `limit` and `run` do.
        """
        from netsor.finite.converge import converge

        limits = {name: (v.value, v.error) for name, v in self.limit(tol, budget).outputs.items()}
        return converge(self.evaluable(), limits, widths, seeds, seed=seed, **options)

    def law(self, *vectors: str, tol: float = 1e-8, budget: float | None = 60.0) -> CoordinateLaw:
        """The joint law of Z^x for some vectors: moments, quantiles and draws.

        Raises NetsorError where the text has errors, for a network without rows (E610), and for a name that is no
        vector's (E033).
        """
        from netsor.limit.law import CoordinateLaw
        from netsor.show.writing import variables_of

        program = self.evaluable()
        return CoordinateLaw(program, list(dict.fromkeys(variables_of(program, vectors, vectors=True))), tol, budget)

    def derive(self, of: str | None = None, every: bool = False) -> Derivation:
        """The limit as formulas, one line for each variable that the outputs need, or that the variable `of` needs.

        Raises NetsorError where the text has errors, and for a network without rows (E610).
        """
        from netsor.show.derivation import derive

        return derive(self.evaluable(), of, every)

    def draw(
        self,
        path: str | Path | None = None,
        *,
        of: Sequence[str] = (),
        folding: Any = "auto",
        theme: str = "auto",
        key: bool = True,
    ) -> str:
        """The drawing in the notation of Appendix C as SVG, written to a .svg, .pdf, .png or .dot file too if asked.

        Raises NetsorError where the text has errors, for a name that is no variable's (E033), and for a file that
        cannot be written (E030, E031).
        """
        from netsor.show.drawing import FORMATS, draw, drawing_svg
        from netsor.show.writing import suffix_of, variables_of, write

        names = variables_of(self.program, of) or None
        if path is not None:
            write(str(path), draw(self.program, suffix_of(str(path), FORMATS), names, folding, theme, key))
        return drawing_svg(self.program, names, folding, theme, key)

    def listing(self) -> str:
        """The core as a listing like Algorithm 1, which is itself a valid text with the same core."""
        from netsor.show.listing import listing

        return listing(self.program)
