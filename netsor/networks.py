"""The methods of a document that is a network: its backward pass, its kernels and its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netsor.core import Program

if TYPE_CHECKING:
    from netsor.finite import FiniteResult
    from netsor.independence import ExactReport
    from netsor.kernels import Covariances, EmpiricalCovariances, EmpiricalKernels, Kernels
    from netsor.limit import LimitResult
    from netsor.predict import Prediction
    from netsor.train import Training


@dataclass(frozen=True)
class Derived:
    """A program made by a transformation, and the legend of its names."""

    program: Program
    legend: tuple[str, ...] = ()

    def limit(
        self, tol: float = 1e-8, budget: float | None = 60.0, outputs: Sequence[str] | None = None
    ) -> LimitResult:
        """The n → ∞ limits of its outputs by Def. B.3; see `Document.limit`."""
        from netsor.limit import infer_limit

        return infer_limit(self.program, tol, budget, outputs)

    def run(self, width: int, seeds: int | Sequence[int] = 1, **options: Any) -> FiniteResult:
        """Its outputs at width n for K draws (Setup B.2); see `Document.run`."""
        from netsor.finite import run

        return run(self.program, width, seeds, **options)

    def listing(self) -> str:
        """The text of the program, which netsor can read, below its legend as comments."""
        from netsor.show.listing import listing

        return "".join(f"# {line}\n" for line in self.legend) + listing(self.program)


class Networks:
    """The methods of a document that is a network; `program` is its checked core."""

    @property
    def program(self) -> Program:
        raise NotImplementedError

    def backward(self, inputs: Any = None) -> Derived:
        """Forward and backward pass as a program, with `dx` for √n ∂f/∂x (Eqs. 74–78).

        Without `inputs` it is that of one example, whose numbers are given later with `--data ξ=…`; with inputs of
        shape (N, d) or (N, T, d), variables of row i are `h[i]`. Raises NetsorError: not a network (E651), no readout
        (E652), a jump without a derivative (E653), inputs that do not fit (E654, E655).
        """
        from netsor.transform import backward, backward_legend

        return Derived(backward(self.program, inputs), backward_legend(self.program, inputs is None))

    def ntk(
        self,
        inputs: Any,
        inputs2: Any = None,
        method: str = "backward",
        *,
        width: int | None = None,
        seeds: int = 1,
        seed: int = 0,
        tol: float = 1e-10,
        by_parameter: bool = False,
        classes: bool = False,
        budget: float | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Kernels | EmpiricalKernels:
        """NNGP and NTK (Eq. 98) on all rows of `inputs` (N, d) or (N, T, d), against those of `inputs2` if given.

        At infinite width `.ntk.value` has shape (N, M), or (N, M, outputs, outputs), with `.error` bounding
        |value − limit|; `method` is "backward" (Eq. 100) or "paths" (Eq. 96). `tol` is relative to the largest entry;
        entries for which `budget` seconds do not suffice have a larger error, and a warning in `.diagnostics` (W901).
        With a `width` they are the kernels of `seeds` drawn networks, with `.ntk.mean` and `.stderr`. `.nngp` is None
        where the covariance of the outputs is not known (E617 in `.diagnostics`). Raises NetsorError: not a network
        (E609), inputs that do not fit (E654, E655), paths where A2 fails (E611), a kernel that does not exist (E801).
        """
        from netsor.kernels import infer_empirical_kernels, infer_kernels

        if width is not None:
            return infer_empirical_kernels(
                self.program, inputs, inputs2, width=width, seeds=seeds, seed=seed, by_parameter=by_parameter,
                progress=progress,
            )  # fmt: skip
        return infer_kernels(self.program, inputs, inputs2, method, tol, by_parameter, classes, progress, budget)

    def nngp(
        self,
        inputs: Any,
        inputs2: Any = None,
        *,
        width: int | None = None,
        seeds: int = 1,
        seed: int = 0,
        tol: float = 1e-10,
        budget: float | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Covariances | EmpiricalCovariances:
        """The NNGP kernel alone, from the forward pass alone: the nonlinearities need no derivative.

        Arguments and shapes are those of `ntk`; the result has `.value` and `.error`, or with a `width` `.mean` and
        `.stderr`. Raises NetsorError: not a network (E609), inputs that do not fit (E654, E655), a covariance that is
        not known (E617) or does not exist (E801).
        """
        from netsor.kernels import infer_empirical_nngp, infer_nngp

        if width is not None:
            return infer_empirical_nngp(
                self.program, inputs, inputs2, width=width, seeds=seeds, seed=seed, progress=progress
            )
        return infer_nngp(self.program, inputs, inputs2, tol, progress, budget)

    def sgd(
        self,
        inputs: Any,
        targets: Any,
        test: Any = None,
        *,
        steps: int,
        order: Sequence[int] | None = None,
        batch: int = 1,
        lr: float = 1.0,
        loss: Any = None,
        f0: Any = "zero",
        seed: int = 0,
    ) -> Derived:
        """T steps of SGD as one program with the outputs `f[t,i]` and `f̃[t,j]` (Eqs. 79–90).

        Arguments and errors are those of `train`.
        """
        from netsor.train import first_outputs
        from netsor.transform import sgd, sgd_legend
        from netsor.transform.read_loss import read_loss

        if isinstance(loss, str):
            loss = read_loss(loss, len(self.program.readouts))
        start = f0
        if not isinstance(f0, str) or f0 == "gaussian":
            start = first_outputs(self.program, inputs, test, f0, seed).tolist()  # type: ignore[union-attr]
        made = sgd(
            self.program, inputs, targets, test, steps=steps, order=order, batch=batch, lr=lr, loss=loss, f0=start
        )
        return Derived(made, sgd_legend(self.program, start))

    def exact(self, inputs: Any = None, tol: float = 1e-9, budget: float | None = 60.0) -> ExactReport:
        """Every Ż of the program, or of a network's gradient on `inputs`, and its effect on the outputs or the NTK.

        For a network, `.gia` is whether every Ż that pairs the backward with the forward pass vanishes; see
        `netsor.independence.infer_exact`.
        """
        from netsor.independence import infer_exact

        return infer_exact(self.program, inputs, tol, budget)

    def train(
        self,
        inputs: Any,
        targets: Any,
        test: Any = None,
        *,
        steps: int,
        progress: Callable[..., None] | None = None,
        **settings: Any,
    ) -> Training:
        """f_t of SGD in the limit, by kernel gradient descent, and at a width; see `netsor.train.train`.

        The settings are the fields of `netsor.train.TrainingRequest`.
        """
        from netsor.train import TrainingRequest, train

        return train(self.program, inputs, targets, test, TrainingRequest.of(steps=steps, **settings), progress)

    def predict(
        self,
        inputs: Any,
        targets: Any,
        test: Any,
        *,
        kernel: str = "nngp",
        time: float = math.inf,
        noise: float = 0.0,
        **settings: Any,
    ) -> Prediction:
        """Mean, standard deviation and covariance of the outputs on test rows; see `netsor.predict.predict`."""
        from netsor.predict import predict

        return predict(self.program, inputs, targets, test, kernel=kernel, time=time, noise=noise, **settings)
