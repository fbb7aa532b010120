"""Many layers and many steps: limits against recursions in 40 digits, with bounds that do not grow with depth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import mpmath
import pytest

import netsor
from netsor.gaussian import Unsettled
from netsor.gaussian.law.rational import rounded
from netsor.limit import LimitResult

AMP = Path(__file__).parents[2] / "programs" / "amp.netsor"
PAIR = """
matrix W[1..{L}] ~ N(0, 2/n)
vector x[0, 1], x[0, 2] ~ N(0, [[1, 0.5], [0.5, 1]])
for l in 1..{L}:
    for i in 1..2:
        x[l, i] := W[l] relu(x[l-1, i])
output k := mean(x[{L}, 1] * x[{L}, 2])
"""
ERF = """
matrix W[1..{L}] ~ N(0, 1.5/n)
vector b[1..{L}] ~ N(0, 0.1)
vector x[0, 1], x[0, 2] ~ N(0, [[1, 0.5], [0.5, 2]])
for l in 1..{L}:
    for i in 1..2:
        x[l, i] := W[l] erf(x[l-1, i]) + b[l]
output k := mean(x[{L}, 1] * x[{L}, 2])
"""


def verify(result: LimitResult, name: str, right: mpmath.mpf, most: float) -> None:
    found = result[name]
    assert found.error is not None and abs(mpmath.mpf(found.value) - right) <= found.error <= most


@pytest.mark.parametrize(
    ("depth", "most"),
    [(10, 1e-14), (100, 1e-13), pytest.param(1000, 1e-12, marks=pytest.mark.slow)],
)
def test_a_pair_through_many_layers_of_relu(depth: int, most: float) -> None:
    """ρ → (sin θ + (π − θ) cos θ)/π at unit variances (Cho & Saul 2009)."""
    with mpmath.workdps(40):
        correlation = mpmath.mpf(1) / 2
        for _ in range(depth):
            angle = mpmath.acos(correlation)
            correlation = (mpmath.sin(angle) + (mpmath.pi - angle) * correlation) / mpmath.pi
        verify(netsor.loads(PAIR.format(L=depth)).limit(), "k", correlation, most)


@pytest.mark.parametrize(
    ("depth", "most"),
    [(10, 1e-13), (100, 1e-12), pytest.param(150, 1e-12, marks=pytest.mark.slow)],
)
def test_a_pair_through_many_layers_of_erf(depth: int, most: float) -> None:
    """E erf(u) erf(v) = (2/π) asin(2c/√((1 + 2a)(1 + 2b))) (Williams 1997)."""
    with mpmath.workdps(40):

        def mean(a: mpmath.mpf, b: mpmath.mpf, c: mpmath.mpf) -> mpmath.mpf:
            inside = 2 * c / mpmath.sqrt((1 + 2 * a) * (1 + 2 * b))
            return mpmath.mpf("1.5") * 2 / mpmath.pi * mpmath.asin(inside) + mpmath.mpf("0.1")

        a, b, c = mpmath.mpf(1), mpmath.mpf(2), mpmath.mpf("0.5")
        for _ in range(depth):
            a, b, c = mean(a, a, a), mean(b, b, b), mean(a, b, c)
        verify(netsor.loads(ERF.format(L=depth)).limit(), "k", c, most)


def evolved(steps: int) -> list[mpmath.mpf]:
    """τ[t+1] = σ² + E (tanh((1 + √τ[t] G)/τ[t]) − 1)² from τ[1] = σ² + 1 (Bayati & Montanari 2011)."""
    with mpmath.workdps(25):
        noise = [mpmath.mpf("1.2")]
        for _ in range(steps):
            τ = noise[-1]

            def integrand(g: mpmath.mpf, τ: mpmath.mpf = τ) -> mpmath.mpf:
                return (mpmath.tanh((1 + mpmath.sqrt(τ) * g) / τ) - 1) ** 2 * mpmath.npdf(g)

            noise.append(mpmath.mpf("0.2") + mpmath.quad(integrand, range(-12, 13, 3)))
        return noise


@pytest.mark.parametrize("steps", [6, 8])
def test_approximate_message_passing_follows_state_evolution(steps: int) -> None:
    """A program of T² Gaussians whose limit is a recursion in one number, with whatever time there is."""
    noise = evolved(steps)
    assert abs(evolved(6)[6] - mpmath.mpf("0.34930")) < 1e-5
    result = netsor.load(AMP, set={"T": steps}).limit(budget=5)
    for t in range(1, steps + 1):
        found = result[f"noise[{t}]"]
        assert found.error is not None and abs(mpmath.mpf(found.value) - noise[t]) <= found.error <= 1e-10, t


def test_a_covariance_beyond_floats_is_not_found() -> None:
    """Exact covariances are fractions, and one that no float is near to says so instead of an OverflowError."""
    assert rounded(Fraction(10**300)) == 1e300
    with pytest.raises(Unsettled, match="overflows"):
        rounded(Fraction(10**400))


def test_what_is_said_of_a_bound_names_the_run_that_counts() -> None:
    """The variance of V a makes most of the error of the mean of its square, and the readout itself next to none."""
    text = "matrix W, V\nvector u ~ N(0, 1)\na := exp(sin(3 * W u))\nb := V a\noutput k := mean(b * b)\n"
    result = netsor.loads(text).limit(tol=1e-17)
    (said,) = result.diagnostics
    assert said.code == "W901" and f"{result['k'].error:.1e}" in said.notes[0]
    assert "Var(Ẑ^b), by quadrature" in said.notes[1]
    share = float(said.notes[1].split("± ")[1].split()[0])
    assert 0.5 * result["k"].error <= share <= 1.05 * result["k"].error
