"""Difference quotients across jumps and functions of them, against closed forms and integration at 1/√n = 10⁻⁵."""

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, qmc

import netsor

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
PHI0 = 1 / math.sqrt(2 * math.pi)
QUOTIENT = "y := √n (step(h + 1/√n) - step(h))\n"
TANH = quad(lambda z: math.tanh(z + 1) * norm.pdf(z), -12, 12)[0]


@pytest.mark.parametrize(
    "lines, truth",
    [
        # Beside a quotient that is taken apart by the sign of h.
        ("y := √n (step(h + x^2/√n) - step(h)) + √n (relu(relu(h) + x/√n) - relu(h))", 1.5 * PHI0),
        # Where the distance to the jump jumps itself.
        ("y := √n (step(h - step(h)/√n) - step(h))", -PHI0),
        ("y := √n (step(h - x*step(h)/√n) - step(h))", -(PHI0**2)),
        ("y := √n (step(h + (1 - 2*step(h))/√n) - step(h))", 0.0),
        # Jumps of what has a kink elsewhere.
        ("y := √n (sign(abs(h + 1/√n) - 0.5) - sign(abs(h) - 0.5)) * h", 2 * norm.pdf(0.5)),
        ("y := √n (step(relu(h + x^2/√n) - 1) - step(relu(h) - 1))", norm.pdf(1)),
        # Functions of what jumps.
        ("y := √n (tanh(step(h + 1/√n)) - tanh(step(h)))", PHI0 * math.tanh(1)),
        ("y := √n (tanh(z + step(h + 1/√n) - step(h)) - tanh(z))", PHI0 * TANH),
        ("y := √n (step(h + x/√n)*step(h + z/√n) - step(h)*step(h))", -PHI0 / math.sqrt(math.pi)),
        # Functions of a quotient.
        (f"{QUOTIENT}u := y^2/√n", PHI0),
        (f"{QUOTIENT}u := relu(y)", PHI0),
        (f"{QUOTIENT}u := √n (tanh(z + y/√n) - tanh(z))", PHI0 * TANH),
        ("y := √n (sign(h + x*sign(h)/√n) - sign(h))\nu := relu(y)", 2 * PHI0**2),
        # Quotients that lie on a kink where another kink is not met.
        ("p := √n (clip(h + x/√n, -1, 1) - clip(h, -1, 1))\ny := √n (abs(p + z/√n) - abs(p))", 4 * PHI0 * norm.sf(1)),
        ("p := √n (relu(h + x/√n) - relu(h))\ny := √n (relu(p + abs(z)/√n) - relu(p))", 1.5 * PHI0),
    ],
)
def test_jumps_that_are_crossed(lines: str, truth: float) -> None:
    last = lines.split("\n")[-1].split(" ")[0]
    found = netsor.loads(f"vector h, x, z ~ N(0, 1)\n{lines}\noutput o := mean({last})\n").limit()["o"]
    assert found.value is not None and found.error is not None
    assert found.value == pytest.approx(truth, abs=max(found.error, 1e-15)) and found.error < 1e-9


@pytest.mark.parametrize("quotient", ["step(h + 1/√n) - step(h)", "sign(h + x*sign(h)/√n) - sign(h)"])
def test_products_with_quotients_across_jumps_do_not_exist(quotient: str) -> None:
    text = f"matrix W\nvector h, x ~ N(0, 1)\ny := √n ({quotient})\noutput o := mean(relu(W y))\n"
    (fault,) = netsor.loads(text).limit().diagnostics
    assert fault.code == "E801" and "the mean of y², grows like √n" in fault.message


def test_products_with_steps_that_move_exist() -> None:
    text = "matrix W\nvector h, x ~ N(0, 1)\ny := step(h + x/√n)\ng := W y\noutput o := mean(g*g)\n"
    assert netsor.loads(text).limit()["o"].value == pytest.approx(0.5, abs=1e-12)


_DISTANCES = ("x", "z", "1", "-1", "x*z", "relu(x)", "x^2", "(x - z)", "tanh(z)", "step(h - {t})", "sign(h - {t})*x")
_X, _Z = norm.ppf(qmc.Sobol(2, scramble=False).random(256) + 1 / 512).T
_WIDTH = 12.0


def _jump(r: random.Random, t: str) -> str:
    distance = r.choice(_DISTANCES).format(t=t)
    u = f"(h - {t} + EPS*({distance}))"
    return r.choice([f"step({u})", f"step({u})", f"sign({u})", f"relu({u})", f"abs({u})", f"step(h - {t})"])


def _of_jumps(r: random.Random, t: str, depth: int) -> str:
    if depth == 0 or r.random() < 0.2:
        return _jump(r, t) if r.random() < 0.8 else r.choice(["x", "z", "h", "1.5"])
    a, b = (_of_jumps(r, t, depth - 1) for _ in range(2))
    return r.choice([f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"tanh({a})", f"sin({a} + x)", f"max({a}, {b})"])


def _quotient(seed: int) -> tuple[str, str, float]:
    r = random.Random(seed)
    t = r.choice(["0", "0.5", "-1"])
    while "EPS" not in (made := _of_jumps(r, t, 2)):
        pass
    return made, r.choice(["1", "x", "tanh(h + z)"]), float(t)


def _integrated(f: Callable[..., Array], weight: Callable[..., Array], t: float, eps: float) -> float:
    """E (f(ε) − f(0)) w / ε: in h by midpoints within 12 ε of the jump and Gauss's rule elsewhere."""

    def at(h: Array) -> Array:
        args = (h[:, None], _X[None, :], _Z[None, :])
        change = (f(*args, eps) - f(*args, 0.0)) / eps * weight(*args)
        return np.mean(change, axis=1) * norm.pdf(h)

    count = 4000
    tau = (np.arange(count) + 0.5) / count * 2 * _WIDTH - _WIDTH
    total = float(at(t + eps * tau).sum()) * eps * 2 * _WIDTH / count
    nodes, weights = np.polynomial.legendre.leggauss(60)
    ends = sorted({-8.0, 8.0, t - _WIDTH * eps, t + _WIDTH * eps})
    for low, high in itertools.pairwise(ends):
        if high - low > 3 * _WIDTH * eps:
            half = (high - low) / 2
            total += float((at((low + high) / 2 + half * nodes) * weights).sum()) * half
    return total


_NUMPY = {
    "step": lambda u: np.where(u > 0, 1.0, 0.0),
    "sign": np.sign,
    "relu": lambda u: np.maximum(u, 0.0),
    "abs": np.abs,
    "tanh": np.tanh,
    "sin": np.sin,
    "max": np.maximum,
}


def _compiled(text: str, names: str) -> Callable[..., Array]:
    function: Callable[..., Array] = eval(f"lambda {names}: ({text.replace('^', '**')}) + 0*h*x", dict(_NUMPY))
    return function


@pytest.mark.parametrize("seed", range(12))
def test_random_quotients_across_jumps(seed: int) -> None:
    made, weight, t = _quotient(seed)
    ahead, here = made.replace("EPS", "1/√n"), made.replace("EPS", "0")
    text = f"vector h, x, z ~ N(0, 1)\ny := √n (({ahead}) - ({here}))\noutput o := mean(y * {weight})\n"
    found = netsor.loads(text).limit(tol=1e-4, budget=10)["o"]
    truth = _integrated(_compiled(made, "h, x, z, EPS"), _compiled(weight, "h, x, z"), t, 1e-5)
    assert found.value is not None and found.error is not None, text
    assert found.value == pytest.approx(truth, rel=0.05, abs=0.03 + found.error), text
