"""Posteriors and ensembles against direct algebra in 50 digits: what is reported bounds what is wrong."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from netsor.predict.gaussian_process import Moments, Rows, Targets, ensemble, posterior
from netsor.predict.rounding import defect_of_gram
from netsor.predict.smallest import least_eigenvalue
from netsor.predict.systems import Matrix

TRAIN, TEST = 6, 2


def truths(rows: np.ndarray, length: float) -> tuple[mpmath.matrix, mpmath.matrix]:
    """Two positive definite kernels on rows, in 50 digits."""
    exact = [[mpmath.mpf(float(x)) for x in row] for row in rows]

    def gauss(a, b, scale):
        return mpmath.exp(-sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / (2 * scale**2))

    k = mpmath.matrix([[gauss(a, b, length) for b in exact] for a in exact])
    theta = mpmath.matrix([[gauss(a, b, length) + gauss(a, b, 0.7 * length) / 2 for b in exact] for a in exact])
    return k, theta


def blurred(truth: mpmath.matrix, error: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers within random errors of up to `error` about the truth, symmetric, and these errors."""
    value = np.array(truth.tolist(), float)
    bound = error * rng.random(value.shape)
    bound = (bound + bound.T) / 2
    moved = np.triu(rng.uniform(-1, 1, value.shape) * bound)
    moved = moved + np.triu(moved, 1).T
    return value + moved, bound + 2.0**-51 * np.abs(value)


def verify(found: Moments, mean: mpmath.matrix, cov: mpmath.matrix, full: bool) -> None:
    for i in range(TEST):
        for k in range(found.mean.shape[1]):
            assert abs(mean[i, k] - mpmath.mpf(float(found.mean[i, k]))) <= found.mean_error[i, k]
        for j in range(TEST) if full else (i,):
            at = (i, j) if full else (i,)
            assert found.cov_low[at] <= cov[i, j] <= found.cov_high[at]


@pytest.fixture(scope="module", autouse=True)
def digits():
    with mpmath.workdps(50):
        yield


# From well conditioned to eigenvalues of 1e-15, with errors of kernels from rounding to what a quadrature leaves.
CASES = [(0.8, 1e-6), (4.0, 1e-16), (4.0, 1e-6), (15.0, 1e-16), (15.0, 1e-11)]


@pytest.mark.parametrize("length, error", CASES)
def test_moments_are_within_their_errors(length, error):
    rng = np.random.default_rng(int(1e3 * length) + round(-np.log10(error)))
    rows = rng.standard_normal((TRAIN + TEST, 3))
    k, theta = truths(rows, length)
    (kv, ke), (tv, te) = blurred(k, error, rng), blurred(theta, error, rng)
    y = rng.standard_normal((TRAIN, 2))
    exact_y, unit = mpmath.matrix(y.tolist()), mpmath.eye(TRAIN)
    here, there = slice(0, TRAIN), slice(TRAIN, None)
    kernel, cross = Matrix(kv[here, here], ke[here, here]), Rows(kv[here, there], ke[here, there])
    tangent, tangent_cross = Matrix(tv[here, here], te[here, here]), Rows(tv[here, there], te[here, there])
    k_xx, k_tx, k_tt = k[:TRAIN, :TRAIN], k[TRAIN:, :TRAIN], k[TRAIN:, TRAIN:]
    values, vectors = mpmath.eigsy(theta[:TRAIN, :TRAIN])
    given = Targets(y, np.zeros_like(y))
    own = Rows(kv[there, there], ke[there, there])
    owns = ((own, True), (Rows(own.value.diagonal(), own.error.diagonal()), False))
    for noise in (0.0, 1e-10, 0.1):
        inverse = (k_xx + mpmath.mpf(noise) * unit) ** -1
        mean, cov = k_tx * inverse * exact_y, k_tt - k_tx * inverse * k_tx.T
        for known, full in owns:
            verify(posterior(kernel, cross, known, given, noise, full), mean, cov, full)
        for time in (0.0, 0.3, 1e6, np.inf):
            rates = [v + mpmath.mpf(noise) for v in values]
            weights = [(1 - mpmath.exp(-r * mpmath.mpf(time))) / r for r in rates]
            b = theta[TRAIN:, :TRAIN] * vectors * mpmath.diag(weights) * vectors.T
            mean, cov = b * exact_y, k_tt + b * k_xx * b.T - b * k_tx.T - k_tx * b.T
            for known, full in owns:
                found = ensemble(tangent, tangent_cross, kernel, cross, known, given, noise, time, full)
                verify(found, mean, cov, full)


def test_bounds_are_not_idle():
    """On a kernel that is well conditioned and known to rounding, the bounds are close to rounding."""
    rng = np.random.default_rng(0)
    k, theta = truths(rng.standard_normal((TRAIN + TEST, 3)), 0.8)
    (kv, ke), (tv, te) = blurred(k, 0.0, rng), blurred(theta, 0.0, rng)
    here, there = slice(0, TRAIN), slice(TRAIN, None)
    y = Targets(rng.standard_normal((TRAIN, 1)), np.zeros((TRAIN, 1)))
    kernel, cross = Matrix(kv[here, here], ke[here, here]), Rows(kv[here, there], ke[here, there])
    own = Rows(kv[there, there].diagonal(), ke[there, there].diagonal())
    tangent, tangent_cross = Matrix(tv[here, here], te[here, here]), Rows(tv[here, there], te[here, there])
    for found in (
        posterior(kernel, cross, own, y, 0.0, False),
        ensemble(tangent, tangent_cross, kernel, cross, own, y, 0.0, np.inf, False),
        ensemble(tangent, tangent_cross, kernel, cross, own, y, 0.0, 3.0, False),
    ):
        assert found.lost == 0
        assert found.mean_error.max() < 3e-13
        assert (found.cov_high - found.cov_low).max() < 3e-13


def test_a_singular_kernel_has_the_answer_of_least_norm():
    """K = x xᵀ of rank one: directions that are not told from none have no bounded error, and no NaN."""
    x = np.array([1.0, 2.0, -0.5])
    kernel = Matrix(np.outer(x, x), 1e-15 * np.abs(np.outer(x, x)))
    cross = Rows(np.outer(x, [3.0]), 1e-15 * np.abs(np.outer(x, [3.0])))
    y = np.array([[1.0], [0.5], [2.0]])
    found = posterior(kernel, cross, Rows(np.array([9.0]), np.array([1e-14])), Targets(y, 0 * y), 0.0, False)
    assert found.lost == 2
    assert found.mean[0, 0] == pytest.approx(3 * x @ y[:, 0] / (x @ x), rel=1e-12)
    assert np.isinf(found.mean_error).all()
    assert found.cov_high[0] < 1e-12
    own = Rows(np.array([9.0]), np.array([1e-14]))
    slow = ensemble(kernel, cross, kernel, cross, own, Targets(y, 0 * y), 0.0, 2.0, False)
    decay = (1 - np.exp(-2.0 * (x @ x))) / (x @ x)
    assert abs(slow.mean[0, 0] - 3 * decay * x @ y[:, 0]) <= slow.mean_error[0, 0] + 1e-15 < 1e-12


@pytest.mark.parametrize("n", [1, 2, 30, 200])
@pytest.mark.parametrize("power", [1, 2, 4])
def test_the_smallest_eigenvalue_is_bounded_from_below(n, power):
    """Of powers of the second difference matrix, whose entries are whole numbers: λ = (4 sin²(π/(2n + 2)))^p."""
    a = np.linalg.matrix_power(2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), power)
    truth = (4 * np.sin(np.pi / (2 * n + 2)) ** 2) ** power
    backward = 4 * n * 2.0**-53 * float(a.trace())

    def solve(b):
        return cho_solve(cho_factor(a), b)

    found = least_eigenvalue(solve, n, backward)
    assert found <= truth
    # Within rounding of zero nothing is known.
    assert found > truth / 3 or truth < 10 * backward
    # A backward error that could have hidden the eigenvalue leaves no bound.
    assert least_eigenvalue(solve, n, 3 * truth) == 0


def test_the_defect_of_columns_is_bounded():
    """‖VᵀV − 1‖ of what LAPACK calls orthogonal, against long floats."""
    v = np.linalg.eigh(np.cov(np.random.default_rng(3).standard_normal((40, 60))))[1]
    with mpmath.workdps(40):
        exact = mpmath.matrix(v.tolist())
        truth = float(mpmath.mnorm(exact.T * exact - mpmath.eye(40), "f"))
    assert truth <= defect_of_gram(v) <= 2 * truth
