"""The identity of SGD and its program on networks made at random: W and Wᵀ shared, MOMENTs, any `train`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tape
from core_interpreter import draw, outputs
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import erf, expit, ndtr
from test_backward import networks
from writing import Net

from netsor.core import MatMul, Nonlin, Program, Trained
from netsor.expr import (
    WIDTH,
    Add,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    Star,
    add,
    apply,
    canonical,
    mul,
    power,
    rewrite,
    star,
    star_quotient,
    sym,
)
from netsor.expr.nodes import Function, postorder
from netsor.transform.sgd import sgd

n, T = 6, 3
PARAMETERS = ["W", "V", "U", "U2", "b", "v"]
density = lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi)  # noqa: E731
FUNCTIONS = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "erf": (erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * density(x)),
    "sigmoid": (expit, lambda x: expit(x) * expit(-x)),
    "softplus": (lambda x: np.logaddexp(x, 0), expit),
    "sin": (np.sin, np.cos),
}


def on_tape(psi: Expr, at: dict[str, tape.Var]) -> tape.Var:
    done: dict[Expr, tape.Var] = {}
    for node in postorder(canonical(psi)):
        kids = [done[c] for c in node.children]
        if isinstance(node, Const):
            done[node] = tape.var(node.value)
        elif isinstance(node, Add):
            done[node] = sum(kids[1:], kids[0])
        elif isinstance(node, Mul):
            out = kids[0]
            for k in kids[1:]:
                out = out * k
            done[node] = out
        elif isinstance(node, Pow):
            done[node] = kids[0] ** float(node.exponent.value)
        elif isinstance(node, Call):
            f, slope = FUNCTIONS[node.fn]
            x = kids[0]
            done[node] = tape.Var(f(x.value), ((x, lambda g, x=x, slope=slope: g * slope(x.value)),))
        else:
            done[node] = tape.var(float(n)) if node is WIDTH else at[node.name]
    return done[canonical(psi)]


def model_of(network: Program):
    def model(p, row):
        at = {c.name: tape.var(1 / np.sqrt(n)) for c in network.constants} | dict(p)
        for e in network.embeddings:
            at[e.name] = p[e.matrix] @ row
        for i in network.instructions:
            if isinstance(i, MatMul):
                at[i.name] = (p[i.matrix].T if i.transposed else p[i.matrix]) @ at[i.vector]
            else:
                value = on_tape(i.psi, at)
                at[i.name] = value if isinstance(i, Nonlin) else value.mean()
        out = []
        for r in network.readouts:
            total = tape.var(0.0)
            for c, v, x in r.terms:
                total = total + (at[v] @ at[x]) * (c / np.sqrt(n))
            out.append(total)
        return out

    return model


def scaled_sgd(network: Program, drawn, rows, targets, batches, lr, everything):
    """SGD on W itself with rate η σ²/n and so on, which is SGD with rate η on the unit parameters."""
    model = model_of(network)
    rate = {t.name: (t.multiplier or 0) ** 2 for t in network.train}
    for m in network.matrices:
        rate[m.name] = rate.get(m.name, 0) / n
    report = lambda p: [[float(f.value) for f in model({k: tape.var(w) for k, w in p.items()}, x)] for x in everything]  # noqa: E731
    history = [report(drawn)]
    for batch in batches:
        params = {k: tape.Var(w) for k, w in drawn.items()}
        total = tape.var(0.0)
        for r in batch:
            for f, y in zip(model(params, rows[r]), targets[r], strict=True):
                total = total + (f - float(y)) ** 2 * 0.5
        tape.backpropagate(total / float(len(batch)))
        drawn = {k: w - lr * rate.get(k, 0) * params[k].grad for k, w in drawn.items()}
        history.append(report(drawn))
    return history


def check(network: Program, seed: int, batch: int, lr: float = 0.1) -> bool:
    """Whether there was something to compare: a run that blows up is left alone."""
    rng = np.random.default_rng(seed)
    rows, test = rng.standard_normal((2, 2)), rng.standard_normal((1, 2))
    targets = rng.standard_normal((2, len(network.readouts)))
    drawn = draw(network, n, seed)
    batches = [[(t * batch + k) % 2 for k in range(batch)] for t in range(T)]
    with np.errstate(all="ignore"):
        history = np.array(scaled_sgd(network, drawn, rows, targets, batches, lr, [*rows, *test]))
    if not np.all(np.isfinite(history)) or np.abs(history).max() > 30:
        return False
    found = outputs(sgd(network, rows, targets, test, steps=T, batch=batch, lr=lr, f0="network"), drawn, n)
    for t in range(T + 1):
        for k, name in enumerate([f"f[{t},1]", f"f[{t},2]", f"f̃[{t},1]"]):
            for j, r in enumerate(network.readouts):
                value = found[name[:-5] + r.name[1:] + name[-5:]]
                np.testing.assert_allclose(value, history[t][k][j], rtol=1e-8, atol=1e-9)
    return True


@settings(max_examples=60, deadline=None)
@given(networks(), st.sets(st.sampled_from(PARAMETERS), min_size=1), st.integers(0, 2**31), st.integers(1, 3))
def test_random_networks(network, names, seed, batch):
    trained = tuple(Trained(name, 0.5 + 0.25 * k) for k, name in enumerate(sorted(names)))
    assume(check(replace(network, train=trained), seed, batch))


def test_a_network_with_psi_star_and_n_in_it():
    m = Net("star", 2)
    m.matrix("W")
    m.vector("v")
    e, θ = sym(("ψ*", "e")), power(WIDTH, Const(-0.5))
    φ = Function("φ", (sym("u"),), mul(sym("u"), power(sym("u") ** 2 + 1, Const(-0.5))))
    g = m.embed("g", "U")
    d = m.mm("h", "W", m.nl("z", apply(φ, [g])))
    m.nl("x", add(star(e, apply(φ, [g + mul(d, e)]), θ), mul(θ, d**2)))
    m.readout("f", (1.0, "v", "x"))
    network = m.done(("W", 1.0), ("U", 0.5), ("v", 1.5))
    quotient = network.instructions[-1]
    assert isinstance(quotient, Nonlin)
    plain = rewrite(quotient.psi, lambda x: star_quotient(x) if isinstance(x, Star) else x)
    written_out = replace(network, instructions=(*network.instructions[:-1], replace(quotient, psi=plain)))
    assert check(written_out, 5, 1)
    rows, drawn = [[1, 2], [0.5, -1]], draw(network, n, 5)
    programs = [sgd(x, rows, [1, 2], steps=T, f0="network") for x in (network, written_out)]
    first, second = (outputs(p, drawn, n) for p in programs)
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=1e-9)
    # The ψ* of a ψ* binds a name of its own.
    δx = programs[0].by_name["δx_1[1]"]
    assert len({node.bound for node in postorder(δx.psi) if isinstance(node, Star)}) == 2
