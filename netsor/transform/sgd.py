"""T steps of SGD as one program (D.1.2, Eqs. 79–90, with the generalisations of D.4).

Every variable h of the network has, on every row and at every step, its value h_t, its difference δh_{t+1} = √n
(h_{t+1} − h_t) and, on the rows of a batch, its error signal dh_t = √n ∂f_t/∂h_t. With W = σ_W w/√n and likewise for U
and b, and with w, u, … moving by −η times the gradient of the mean loss of the batch,

    √n ΔW_t = −η χ σ_W² Σ_{g = Wh} dg hᵀ/n     √n ΔU_t ξ̃ = −η χ σ_U² ⟨ξ, ξ̃⟩ dg     √n Δb_t = −η χ σ_b² db,  dv = x

and the program is SGD exactly, at every width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netsor.core import Output, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.expr import Expr, Sym, add, as_expr, mul
from netsor.transform.builder import ROOT_N
from netsor.transform.condition import conditioned
from netsor.transform.examples import Rows, plain, shape_of
from netsor.transform.forward import Instances, instances
from netsor.transform.loss import Loss
from netsor.transform.unroll import Numbers, Unrolling

_MOST_INSTRUCTIONS = 1_000_000


def sgd(
    network: Program,
    inputs: Rows,
    targets: Any,
    test: Rows | None = None,
    *,
    steps: int,
    order: Sequence[int] | None = None,
    batch: int = 1,
    lr: float = 1.0,
    loss: Expr | None = None,
    f0: Any = "zero",
    condition: bool = True,
    residuals: bool = False,
) -> Program:
    """The unrolled program of `steps` steps of SGD, with the outputs f_t of every row at every step.

    Step t takes the next `batch` rows of `order` (counted from 1; by default all rows in turn), which is repeated
    cyclically. `f0` gives the outputs at step 0: a number for every row, training rows first (with several readouts a
    list for every row), "zero", or "network" for vᵀx/√n, which exists at finite width only. Unless it is "network", v̂
    of Eq. 71 replaces v; with `condition=False` v is kept, which has the same limit where E Z^v Z^x = 0 but is not a
    training run at finite width. With `residuals` there are also outputs with f_0 − v̂ᵀx/√n, which is zero where some v
    attains f_0.

    The output `f[t,i]` is f_t on training row i, `f̃[t,j]` on test row j. Raises NetsorError (E651–E662) for a network,
    rows or settings that do not fit.
    """
    made = instances(network, inputs, test)
    readouts = len(made.network.readouts)
    batches = schedule(len(made.row_of), steps, order, batch, len(network.instructions))
    verify_rate(lr)
    table = number_table(targets, len(made.row_of), readouts, "the targets")
    run = Unrolling(made, Loss(loss, readouts), table, lr)
    f = _first_outputs(run, f0)
    hats, lacking = conditioned(made, f) if condition and not _is_network(f0) else ({}, [])
    run.start(f, hats)
    for t, rows in enumerate(batches):
        run.step(t, rows, last=t == steps - 1)
    return run.program(f"{network.name}_sgd", lacking if residuals else ())


@dataclass(frozen=True)
class Beginning:
    """What precedes the first step: the forward passes on all rows, and v̂ (Eq. 71) where f_0 is given.

    `hats` has the name of v̂ for each readout vector v, and `lacking` for each residual f_0 − v̂ᵀx/√n its output and its
    scalar.
    """

    made: Instances
    program: Program
    hats: dict[str, str]
    lacking: dict[str, str]


def beginning(network: Program, inputs: Rows, test: Rows | None, f0: Any) -> Beginning:
    """What precedes the first step of SGD on these rows, with `f0` as in `sgd`. Raises NetsorError as `sgd` does."""
    made = instances(network, inputs, test)
    readouts = len(made.network.readouts)
    run = Unrolling(made, Loss(None, readouts), ((0.0,) * readouts,) * len(made.row_of), 0.0)
    hats, lacking = ({}, []) if _is_network(f0) else conditioned(made, _first_outputs(run, f0))
    return Beginning(
        made,
        made.builder.build(network.name, lacking),
        {v: str(hat.name) for v, hat in hats.items() if isinstance(hat, Sym)},
        {o.name: o.scalar for o in lacking},
    )


@dataclass(frozen=True)
class Directions:
    """The program of steps from the start that move along the gradient of one output on one row, each alone.

    `changes` has, by (row, output) of the gradient, the scalars of the changes of the outputs on every row of data,
    training rows first: a list of outputs for each.
    """

    made: Instances
    program: Program
    changes: dict[tuple[int, int], list[list[str]]]


def directions(
    network: Program, inputs: Rows, test: Rows | None, pulled: Sequence[int], *, condition: bool = True,
    any_rows: bool = False,
) -> Directions:  # fmt: skip
    """A step with a pull of 1 by each output on each of the training rows `pulled` (counted from 1), as one program.

    In the limit all steps of `sgd` are combinations of these: with h_{t+1} = h_t + δh_{t+1}/√n every h_t tends to h_0,
    and δh_{t+1} is linear in the pulls −η χ. `condition` is that of `sgd`, `any_rows` that of `Unrolling`. Raises
    NetsorError as `sgd` does.
    """
    made = instances(network, inputs, test)
    readouts = range(len(made.network.readouts))
    run = Unrolling(made, Loss(None, len(readouts)), ((0.0,) * len(readouts),) * len(made.row_of), 0.0, any_rows)
    f = _first_outputs(run, "zero")
    run.start(f, conditioned(made, f)[0] if condition else {})
    by_example: dict[tuple[int, int], list[list[str]]] = {}
    rows = [(False, i, k) for i, k in enumerate(made.row_of, start=1)]
    rows += [(True, i, k) for i, k in enumerate(made.test_row_of, start=1)]
    for pulled_row in pulled:
        for j in readouts:
            key = (made.row_of[pulled_row - 1], j)
            if key not in by_example:
                t = len(by_example)
                after = run.alone(t, *key)
                by_example[key] = [
                    [made.builder.scalar(run.output_name(is_test, i, m, t + 1, "Δ"), after[k][m]) for m in readouts]
                    for is_test, i, k in rows
                ]
    asked = dict.fromkeys(name for table in by_example.values() for of_row in table for name in of_row)
    program = made.builder.build(f"{network.name}_steps", [Output(x, x) for x in asked], prune=True)
    return Directions(made, program, {(r, j): by_example[made.row_of[r - 1], j] for r in pulled for j in readouts})


def number_table(values: Any, rows: int, columns: int, what: str) -> Numbers:
    """The numbers of each row and readout, from shape (rows,) or (rows, readouts); raises NetsorError (E654, E655)."""
    table = plain(values)
    wanted = f"({rows},)" if columns == 1 else f"({rows}, {columns})"
    each = "a number" if columns == 1 else f"{columns} numbers, one an output,"
    whose = "row, first training and then test rows" if what == "f0" else "row of the inputs"
    hint = f"give {each} for each {whose}: {rows} of them"
    if not isinstance(table, tuple) or len(table) != rows:
        raise NetsorError(derived.wrong_shape(what, wanted, shape_of(table), hint))
    if columns == 1:
        table = tuple(row if isinstance(row, tuple) else (row,) for row in table)
    for r, row in enumerate(table, start=1):
        if shape_of(row) != (columns,):
            raise NetsorError(derived.wrong_shape(what, wanted, shape_of(table), hint))
        if not all(isinstance(x, float) and math.isfinite(x) for x in row):
            raise NetsorError(derived.not_finite(what, f"row {r}"))
    return table


def schedule(
    count: int, steps: int, order: Sequence[int] | None = None, batch: int = 1, lines: int = 1
) -> list[list[int]]:
    """The rows, counted from 1, of the batch of each step: the next `batch` rows of the order, repeated cyclically.

    Raises NetsorError for a row that does not exist (E656), for steps or a batch that are not whole numbers, and where
    the program would have more than a million instructions (E657); each step moves the `lines` variables of the network
    on every row.
    """
    rows = _order(order, count)
    for name, value, least in (("the number of steps", steps, 0), ("the batch size", batch, 1)):
        if not isinstance(value, int) or value < least:
            wanted = f"a whole number, at least {least}"
            raise NetsorError(derived.bad_setting(name, value, wanted, f"take {max(least, 1)}, or more"))
    if steps * batch > _MOST_INSTRUCTIONS or steps * count * lines > _MOST_INSTRUCTIONS:
        raise NetsorError(derived.too_long(steps, batch, steps * max(count * lines, batch)))
    return [[rows[(t * batch + k) % len(rows)] for k in range(batch)] for t in range(steps)]


def verify_rate(lr: float) -> None:
    """Raise NetsorError (E657) for a learning rate that is negative or not finite."""
    if not isinstance(lr, (int, float)) or not math.isfinite(lr) or lr < 0:
        hint = "take 1, which is the default, or less where that diverges"
        raise NetsorError(derived.bad_setting("the learning rate", lr, "a number, at least 0", hint))


def _order(order: Sequence[int] | None, count: int) -> list[int]:
    rows = list(range(1, count + 1)) if order is None else list(order)
    if not rows:
        hint = f"name rows from 1 to {count}; without an order they come in turn"
        raise NetsorError(derived.bad_setting("the order", "empty", "a list of rows", hint))
    for r in rows:
        if int(r) != r or not 1 <= r <= count:
            raise NetsorError(derived.unknown_row(r, count))
    return [int(r) for r in rows]


def _is_network(f0: Any) -> bool:
    return isinstance(f0, str) and f0 == "network"


def _first_outputs(run: Unrolling, f0: Any) -> list[list[Expr]]:
    """f_0 by example and readout: members of 𝒞 (D.1.1), or vᵀx/√n, which is the mean of √n v ⊙ x."""
    made, readouts = run.made, run.network.readouts
    if _is_network(f0):
        out = []
        for k, values in enumerate(made.values):
            heads = [add(*(mul(as_expr(c), values[v], values[x]) for c, v, x in r.terms)) for r in readouts]
            out.append([run.builder.moment(run.example_output(k, j, 0), mul(ROOT_N, h)) for j, h in enumerate(heads)])
        return out
    rows = [*made.row_of, *made.test_row_of]
    if isinstance(f0, str):
        if f0 != "zero":
            wanted, hint = 'a list of numbers, "zero" or "network"', "leave it out, and the outputs start at zero"
            raise NetsorError(derived.bad_setting("f0", repr(f0), wanted, hint))
        f0 = [[0.0] * len(readouts) for _ in rows]
    table = number_table(f0, len(rows), len(readouts), "f0")
    found: dict[int, tuple[int, tuple[float, ...]]] = {}
    for r, (k, numbers) in enumerate(zip(rows, table, strict=True), start=1):
        first, before = found.setdefault(k, (r, numbers))
        if before != numbers:
            raise NetsorError(derived.conflicting_readouts(f"row {first} of f0", f"row {r}"))
    return [
        [run.builder.constant(run.example_output(k, j, 0), found[k][1][j]) for j in range(len(readouts))]
        for k in range(len(made.examples))
    ]
