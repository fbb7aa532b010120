"""The methods of a document that is a network: its backward pass, its kernels and its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netsor.core import Program
from netsor.diagnostics import Diagnostic
from netsor.runnable import Runnable
from netsor.shown import Shown

if TYPE_CHECKING:
    from netsor.independence import ExactReport
    from netsor.kernels import Covariances, EmpiricalCovariances, EmpiricalKernels, Kernels
    from netsor.predict import Prediction
    from netsor.train import Training


@dataclass(frozen=True, repr=False)
class Derived(Runnable, Shown):
    """A program made from a network, the legend of its names, and what is to be said of it."""

    program: Program = field()
    legend: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = field(default=(), repr=False)

    def listing(self) -> str:
        """The text of the program, which netsor can read, below its legend as comments."""
        return "".join(f"# {line}\n" for line in self.legend) + super().listing()


class Networks:
    """The methods of a document that is a network; `program` is its checked core."""

    @property
    def program(self) -> Program:
        raise NotImplementedError

    def on(self, inputs: Any) -> Derived:
        """The network on rows of inputs, (N, d) or (N, T, d), as a program whose outputs are its kernels.

        `nngp[i,j]` is the covariance of the outputs on rows i ≤ j at initialization, where they are a Gaussian
        process, and `ntk[i,j]` the inner product of the gradients (Eq. 98); of several outputs the numbers a, b follow.
        Variables of row i are `h[i]`. See `netsor.kernels.programs.kernel_program` for what it raises.
        """
        from netsor.kernels.programs import kernel_program

        made = kernel_program(self.program, inputs)
        return Derived(made.program, made.legend, made.diagnostics)

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
        progress: Callable[..., None] | None = None,
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
        progress: Callable[..., None] | None = None,
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
        from netsor.kernels.pairs import flat_rows
        from netsor.train import first_outputs
        from netsor.transform import sgd, sgd_legend
        from netsor.transform.read_loss import read_loss
        from netsor.transform.sgd import schedule

        if isinstance(loss, str):
            loss = read_loss(loss, len(self.program.readouts))
        start = f0
        if not isinstance(f0, str) or f0 == "gaussian":
            # Before kernels are computed: a program of too many steps is refused.
            schedule(len(flat_rows(self.program, inputs)), steps, order, batch, len(self.program.instructions))
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
