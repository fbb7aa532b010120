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
        ("E651", "only a network", lambda: backward(Program("p"))),
        ("E652", "no readout", lambda: backward(Net("empty", 2).done())),
        ("E654", "(N, 2), not (3, 3)", lambda: instantiate(network, [[1, 2, 3]] * 3)),
        ("E654", "(N, 2), not (2,)", lambda: instantiate(network, [1, 2])),
        ("E654", "(N, 2), not (0,)", lambda: instantiate(network, [])),
        ("E654", "row 2 of the inputs", lambda: instantiate(network, [[1, 2], [3]])),
        ("E654", "(N, 3, 2)", lambda: instantiate(rnn(3), ROWS)),
        ("E654", "the targets", run(targets=[1, 2])),
        ("E654", "(3, 2)", run(network=mlp(2, "W"))),
        ("E654", "f0 should have", run(f0=[1, 2, 3])),
        ("E655", "row 2", lambda: instantiate(network, [[1, 2], [3, math.nan]])),
        ("E655", "the targets", run(targets=[1, math.inf, 2])),
        ("E656", "row 4", run(order=[1, 4])),
        ("E656", "row 0", run(order=[0])),
        ("E657", "the order", run(order=[])),
        ("E657", "steps", run(steps=-1)),
        ("E657", "batch", run(batch=0)),
        ("E657", "a million is the most", run(steps=10**9)),
        ("E657", "a million is the most", run(batch=10**9)),
        ("E657", "learning rate", run(lr=math.nan)),
        ("E657", "f0", run(f0="guess")),
        ("E658", "uses `z`", run(loss=f * sym("z"))),
        ("E658", "does not depend on the output", run(loss=y)),
        ("E658", "jumps", run(loss=call("step", f - y))),
        ("E661", "not a parameter", lambda: trainable(mlp(1, "nobody"))),
    ],
)  # fmt: skip
def test_diagnostics(code, says, call_it):
    with pytest.raises(NetsorError, match=re.escape(says)) as caught:
        call_it()
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert all(d.hint for d in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("hint", "wrong", "mended"),
    [
        ("`ξ : 3`", {"inputs": [[1, 2, 3]] * 3}, {"inputs": [[1, 2]] * 3}),
        ("`[[…]]`", {"inputs": [1, 2], "targets": [1]}, {"inputs": [[1, 2]], "targets": [1], "f0": [0] * 3}),
        ("a number for each row of the inputs: 3", {"targets": [1, 2]}, {"targets": [1, 2, 3]}),
        ("first training and then test rows: 5", {"f0": [1, 2, 3]}, {"f0": [1, 2, 3, 4, 5]}),
        ("from 1 to 3, such as 3", {"order": [4]}, {"order": [3]}),
        ("take 1, or more", {"steps": -1}, {"steps": 1}),
        ("take 1, or more", {"batch": 0}, {"batch": 1}),
        ("take 1,", {"lr": -1}, {"lr": 1}),
        ("leave it out", {"f0": "guess"}, {}),
    ],
)
def test_what_a_hint_offers_is_accepted(hint, wrong, mended):
    with pytest.raises(NetsorError) as caught:
        run(**wrong)()
    assert hint in (caught.value.diagnostics[0].hint or "")
    assert run(**mended)().outputs


def test_no_steps_is_the_first_outputs():
    program = sgd(network, ROWS, TARGETS, TEST, steps=0, f0=[1, 2, 3, 4, 5])
    assert [o.name for o in program.outputs] == ["f[0,1]", "f[0,2]", "f[0,3]", "f̃[0,1]", "f̃[0,2]"]
    assert not program.instructions


def test_legends_say_whose_run_it_is():
    own = sgd_legend(network, "network")
    assert "no limit" in own[-3] and "--width" in own[-2] and "E501" in own[-1]
    assert "nobody's" in sgd_legend(network, "zero", condition=False)[-1]
    assert "v̂" in sgd_legend(network)[-1]
    assert "1 is f1, 2 is f2" in backward_legend(mlp(2))[-1]
