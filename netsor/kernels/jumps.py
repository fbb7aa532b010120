"""Networks whose kernels at finite width do not tend to the computed ones: they jump in a parameter at its limit, or
have a scalar without a value."""

from __future__ import annotations

import numpy as np

from netsor.check.kinks import patterns
from netsor.core import MatMul, Program
from netsor.diagnostics import NetsorError
from netsor.kernels.pairs import Template, named_examples, shaped_rows
from netsor.limit import Limit
from netsor.limit.jumps import Jumps
from netsor.transform.backward import passes
from netsor.transform.forward import instances

# The most inputs that are examined, those with different patterns of zero rows first.
_MOST = 8


def verify_no_jump(network: Program, template: Template | None, inputs: np.ndarray, backward: bool) -> None:
    """Raise NetsorError where an instruction of the forward or backward pass jumps in a parameter (E803), or a scalar
    in it has no value (E802).

    The template decides whether this is possible, and the inputs themselves whether it happens.
    """
    if template is None:
        return
    general = template.evaluator.limit
    if not general.has_doubts and not general.meets_jumps and not Jumps(general).suspects:
        return
    named = named_examples(network, inputs)
    kinds = patterns(network, named)
    for example in (*kinds, *(e for e in named if not any(e is k for k in kinds)))[:_MOST]:
        where = next(k for k, e in enumerate(named) if e is example)
        rows = shaped_rows(network, inputs[[where]])
        made = passes(network, rows) if backward else instances(network, rows)
        limit = Limit(made.builder.build(network.name))
        limit.build_all()
        jumps = Jumps(limit)
        for i in limit.program.instructions:
            kernel = f"{'NTK' if backward else 'NNGP'} of `{network.name}`"
            said = None if isinstance(i, MatMul) else jumps.told(i, kernel)
            if said is not None:
                raise NetsorError(said)
            limit.verify(i.name)
            limit.verify_known(i.name)
