"""Kernels of networks that jump in a parameter at its limit: no kernel of a finite width tends to what is computed."""

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

# So many inputs that differ in which of their rows vanish are looked at.
_MOST = 8


def verify_no_jump(network: Program, template: Template | None, inputs: np.ndarray, backward: bool) -> None:
    """Raises NetsorError (E803) where a line of the forward pass, or of the backward pass, jumps in a parameter.

    Whether one can is seen from the template; where it does is asked of the inputs themselves.
    """
    if template is None or not Jumps(template.evaluator.limit).suspects:
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
