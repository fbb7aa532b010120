"""What cannot be derived is refused with a diagnostic that says why."""

from __future__ import annotations

import math
import re

import pytest
from test_sgd_identity import ROWS, TARGETS, TEST, mlp, rnn
from writing import Net

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.expr import call, sym
from netsor.transform import backward, backward_legend, instantiate, sgd, sgd_legend, trainable

f, y = sym("f"), sym("y")
network = mlp(1, "W")


def run(**changed):
    given = {"inputs": ROWS, "targets": TARGETS, "test": TEST, "steps": 1, **changed}
    return lambda: sgd(**{"network": network, **given})


@pytest.mark.parametrize(
    ("code", "says", "call_it"),
    [
        ("E701", "only a network", lambda: backward(Program("p"))),
        ("E702", "no readout", lambda: backward(Net("empty", 2).done())),
        ("E704", "(N, 2), not (3, 3)", lambda: instantiate(network, [[1, 2, 3]] * 3)),
        ("E704", "(N, 2), not (2,)", lambda: instantiate(network, [1, 2])),
        ("E704", "(N, 2), not (0,)", lambda: instantiate(network, [])),
        ("E704", "row 2 of the inputs", lambda: instantiate(network, [[1, 2], [3]])),
        ("E704", "(N, 3, 2)", lambda: instantiate(rnn(3), ROWS)),
        ("E704", "the targets", run(targets=[1, 2])),
        ("E704", "(3, 2)", run(network=mlp(2, "W"))),
        ("E704", "f0 should have", run(f0=[1, 2, 3])),
        ("E705", "row 2", lambda: instantiate(network, [[1, 2], [3, math.nan]])),
        ("E705", "the targets", run(targets=[1, math.inf, 2])),
        ("E706", "row 4", run(order=[1, 4])),
        ("E706", "row 0", run(order=[0])),
        ("E707", "the order", run(order=[])),
        ("E707", "steps", run(steps=-1)),
        ("E707", "batch", run(batch=0)),
        ("E707", "learning rate", run(lr=math.nan)),
        ("E707", "f0", run(f0="guess")),
        ("E708", "uses `z`", run(loss=f * sym("z"))),
        ("E708", "does not depend on the output", run(loss=y)),
        ("E708", "jumps", run(loss=call("step", f - y))),
        ("E711", "no parameter", lambda: trainable(mlp(1, "nobody"))),
    ],
)  # fmt: skip
def test_diagnostics(code, says, call_it):
    with pytest.raises(NetsorError, match=re.escape(says)) as caught:
        call_it()
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_no_steps_is_the_first_outputs():
    program = sgd(network, ROWS, TARGETS, TEST, steps=0, f0=[1, 2, 3, 4, 5])
    assert [o.name for o in program.outputs] == ["f[0,1]", "f[0,2]", "f[0,3]", "f̃[0,1]", "f̃[0,2]"]
    assert not program.instructions


def test_legends_say_whose_run_it_is():
    assert "no limit" in sgd_legend(network, "network")[-1]
    assert "nobody's" in sgd_legend(network, "zero", condition=False)[-1]
    assert "v̂" in sgd_legend(network)[-1]
    assert "1 is f1, 2 is f2" in backward_legend(mlp(2))[-1]
