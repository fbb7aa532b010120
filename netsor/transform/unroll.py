"""The steps of SGD written into a program one after the other (D.1.2); called by `netsor.transform.sgd`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netsor.core import DataRef, Embedding, MatMul, Nonlin, Output, Program, data_number
from netsor.core.program import Row
from netsor.expr import ONE, ZERO, Const, Expr, add, as_expr, mul, sym
from netsor.transform.backward import Backward
from netsor.transform.builder import ONE_OVER_ROOT_N, difference
from netsor.transform.examples import inner
from netsor.transform.forward import Instances, Values
from netsor.transform.loss import Loss
from netsor.transform.names import Stamp, member, split
from netsor.transform.parameters import moving, trainable
from netsor.transform.weights import RankOne, Weights

Numbers = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Pull:
    """A term of a step: readout `output` on an example is moved along its gradient, times `amount`, −η χ of Eq. 85."""

    example: int
    output: int
    amount: Expr


@dataclass(frozen=True)
class _InputStep:
    """A term of √n ΔU_t = Σ c dg ξᵀ: the matrix U, c dg, U ξ, the numbers of ξ, and the place of ξ in the data."""

    matrix: str
    change: Expr
    vector: Expr
    row: Row
    stamp: Stamp
    source: DataRef


class Unrolling:
    """The program under construction, with the values of the network's variables on every example at the present step.

    `now[k]` are the values on example k, v̂ and moved parameters included; `f[k][j]` is readout j on it. With `any_rows`
    ⟨ξ, ξ̃⟩ is written as E Z^{Uξ} Z^{Uξ̃}/σ_U², so that the limits of the program are formulas for rows of all numbers.
    """

    def __init__(self, made: Instances, loss: Loss, targets: Numbers, lr: float, any_rows: bool = False):
        self.made, self.network, self.builder, self.names = made, made.network, made.builder, made.builder.names
        self.loss, self.targets, self.any_rows = loss, targets, any_rows
        self.lr: Expr = as_expr(lr) if lr in (0, 1) else self.builder.constant(self.names.fresh("η"), lr)
        self.trained = trainable(self.network)
        self.moving = moving(self.network, self.trained)
        self.backward = Backward(made, self.moving)
        self.weights = Weights(self.builder)
        self.now: list[Values] = [dict(v) for v in made.values]
        self.f: list[list[Expr]] = []
        self.history: list[list[list[Expr]]] = []
        self._first = self.now
        self._products: dict[str, Expr] = {}

    @property
    def several(self) -> bool:
        return len(self.network.readouts) > 1

    def start(self, f: list[list[Expr]], hats: Values) -> None:
        """Start with the outputs `f`, and with `hats` in place of the readout vectors."""
        self.f = f
        self.history.append(f)
        for values in self.now:
            values.update(hats)
        self._first = self.now

    def step(self, t: int, rows: Sequence[int], last: bool = False) -> None:
        """Step t on a batch of rows: loss derivatives, backward passes, and the changes of every example."""
        self._move(t, self._pulls(t, rows), last)
        self.history.append(self.f)

    def alone(self, t: int, example: int, output: int) -> list[list[Expr]]:
        """The changes √n Δx of all outputs on all examples by a step from the start with one pull of 1, named as t."""
        self.now = self._first
        self.weights.restart()
        self.f = [[ZERO] * len(self.network.readouts) for _ in self.made.examples]
        self._move(t, iter((Pull(example, output, ONE),)), last=True)
        return self.f

    def _pulls(self, t: int, rows: Sequence[int]) -> Iterator[Pull]:
        for r, times in Counter(rows).items():
            k = self.made.row_of[r - 1]
            for j in range(len(self.network.readouts)):
                # Gradients are averaged over the batch: −η χ of the paper, times the share of the row in the batch.
                yield Pull(k, j, mul(Const(-times / len(rows)), self.lr, self._chi(t, r, k, j)))

    def _move(self, t: int, pulls: Iterator[Pull], last: bool) -> None:
        """What the pulls of step t do to the parameters, to the variables of every example, and to the outputs."""
        matrices: dict[str, list[RankOne]] = {}
        inputs: list[_InputStep] = []
        vectors: dict[str, list[Expr]] = {}
        for pull in pulls:
            if pull.amount is ZERO:
                continue
            k, readout = pull.example, self.network.readouts[pull.output]
            stamp = self.made.examples[k].stamp.at(t).toward(pull.output + 1 if self.several else None)
            errors = self.backward.errors(readout.terms, self.now[k], stamp, self.weights.product)
            self._matrix_steps(k, pull.amount, errors, matrices)
            self._input_steps(k, pull.amount, errors, inputs)
            for b in self.trained.vectors:
                vectors.setdefault(b, []).append(mul(pull.amount, errors.get(b, ZERO)))
        self.weights.step(matrices)
        moved, after = self._move_vectors(t, vectors)
        f: list[list[Expr]] = []
        following: list[Values] = []
        for k in range(len(self.made.examples)):
            delta, then = self._move_example(t, k, inputs, moved, after, last)
            f.append(self._move_outputs(t, k, delta, after))
            following.append(then)
        self.now = following
        self.f = f

    # --- what the batch does to the parameters ----------------------------------------------------------------

    def _chi(self, t: int, r: int, k: int, j: int) -> Expr:
        """χ_t = ℒ'(f_t) (Eq. 85) of row r, which is example k, in readout j."""

        def index(m: int) -> tuple[int, ...]:
            return (r, m + 1) if self.several else (r,)

        y = self.names.fresh("y", ("y",))
        slope = self.loss.derivative(
            j, self.f[k], lambda m: self.builder.constant(member(y, *index(m)), self.targets[r - 1][m])
        )
        return self.builder.moment(self.names.scalar("χ", "", (t, *index(j))), slope)

    def _matrix_steps(self, k: int, pull: Expr, errors: Values, out: dict[str, list[RankOne]]) -> None:
        """The terms −η χ σ_W² dg hᵀ for g = W h, and −η χ σ_W² h dgᵀ for g = Wᵀ h (Eqs. 73, 126)."""
        for i in self.network.instructions:
            if not isinstance(i, MatMul) or i.matrix not in self.trained.matrices or i.name not in errors:
                continue
            c = mul(Const(self.trained.matrices[i.matrix]), pull)
            g, h = errors[i.name], self.now[k][i.vector]
            if c is not ZERO and h is not ZERO:
                out.setdefault(i.matrix, []).append(RankOne(c, h, g) if i.transposed else RankOne(c, g, h))

    def _input_steps(self, k: int, pull: Expr, errors: Values, out: list[_InputStep]) -> None:
        """The terms −η χ σ_U² dg ξᵀ for g = U ξ (D.4.1)."""
        example = self.made.examples[k]
        for e in self.network.embeddings:
            if e.matrix in self.trained.input_matrices and e.name in errors:
                change = mul(Const(self.trained.input_matrices[e.matrix]), pull, errors[e.name])
                source, row = example.sources[e.source]
                out.append(_InputStep(e.matrix, change, self._first[k][e.name], row, example.stamp, source))

    def _move_vectors(self, t: int, pulls: dict[str, list[Expr]]) -> tuple[Values, Values]:
        """δb_{t+1} = −η χ C db for trained vectors of covariance C, and b_{t+1} = b_t + δb_{t+1}/√n."""
        stamp = Stamp(t + 1)
        moved: Values = {}
        after: Values = {}
        for b, covariances in self.trained.vectors.items():
            change = add(*(mul(Const(c), p) for other, c in covariances for p in pulls.get(other, ())))
            if change is ZERO:
                continue
            moved[b] = self.builder.nonlin(self.names.of(b, stamp, "δ"), change)
            after[b] = self._after(b, stamp, self.now[0][b], moved[b])
        return moved, after

    # --- what that does to an example -------------------------------------------------------------------------

    def _move_example(
        self, t: int, k: int, inputs: Sequence[_InputStep], moved: Values, after: Values, last: bool
    ) -> tuple[Values, Values]:
        """δh_{t+1} and h_{t+1} of every variable of the network on example k; zero differences are left out."""
        now, builder, names = self.now[k], self.builder, self.names
        stamp = self.made.examples[k].stamp.at(t + 1)
        delta: Values = dict(moved)
        then: Values = {**now, **after}

        def move(x: str, change: Expr, is_scalar: bool = False) -> None:
            if change is ZERO:
                return
            make = builder.moment if is_scalar else builder.nonlin
            delta[x] = make(names.of(x, stamp, "δ"), change)
            if not last:
                then[x] = self._after(x, stamp, now[x], delta[x], is_scalar)

        for e in self.network.embeddings:
            move(e.name, self._embedding_change(k, e, inputs))
        for i in self.network.instructions:
            if i.name not in self.moving:
                continue
            if isinstance(i, MatMul):
                move(i.name, self._product_change(i, stamp, now[i.vector], delta.get(i.vector, ZERO)))
            else:
                arguments = (*i.vectors, *i.scalars)
                at = {sym(x): now[x] for x in arguments}
                # Eqs. 82–84; the scalars of D.4.5 move too, δa = √n (a_{t+1} − a_t).
                change = difference(i.psi, at, {sym(x): delta[x] for x in arguments if x in delta})
                move(i.name, change, not isinstance(i, Nonlin))
        return delta, then

    def _embedding_change(self, k: int, e: Embedding, inputs: Sequence[_InputStep]) -> Expr:
        """√n ΔU_t ξ̃ = −η Σ χ σ_U² ⟨ξ, ξ̃⟩ dg."""
        steps = [step for step in inputs if step.matrix == e.matrix]
        return add(*(mul(self._inner(k, e, step), step.change) for step in steps))

    def _inner(self, k: int, e: Embedding, step: _InputStep) -> Expr:
        """⟨ξ, ξ̃⟩ of the row of a step and that of example k."""
        reference, row = self.made.examples[k].sources[e.source]
        at = step.source
        base = self.names.fresh(at.name + reference.name, ("inner", at.name, reference.name))
        name = member(base, *at.row, *reference.row)
        if self.any_rows:
            if name not in self._products:
                square = Const(1 / self.network.input_matrix[e.matrix].variance)
                self._products[name] = self.builder.moment(name, mul(square, step.vector, self._first[k][e.name]))
            return self._products[name]
        value = inner(step.row, row)
        return ZERO if value == 0 else self.builder.constant(name, data_number(value, at, reference))

    def _product_change(self, i: MatMul, stamp: Stamp, h: Expr, delta: Expr) -> Expr:
        """√n (W_{t+1} h_{t+1} − W_t h_t) (Eq. 79)."""
        name = self.names.product(i.matrix, i.transposed, i.vector, stamp, "δ")
        alone = self.names.of(i.name, stamp, "δ")
        return self.weights.difference(i.matrix, i.transposed, h, delta, name, alone)

    def _after(self, x: str, stamp: Stamp, now: Expr, delta: Expr, is_scalar: bool = False) -> Expr:
        """h_{t+1} = h_t + δh_{t+1}/√n (one step of the sum in Eq. 86)."""
        make = self.builder.moment if is_scalar else self.builder.nonlin
        return make(self.names.of(x, stamp), add(now, mul(delta, ONE_OVER_ROOT_N)))

    def _move_outputs(self, t: int, k: int, delta: Values, after: Values) -> list[Expr]:
        """f_{t+1} − f_t = v_{t+1}ᵀ δx_{t+1}/n + √n (v_{t+1} − v_t)ᵀ x_t/n (Eqs. 85, 123)."""
        now = self.now[k]
        out: list[Expr] = []
        for j, r in enumerate(self.network.readouts):
            parts = []
            for c, v, x in r.terms:
                w = after.get(v, add(now[v], mul(delta[v], ONE_OVER_ROOT_N)) if v in delta else now[v])
                parts.append(mul(as_expr(c), w, delta.get(x, ZERO)))
                parts.append(mul(as_expr(c), delta.get(v, ZERO), now[x]))
            change = self.builder.moment(self.example_output(k, j, t + 1, "Δ"), add(*parts))
            out.append(self.builder.moment(self.example_output(k, j, t + 1), add(self.f[k][j], change)))
        return out

    # --- names and outputs ------------------------------------------------------------------------------------

    def output_name(self, test: bool, i: int, j: int, t: int, symbol: str = "") -> str:
        """The name of f_t on a row, `f[t,i]` or `f̃[t,i]`, or of its difference, `Δf[t,i]`."""
        base, indices = split(self.network.readouts[j].name)
        return self.names.scalar(symbol, base, (*indices, t, i), test)

    def example_output(self, k: int, j: int, t: int, symbol: str = "") -> str:
        """The name of f_t on example k, which is that of the first row with its numbers."""
        stamp = self.made.examples[k].stamp
        assert stamp.row is not None
        return self.output_name(stamp.test, stamp.row, j, t, symbol)

    def outputs(self) -> list[Output]:
        """f_t on every row at every step, training rows first."""
        out: list[Output] = []
        for t, f in enumerate(self.history):
            for test, rows in ((False, self.made.row_of), (True, self.made.test_row_of)):
                for i, k in enumerate(rows, start=1):
                    for j in range(len(self.network.readouts)):
                        name = self.output_name(test, i, j, t)
                        out.append(Output(name, self.builder.scalar(name, f[k][j])))
        return out

    def program(self, name: str, more: Iterable[Output] = ()) -> Program:
        """The program without the instructions that no output needs, with `more` outputs at the end."""
        return self.builder.build(name, [*self.outputs(), *more], prune=True)
