"""What each program of the gallery must give, derived by hand and computed without netsor.

The programs' data and parameters are written out here again: a truth is a statement about the file as it stands.
A truth is called closed where only a formula is evaluated, quadrature where the recursion derived by hand needs
integrals in few dimensions, which `independent` takes by the trapezoidal rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import comb, erfc, exp, pi, sqrt

import numpy as np
from independent import (
    Array,
    erf_kernel,
    erf_slope,
    erf_slope_kernel,
    factor,
    gelu,
    grid,
    mean,
    normalised,
    pair_expectation,
    relu_kernel,
    same_kernel,
    sech2,
    sigmoid,
    upper,
)
from scipy.special import ndtr

CHI = 0.3 - 1.0  # ℓ'(f) for ℓ(f) = (f − 1)²/2 at f = 0.3


@dataclass(frozen=True)
class Truth:
    """A program's outputs; tolerances are relative to max(|truth|, 1), or to |truth| where that is larger."""

    compute: Callable[[], dict[str, float]]
    kind: str = "closed"
    tolerance: float = 1e-9  # of the truth itself
    reported: float = 1e-6  # the largest error that netsor may report
    loose: dict[str, float] = field(default_factory=dict)  # the same for single outputs where that is too much to ask
    budget: float = 60.0  # seconds that netsor may take for the limit
    bias: float = 4.0  # finite width: the mean over seeds may be off by bias · max(|truth|, 1) / width

    @cached_property
    def values(self) -> dict[str, float]:
        return self.compute()


def algorithm1() -> dict[str, float]:
    # −χ E[φφ̃] E[φ'(h)φ'(h̃)] with Cov(h, h̃) the erf kernel of (1, .5; .5, 1): Claim 3.1
    k = erf_kernel(np.array([[1, 0.5], [0.5, 1]]))
    return {"Δf̃": float(-CHI * k[0, 1] * erf_slope_kernel(k)[0, 1])}


def remark_b5() -> dict[str, float]:
    # Z^x = Ẑ + Z^v is N(0, 2): fourth moment 3·2²
    return {"xv": 1.0, "xx": 2.0, "x4": 12.0, "hat": 1.0}


def remark_b5_sum() -> dict[str, float]:
    # W(y+z) ~ N(0, σ²E(y+z)²) = N(0, 2);  Ż = σ²(y+z) E φ', E[(y+z)y] = 1.5, E[(y+z)z] = 2.5, E(y+z)² = 4
    a, q = erf_slope(2.0), erf_kernel(np.array([[2.0]]))[0, 0]
    return {"uy": 0.5 * 1.5 * a, "uz": 0.5 * 2.5 * a, "uu": float(0.5 * q + 0.25 * 4 * a**2)}


def remark_b5_readings() -> dict[str, float]:
    # Cov(W(y+z), Wy) = σ² (4, 1.5; 1.5, 1); by linearity of Ż in x, yᵀWᵀm/n = σ²(E[y(y+z)] Eφ'(h) + E[y²] Eφ'(Wy))
    k = erf_kernel(0.5 * np.array([[4, 1.5], [1.5, 1]]))
    my = 0.5 * (1.5 * erf_slope(2.0) + erf_slope(0.5))
    return {"apart": 0.0, "gap": 0.0, "mx": float(k[0, 0] + k[0, 1]), "my": my}


def heaviside() -> dict[str, float]:
    # b = E[Ẑ θ(Ẑ)] = √(σ²C/2π), a = b/C, E uy = aC = b, E u² = σ²E θ² + a²C;
    # for the corner E ∂_h = p_h(0) P(k > 0 | h = 0) = p_h(0)/2
    s = 3.0
    return {
        "uy": sqrt(s * 2 / (2 * pi)),
        "uu": s / 2 + s / (2 * pi),
        "wy": sqrt(s) / (2 * sqrt(2 * pi)) * (sqrt(2) + 0.6),
        "wz": sqrt(s) / (2 * sqrt(2 * pi)) * (0.6 / sqrt(2) + 1),
    }


def catalan(k: int) -> int:
    return comb(2 * k, k) // (k + 1)


def marchenko_pastur() -> dict[str, float]:
    # moments of the Marchenko–Pastur law of ratio 1
    return {f"m[{k}]": float(catalan(k)) for k in range(1, 6)}


def semicircle() -> dict[str, float]:
    # moments of the semicircle law of variance 1
    return {f"even[{k}]": float(catalan(k)) for k in range(1, 6)} | {f"odd[{k}]": 0.0 for k in range(1, 6)}


def mlp() -> dict[str, float]:
    # arc-cosine recursion K ← E relu relu under 2K + 0.1
    x = np.array([[1, 0], [0.6, 0.8], [-0.5, 1.5]])
    k = x @ x.T
    q = {}
    for layer in range(1, 4):
        k = relu_kernel((2 * k if layer > 1 else k) + 0.1)
        q[f"q[{layer}]"] = float(k[0, 0])
    return upper("k", k) | q


def mlp_backprop() -> dict[str, float]:
    # arcsine recursion forward, products of slope kernels backward; NTK = readout + Σ_l (input kernel)(gradient kernel)
    x, s, depth = np.array([[1, 0.5], [-0.4, 1.2]]), 1.5, 3
    pre = [x @ x.T / 2]
    post = [erf_kernel(pre[0])]
    for _ in range(depth - 1):
        pre.append(s * post[-1])
        post.append(erf_kernel(pre[-1]))
    slope = [erf_slope_kernel(c) for c in pre]
    grad = [slope[-1]]
    for d in reversed(slope[:-1]):
        grad.insert(0, d * s * grad[0])
    ntk = post[-1] + pre[0] * grad[0] + sum(s * post[m - 1] * grad[m] for m in range(1, depth))
    return upper("nngp", post[-1]) | upper("ntk", ntk) | {f"g[{m + 1}]": float(grad[m][0, 1]) for m in range(depth)}


def resnet() -> dict[str, float]:
    # K ← K + σ_W² E tanh tanh under σ_V² K + σ_b²
    x = np.array([[1, 0, -1], [0.5, 0.7, 0.2]])
    k = x @ x.T / 3
    out = {}
    for layer in range(1, 4):
        k = k + 0.5 * same_kernel(np.tanh, k + 0.2)
        out |= upper("k", k, layer)
    return out


def rnn() -> dict[str, float]:
    # all (t, a) jointly: Cov(h[t,a], h[u,b]) = 1.2 E s[t−1,a]s[u−1,b] + ⟨ξ,ξ⟩/2 + 0.1, time after time
    x = np.array([[[1, 0], [0.5, 0.5], [-1, 0.3]], [[0.2, 1], [0.5, -0.5], [-0.8, 0.6]]])
    steps = 3
    places = [(t, a) for t in range(1, steps + 1) for a in range(2)]
    state: dict[tuple, float] = {}
    var: dict[tuple, float] = {}

    def pre(p: tuple[int, int], r: tuple[int, int]) -> float:
        (t, a), (u, b) = p, r
        before = state[(t - 1, a), (u - 1, b)] if t > 1 and u > 1 else 0.0
        return 1.2 * before + x[a, t - 1] @ x[b, u - 1] / 2 + 0.1

    for i, p in enumerate(places):
        var[p] = pre(p, p)
        for r in places[: i + 1]:
            c = pre(p, r)
            value = pair_expectation(np.tanh, np.tanh, np.array([[var[p], c], [c, var[r]]]))
            state[p, r] = state[r, p] = value
    last = np.array([[state[(steps, a), (steps, b)] for b in range(2)] for a in range(2)])
    times = range(1, steps + 1)
    pooled = np.array(
        [[sum(state[(t, a), (u, b)] for t in times for u in times) / steps**2 for b in range(2)] for a in range(2)]
    )
    return upper("k", last) | upper("pooled", pooled) | {"lag": state[(1, 0), (3, 1)]}


def gru() -> dict[str, float]:
    # s_t = Σ_k w_{t,k} c_k, w_{t,k} = z_k Π_{k<j≤t} (1 − z_j); gates and candidates come from different matrices, so
    # E s_t s̃_u = Σ E[w w̃] E[c c̃]; E[w w̃] over all update gates at once (rank ≤ 5: the first token is shared)
    x = np.array([[1, 0.5], [0.5, -1], [-1, 0.3], [1, 0.5], [-0.6, 0.2], [0.4, 1.1]])  # places (a, t): 3a + t
    token = x @ x.T / 2
    places = [(a, t) for a in range(2) for t in range(3)]
    s = np.zeros((6, 6))  # E s s̃ after each token
    cand = np.zeros((6, 6))
    gates = token
    for now in range(3):
        before = np.zeros((6, 6))
        for i, (_, t) in enumerate(places):
            for j, (_, u) in enumerate(places):
                before[i, j] = s[i - 1, j - 1] if t > 0 and u > 0 else 0.0
        gates = before + token
        live = [i for i, (_, t) in enumerate(places) if t <= now]
        for i in live:
            for j in live:
                block = gates[np.ix_([i, j], [i, j])]
                reset = pair_expectation(sigmoid, sigmoid, block)
                cand[i, j] = before[i, j] * reset + token[i, j]
        inner = np.zeros((6, 6))
        for i in live:
            for j in live:
                inner[i, j] = pair_expectation(np.tanh, np.tanh, cand[np.ix_([i, j], [i, j])])
        weights = _update_weights(gates[np.ix_(live, live)], now + 1)  # [a][t][k], [b][u][l]
        for i in live:
            for j in live:
                (a, t), (b, u) = places[i], places[j]
                rows, cols = [3 * a + k for k in range(now + 1)], [3 * b + k for k in range(now + 1)]
                s[i, j] = float(np.sum(weights[a, t, :, b, u, :] * inner[np.ix_(rows, cols)]))
    last = s[np.ix_([2, 5], [2, 5])]
    gate = mean(lambda g: sigmoid(g - 1), gates[2, 2])
    return upper("k", last) | {"first": float(s[0, 3]), "gate": gate}


def _update_weights(c: Array, steps: int) -> Array:
    """E w[a,t,k] w[b,u,l] over the gates z = σ(g − 1), g ~ N(0, c), ordered (a, t), by a grid in rank(c) dimensions."""
    a = factor(c)
    nodes, weights = grid(a.shape[1], 0.7 if a.shape[1] > 4 else 0.5, 6.6)
    total = np.zeros((2 * steps * steps, 2 * steps * steps))
    for chunk in np.array_split(np.arange(len(weights)), max(1, len(weights) // 100_000)):
        z = sigmoid(nodes[chunk] @ a.T - 1).reshape(-1, 2, steps)
        w = np.zeros((len(chunk), 2, steps, steps))
        for t in range(steps):
            for k in range(t + 1):
                w[:, :, t, k] = z[:, :, k] * np.prod(1 - z[:, :, k + 1 : t + 1], axis=-1)
        flat = w.reshape(len(chunk), -1)
        total += (flat * weights[chunk, None]).T @ flat
    return total.reshape(2, steps, steps, 2, steps, steps)


def layernorm() -> dict[str, float]:
    # arc-cosine kernels with means √(q/2π), normalised by their limits
    x = np.array([[2, -1], [0.3, 0.4]])
    c = x @ x.T / 2 + 0.5
    first = np.sqrt(np.diag(c) / (2 * pi))
    c2 = 2 * normalised(relu_kernel(c), first, 1e-5) + 0.5
    k = normalised(relu_kernel(c2), np.sqrt(np.diag(c2) / (2 * pi)), 1e-5)
    return upper("k", k) | {"μ": float(first[0])}


def batchnorm() -> dict[str, float]:
    # 1/s = ∫ e^{-ts} dt with s = |u|²/4 + ε leaves an arc-cosine kernel under C_t = C (I + tC/2)⁻¹;
    # t = eʳ and the trapezoidal rule
    x = np.array([[1, 0, 0.5], [0.2, 1, -0.3], [-1, 0.4, 0.8], [0.3, -0.9, 1.2]])
    centre = np.eye(4) - 1 / 4
    k = x @ x.T / 3
    out = {}
    for layer in (1, 2):
        c = centre @ (2 * k) @ centre
        k = np.zeros((4, 4))
        step = 0.05
        for t in np.exp(np.arange(-42, 24, step)):
            m = np.eye(4) + t * c / 2
            tilted = np.linalg.solve(m, c)
            tilted = (tilted + tilted.T) / 2
            k += step * t * np.exp(-t * 1e-5) / np.sqrt(np.linalg.det(m)) * relu_kernel(tilted)
        out |= upper("k", k, layer)
    return out


def attention() -> dict[str, float]:
    # scores kᵀk/n → 2c (keys are queries) or 0 (independent): fixed mixtures p c pᵀ of the arc-cosine kernel c
    x = np.array([[1, 1], [-1, 0.5], [0, 1.5]])
    c = relu_kernel(x @ x.T / 2)
    p = np.exp(2 * c)
    p /= p.sum(1, keepdims=True)
    pattern = {f"p[{t + 1},{u + 1}]": float(p[t, u]) for t in range(3) for u in range(3)}
    return pattern | upper("k", p @ c @ p.T) | {"flat": float(c.mean())}


def transformer() -> dict[str, float]:
    # everything normalised is Gaussian: R = C + p norm(C) pᵀ, then R + E gelu gelu under 2 norm(R)
    x = np.array([[1, 1], [-1, 0.5], [0, 1.5]])
    c = x @ x.T / 2
    y = normalised(c, np.zeros(3), 1e-5)
    p = np.tril(np.exp(y))
    p /= p.sum(1, keepdims=True)
    r = c + p @ y @ p.T
    z = r + same_kernel(gelu, 2 * normalised(r, np.zeros(3), 1e-5))
    return {f"p[{t + 1},{u + 1}]": float(p[t, u]) for t in range(3) for u in range(t + 1)} | upper("k", z)


def convolution() -> dict[str, float]:
    # C(p, p̃) = variance · Σ_j K(p + j, p̃ + j) within both images, over all pixels of both images, arc-cosine kernels
    x = np.array([[1, 0], [0.5, -1], [-0.5, 0.5], [0, 1], [0.3, 0.8], [-1, 0.2], [0.7, 0.7], [1.2, -0.4]])
    pixels = 4

    def filtered(k: Array) -> Array:
        out = np.zeros((2, pixels, 2, pixels))
        blocks = k.reshape(2, pixels, 2, pixels)
        for p in range(pixels):
            for r in range(pixels):
                for j in (-1, 0, 1):
                    if 0 <= p + j < pixels and 0 <= r + j < pixels:
                        out[:, p, :, r] += blocks[:, p + j, :, r + j]
        return out.reshape(2 * pixels, 2 * pixels)

    k = relu_kernel(filtered(x @ x.T) / 3)
    k = relu_kernel(filtered(k) * 2 / 3).reshape(2, pixels, 2, pixels)
    return upper("pooled", k.mean((1, 3))) | upper("flat", np.einsum("apbp->ab", k) / pixels)


def autoencoder() -> dict[str, float]:
    # h₁ ~ N(0, 2), h₂ ~ N(0, 1.5 E tanh²(h₁)); d = tanh(G + a tanh h₁), a = 1.5 E sech²(h₂), G ~ N(0, 1.5 E tanh²(h₂));
    # y = G' + bξ, b = 2a E[sech²(G + a tanh h₁) sech²(h₁)], G' ~ N(0, 2E d²)
    v1 = 2.0
    v2 = 1.5 * mean(lambda u: np.tanh(u) ** 2, v1)
    code = mean(lambda u: np.tanh(u) ** 2, v2)
    a = 1.5 * mean(sech2, v2)
    nodes, weights = grid(2, 0.1, 9.0)
    h = sqrt(v1) * nodes[:, 0]
    inner = sqrt(1.5 * code) * nodes[:, 1] + a * np.tanh(h)
    b = 2 * a * float(weights @ (sech2(inner) * sech2(h)))
    size = 2 * float(weights @ np.tanh(inner) ** 2) + b**2
    return {"code": code, "overlap": b, "size": size, "loss": size - 2 * b + 1}


def amp() -> dict[str, float]:
    # state evolution; s = ±1 is symmetric, so s = 1
    tau, out = 0.2 + 1, {}
    for t in (1, 2, 3):

        def x(g: Array, tau: float = tau) -> Array:
            return np.tanh((1 + g) / tau)

        mse = mean(lambda g, x=x: (x(g) - 1) ** 2, tau, step=0.02)
        out |= {f"mse[{t}]": mse, f"overlap[{t}]": mean(x, tau, step=0.02), f"noise[{t}]": 0.2 + mse}
        tau = 0.2 + mse
    return out


def amp_sparse() -> dict[str, float]:
    # r ~ N(0, v), v = τ or 1 + τ: E η² = 2[(v+λ²)Q(λ/√v) − λ√v ϕ(λ/√v)],
    # and by Stein E s η(r) = P(|r| > λ) where s ~ N(0, 1)
    def active(v: float, lam: float) -> float:
        return erfc(lam / sqrt(2 * v))

    def square(v: float, lam: float) -> float:
        return (v + lam**2) * active(v, lam) - 2 * lam * sqrt(v) * exp(-(lam**2) / (2 * v)) / sqrt(2 * pi)

    rho = erfc(1 / sqrt(2)) / 2  # P(u > 1) = E s²
    tau, out = rho, {}
    for t in (1, 2):
        lam = 1.5 * sqrt(tau)
        on = square(1 + tau, lam) - 2 * active(1 + tau, lam) + 1
        mse = (1 - rho) * square(tau, lam) + rho * on
        out |= {f"active[{t}]": (1 - rho) * active(tau, lam) + rho * active(1 + tau, lam), f"mse[{t}]": mse}
        tau = mse
    return out


def sgd_one_hidden() -> dict[str, float]:
    # Eq. 29: K = ξξ̃ E tanh'(ξu) tanh'(ξ̃u), one Gaussian u; Eq. 38: Δf̃ = −χK
    k = 1 * -0.6 * mean(lambda u: sech2(u) * sech2(-0.6 * u), 1.0)
    return {"Δf̃": -CHI * k, "kernel": k, "gap": 0.0}


def sgd_two_hidden() -> dict[str, float]:
    # Eqs. 43, 44 with slips mended: K = (ξξ̃ E φ'(g)φ'(g̃) + E zz̃) E φ'(h)φ'(h̃), arcsine formulas; Eq. 57: Δf̃ = −χK
    xi = np.array([1, -0.6])
    g = np.outer(xi, xi)
    h = erf_kernel(g)
    k = float((g * erf_slope_kernel(g) + h)[0, 1] * erf_slope_kernel(h)[0, 1])
    return {"Δf̃": -CHI * k, "kernel": k, "gap": 0.0}


def transpose_matters() -> dict[str, float]:
    # y = Ẑ + a v; by Stein E φ(y)v = a E φ'(y)
    q, a = float(erf_kernel(np.eye(1))[0, 0]), erf_slope(1.0)
    return {"tied": a * erf_slope(q + a**2), "norm": q + a**2, "cut": 0.0, "norm_cut": q}


def gia_holds() -> dict[str, float]:
    # E φ'(g)² E φ'(h)², h ~ N(0, E φ(g)²)
    one = np.eye(1)
    both = float(erf_slope_kernel(one)[0, 0] * erf_slope_kernel(erf_kernel(one))[0, 0])
    return {"tied": both, "copied": both, "overlap": 0.0, "overlap_copied": 0.0}


def gia_fails() -> dict[str, float]:
    # φ'' = 2ϕ − u²ϕ and E ϕ(h) = 1/√(2π(1+q)), E h²ϕ(h) = q/(1+q) E ϕ(h); φ' = Φ + uϕ squared by quadrature
    q = 2.0
    curvature = (2 - q / (1 + q)) / sqrt(2 * pi * (1 + q))
    slope = mean(lambda u: (ndtr(u) + u * np.exp(-(u**2) / 2) / sqrt(2 * pi)) ** 2, q)
    return {
        "curvature": curvature,
        "tied": slope + q * curvature**2,
        "overlap": q * curvature,
        "copied": slope,
        "overlap_copied": 0.0,
    }


def tied_decoder() -> dict[str, float]:
    # x = Ẑ + z a, dz = Ẑ + v a with a = E φ'(h), the same for both inputs; cross terms of W's NTK vanish as E v = 0
    c = np.array([[1, 0.5], [0.5, 1]])
    z = erf_kernel(c)
    y = erf_kernel(z)
    kappa, a = erf_slope_kernel(z)[0, 1], erf_slope(z[0, 0])
    return {
        "nngp": float(y[0, 1] + a**2 * z[0, 1]),
        "first": float(c[0, 1] * erf_slope_kernel(c)[0, 1] * (kappa + a**2)),
        "second": float(z[0, 1] * kappa + y[0, 1]),
        "linear": 2.0,
    }


TRUTHS: dict[str, Truth] = {
    "algorithm1": Truth(algorithm1),
    "algorithm1_ascii": Truth(lambda: {"df": algorithm1()["Δf̃"]}),
    "amp": Truth(amp, "quadrature"),
    "amp_sparse": Truth(amp_sparse),
    "attention": Truth(attention),
    "autoencoder": Truth(autoencoder, "quadrature"),
    "batchnorm": Truth(batchnorm, "quadrature"),
    "convolution": Truth(convolution),
    "gia_fails": Truth(gia_fails, "quadrature"),
    "gia_holds": Truth(gia_holds),
    "gru": Truth(gru, "quadrature"),
    "heaviside": Truth(heaviside),
    "layernorm": Truth(layernorm),
    "marchenko_pastur": Truth(marchenko_pastur),
    "mlp": Truth(mlp),
    "mlp_backprop": Truth(mlp_backprop),
    "remark_b5": Truth(remark_b5),
    "remark_b5_inside": Truth(remark_b5_sum),
    "remark_b5_outside": Truth(remark_b5_sum),
    "remark_b5_readings": Truth(remark_b5_readings),
    "resnet": Truth(resnet, "quadrature"),
    "rnn": Truth(rnn, "quadrature"),
    # S is a matrix of the orthogonal ensemble: E m₁₀ = 42 + 386/n + …, a relative bias of 9.2/n
    "semicircle": Truth(semicircle, bias=10.0),
    "sgd_one_hidden": Truth(sgd_one_hidden, "quadrature"),
    "sgd_two_hidden": Truth(sgd_two_hidden),
    "tied_decoder": Truth(tied_decoder),
    "transformer": Truth(transformer, "quadrature"),
    "transpose_matters": Truth(transpose_matters),
}
