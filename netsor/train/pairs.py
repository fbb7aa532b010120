"""The changes of the outputs by steps from the start, for all pairs of rows at once.

What a step on a row r does to the outputs on a row x depends on these two rows alone, where v̂ of Eq. 71 tends to v. So
the program of `netsor.transform.sgd.directions` is written for two rows, and its limits are taken in arrays over all
pairs, as those of kernels are. A change is ∇f(x)·∇f(r) in the limit, so that a pair is computed once.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from netsor.core import Program
from netsor.expr import sym
from netsor.gaussian.problem import Clock
from netsor.kernels.by_entry import has_uniform_inputs
from netsor.kernels.kernel import existence
from netsor.kernels.pairs import Template, infer_pairs, inputs_of, sides, stand_in_rows
from netsor.kernels.tables import Asked, Kernel, Request, tabulate
from netsor.limit import Limit
from netsor.limit.many.evaluator import Evaluator
from netsor.transform.backward import Passes
from netsor.transform.parameters import trainable
from netsor.transform.sgd import directions

Array = np.ndarray


def depends_on_pairs(network: Program) -> bool:
    """Whether inputs act through U ξ that are Gaussian, so that a change depends on products of two rows alone."""
    trained = trainable(network).input_matrices
    return not has_uniform_inputs(network) and all(network.input_matrix[u].variance for u in trained)


def changes_of_pairs(network: Program, pulled: Array, rows: Array, tol: float, clock: Clock) -> Kernel:
    """The limits of the changes on `rows` (N, D) by steps on the rows `pulled` (M, D), shape (M, N, outputs, outputs).

    The outputs are first that of the step, then the one that changes. Raises NetsorError (E801, E804) where a change
    has no limit or was not computed, and TimeOver.
    """
    same = pulled.shape == rows.shape and bool((pulled == rows).all())
    pairs = infer_pairs(pulled, None if same else rows)
    stand_ins = stand_in_rows(network, 1 + pairs.across(), rows.shape[1])
    steps = directions(network, stand_ins, None, [1], condition=False, any_rows=True)
    made = Passes(**vars(steps.made))
    count = range(len(network.readouts))
    guard = partial(existence, network, "change by a step")
    with guard():
        evaluator = Evaluator(Limit(steps.program), sides(made), tol)

        def asked(example: int) -> Asked:
            return {"": [[evaluator.moment(sym(steps.changes[1, j][example][m])) for m in count] for j in count]}

        own = asked(0) if len(pairs.own) else {}
        across = Template(made, evaluator, inputs_of(network, made, pairs.inputs), (0, 1)) if pairs.across() else None
        request = Request({} if across is None else asked(1), own, guard)
    within = Template(made, evaluator, inputs_of(network, made, pairs.inputs[pairs.own]), (0, 0)) if own else None
    found = tabulate(pairs, across, within, [request], len(count), clock)[0][""]
    shape = (len(pulled), len(rows), len(count), len(count))
    return Kernel(found.value.reshape(shape), found.error.reshape(shape))
