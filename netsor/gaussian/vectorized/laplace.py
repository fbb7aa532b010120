"""Products with powers of nonnegative quadratic forms, as batch normalization has, by Laplace's integral in arrays.

With b^{−p} = ∫₀^∞ t^{p−1} e^{−tb} dt/Γ(p) for each form b_k = ε_k + zᵀB_k z,

    E F Π b_k^{−p_k} = ∫ Π t_k^{p_k−1} e^{−t_k ε_k}/Γ(p_k) det(1 + CQ)^{−1/2} E_t F dt,  Q = 2 Σ t_k B_k,

where E_t is under N(0, (C⁻¹ + Q)⁻¹) (Abramowitz & Stegun 6.1.1; Rasmussen & Williams 2006, A.3). The trapezoidal rule
takes the laws of all its nodes at once. F must have a formula: a polynomial times homogeneous functions of two
variables, such as relu and step, or what else is in closed form.

A power with 2p odd is integrated in s = √t over the whole line, where the integrand is even and analytic. Its nearest
singularities are at s² = −1/(2λ), λ the eigenvalues of CB; with s = c sinh x and c² = 1/(2 max λ) they are at
|Im x| ≥ π/2, so that the rule converges as e^{−π²/h}. For other powers t = c² e^{x − e^{−x}} (Takahasi & Mori 1974).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netsor.expr import ONE, Const, Expr, Pow, Sym, canonical, is_singular, mul, postorder
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.expansion import expand, factors_of, integer_power
from netsor.gaussian.symbolic.homogeneity import pulled
from netsor.gaussian.symbolic.linear_forms import Form, in_linear_forms
from netsor.gaussian.vectorized.closed import closed_form
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.truncated import truncated_moment

Array = np.ndarray
_EPS = 2.0**-52
_MOST_FORMS, _MOST_TERMS = 2, 400
# The steps that are tried, for powers with 2p odd, and how much wider they are for others.
_STEPS, _WIDER = (0.2, 0.125), 1.2
# The share by which errors of a law may move a determinant. An error is extrapolated with this margin, as if it fell
# more slowly, and is of no use above this share of the integrand.
_MOST_MOVED, _MARGIN, _SLOWER, _USEFUL = 0.05, 100.0, 0.85, 1e-3
# How far a line reaches in x at most, how many nodes all lines may have together, and how many are computed at once.
_REACH, _MOST_NODES, _CHUNK = 60.0, 2**16, 4096
# Coefficients of linear forms below this size are rounding; those of a form are at most 1.
_DEPENDENT = 1e-13
# Where the terms at the end of a line have fallen to this share of the tolerance, the line ends.
_FALLEN = 1e-2
# What lies beyond is at least so many times the last terms, and is known where these fall faster than this.
_BEYOND, _SLOWEST = 5.0, 0.99


class _Square(NamedTuple):
    """ε + yᵀBy over a basis y of the linear forms."""

    matrix: Array
    least: float


class _Term(NamedTuple):
    """number · Π b_k^{−p_k} · F, with the rule for F; None where F is 1."""

    number: float
    powers: tuple[float, ...]
    rule: Rule | None


class Integral(NamedTuple):
    """A value, an error and the size of the integrand."""

    value: float
    error: float
    scale: float


@dataclass(frozen=True)
class LaplaceSum:
    """A sum of terms with powers of the same quadratic forms, in linear forms of the variables z.

    y = `basis` z are as many independent forms as there are, and all forms are `out` y. `joined` says which forms occur
    in one square.
    """

    symbols: tuple[Sym, ...]
    forms: tuple[Sym, ...]
    basis: Array
    out: Array
    joined: Array
    squares: tuple[_Square, ...]
    terms: tuple[_Term, ...]

    def __call__(self, laws: Laws) -> Bounded:
        pairs = [[laws.cov(a, b) for b in self.symbols] for a in self.symbols]
        c, slack = (
            np.stack(
                [np.stack([np.broadcast_to(getattr(q, kind), laws.shape).ravel() for q in row], -1) for row in pairs],
                -2,
            )
            for kind in ("value", "error")
        )
        value, error = np.zeros(len(c)), np.full(len(c), np.inf)
        for k in range(len(c)):
            if laws.clock.left() <= 0:
                break
            found = self.at(c[k], slack[k], laws.tol)
            if found is not None:
                value[k], error[k] = found.value, found.error
        return Bounded(value.reshape(laws.shape), error.reshape(laws.shape))

    def at(self, c: Array, slack: Array, tol: float) -> Integral | None:
        """The sum under N(0, c), |c − its true value| ≤ slack; None where the integral does not converge."""
        # Far out on a line the law may be too narrow for floats, which gives infinite errors.
        with np.errstate(all="ignore"):
            law = _law(self, c, slack)
            if law is None:
                return None
            best: Integral | None = None
            for h in _STEPS:
                found = self._integrated(law, h, tol)
                if found is None:
                    break
                best, quadrature = found
                if quadrature <= tol * best.scale:
                    break
            return best if best is not None and best.error <= _USEFUL * best.scale else None

    def dependent(self, c: Array, slack: Array) -> Array:
        """1 for pairs of forms that are not independent under the law and all that it may be narrowed to, else 0."""
        rows = (np.abs(self.out @ self.basis) > _DEPENDENT).astype(float)
        joined = np.minimum(rows @ ((c != 0) | (slack != 0)) @ rows.T + self.joined, 1.0)
        for _ in range(len(joined)):
            joined = np.minimum(joined @ joined, 1.0)
        return joined

    def _integrated(self, law: _Law, h: float, tol: float) -> tuple[Integral, float] | None:
        """The integral with steps h, and the error of the rule alone."""
        lines = [_Line(k, self, law, h) for k in range(len(self.squares))]
        for line in lines:
            if not line.extend(tol):
                return None
        if math.prod(len(line.nodes) for line in lines) > _MOST_NODES:
            return None
        while True:
            value, error = self._at_nodes(law, lines)
            if not (np.isfinite(value).all() and np.isfinite(error).all()):
                return None
            whole, size = float(value.sum()), float(np.abs(value).sum())
            own = rest = 0.0
            short = []
            for k, line in enumerate(lines):
                own += line.error(np.moveaxis(value, k, 0).reshape(value.shape[k], -1).sum(axis=1), whole, size)
                last, before = (value.take(i, axis=k) for i in (-1, -2))
                ends = float(np.abs(last).sum()), float(np.abs(before).sum())
                ratio = ends[0] / ends[1] if ends[1] > 0 else 0.0
                if not ratio < _SLOWEST:
                    return None
                # The terms fall geometrically, or faster; a slower part may come after the ratio seen.
                beyond = ends[0] * _BEYOND * max(ratio / (1 - ratio), 1.0)
                rest += float(last.sum()) * ratio / (1 - ratio)
                own += beyond + line.before(value, k)
                if beyond > tol * size:
                    short.append(line)
            if not math.isfinite(own):
                return None
            many = 1.5 ** len(short) * value.size > _MOST_NODES
            if many or not [line for line in short if line.lengthen()]:
                return Integral(whole + rest, float(error.sum()) + own + 4 * _EPS * size, size), own

    def _at_nodes(self, law: _Law, lines: Sequence[_Line]) -> tuple[Array, Array]:
        """Values and errors of the integrand times the weights."""
        mesh = np.meshgrid(*(line.nodes for line in lines), indexing="ij")
        nodes = np.stack([m.ravel() for m in mesh])
        parts = [law.summed(self, nodes[:, i : i + _CHUNK]) for i in range(0, nodes.shape[1], _CHUNK)]
        value, error = (np.concatenate(x).reshape(mesh[0].shape) for x in zip(*parts))
        for k, line in enumerate(lines):
            w = line.weights.reshape([-1 if j == k else 1 for j in range(len(lines))])
            value, error = value * w, error * w
        return value, error


class _Law:
    """A law of the basis, and what the factor e^{−½yᵀQy} makes of it."""

    def __init__(self, slack: Array, root: Array, dependent: Array):
        self.slack, self.root, self.dependent = slack, root, dependent

    def summed(self, s: LaplaceSum, t: Array) -> tuple[Array, Array]:
        """Values and errors of the integrand of Π dt_k, for t (K, n)."""
        n = t.shape[1]
        q = 2 * np.einsum("kn,kij->nij", t, np.stack([b.matrix for b in s.squares]))
        narrowed = np.eye(self.root.shape[1]) + self.root.T @ q @ self.root
        spectrum, vectors = np.linalg.eigh(narrowed)
        spectrum = np.maximum(spectrum, 1.0)
        wide = self.root @ vectors
        covariance = (wide / spectrum[:, None, :]) @ wide.transpose(0, 2, 1)
        log = -0.5 * np.log(spectrum).sum(axis=1) - t.T @ np.array([b.least for b in s.squares])
        # Eigenvalues have errors of size ε times the largest of them.
        rounding = 4 * _EPS * len(spectrum[0]) * spectrum[:, -1] / spectrum[:, 0]
        # (1 + GQ)⁻¹ takes an error of the covariance G to one of the narrowed law.
        moved = np.abs(s.out - s.out @ covariance @ q) + rounding[:, None, None] * np.abs(s.out)
        gain = np.abs(q - q @ covariance @ q) + rounding[:, None, None] * np.abs(q)
        part = 0.5 * np.einsum("nij,ij->n", gain, self.slack)
        # Beyond first order: by that much the inverse itself is moved.
        more = 1 + 4 * part
        relative = part * more + 0.5 * len(spectrum[0]) * rounding + 4 * _EPS * (2 + np.abs(log))
        front = np.exp(log)
        outer = s.out @ wide
        covariance = (outer / spectrum[:, None, :]) @ outer.transpose(0, 2, 1)
        deviations = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        slack = moved @ self.slack @ moved.transpose(0, 2, 1) * more[:, None, None] ** 2
        slack = slack + rounding[:, None, None] * deviations[:, :, None] * deviations[:, None, :]
        covariance, slack = covariance * self.dependent, slack * self.dependent
        pairs = {}
        for i, a in enumerate(s.forms):
            for j, b in enumerate(s.forms[: i + 1]):
                pairs[b, a] = Bounded(covariance[:, i, j][:, None], slack[:, i, j][:, None])
        laws = Laws((n, 1), pairs, {})
        value, error = np.zeros(n), np.zeros(n)
        for term in s.terms:
            weight = term.number * front
            for p, x in zip(term.powers, t, strict=True):
                weight = weight * x ** (p - 1) / math.gamma(p)
            if term.rule is None:
                v, e = np.ones(n), np.zeros(n)
            else:
                found = term.rule(laws)
                v, e = (np.broadcast_to(x, (n, 1))[:, 0] for x in (found.value, found.error))
            value += weight * v
            error += np.abs(weight) * (e + (np.abs(v) + e) * relative)
        return value, np.where(part < _MOST_MOVED, error, np.inf)


def _law(s: LaplaceSum, c: Array, slack: Array) -> _Law | None:
    """The law of the basis; None where it is not that of a covariance."""
    if (np.abs(c).max(axis=1) > 0)[np.diag(c) <= 0].any():
        return None
    rows, size = s.basis, np.abs(s.basis)
    g = rows @ c @ rows.T
    errors = size @ (slack + 2 * _EPS * len(c) * np.abs(c)) @ size.T
    d = np.sqrt(np.maximum(np.diag(g), 0.0))
    if not np.isfinite(d).all():
        return None
    d = np.where(d > 0, d, 1.0)
    values, vectors = np.linalg.eigh(g / np.outer(d, d))
    # What was dropped and what rounding made of the root is seen in the difference below.
    floor = 4 * _EPS * len(d)
    if values[0] < -floor - float((errors / np.outer(d, d)).sum(axis=1).max()):
        return None
    keep = values > floor
    root = d[:, None] * vectors[:, keep] * np.sqrt(values[keep])
    errors = errors + np.abs(root @ root.T - g) + 2 * _EPS * np.outer(d, d)
    return _Law(errors, root, s.dependent(c, slack))


class _Line:
    """The nodes of one t_k and their weights, to be extended until nothing is left."""

    def __init__(self, k: int, s: LaplaceSum, law: _Law, h: float):
        self.k, self.sum, self.law = k, s, law
        self.powers = [term.powers[k] for term in s.terms]
        self.odd = all((2 * p) % 2 == 1 for p in self.powers)
        self.h = h if self.odd else _WIDER * h
        largest = float(np.linalg.eigvalsh(law.root.T @ s.squares[k].matrix @ law.root)[-1])
        self.unit = 1 / math.sqrt(2 * largest) if largest > 0 else 1.0
        # The first terms are t^p = e^{−p e^{−x}}, up to factors.
        self.first = 0 if self.odd else -math.ceil(math.log(40 / min(self.powers)) / self.h)

    def extend(self, tol: float) -> bool:
        """Chooses the last node, by the sizes where the other t's are about their units; whether there is one."""
        count = math.ceil(_REACH / self.h)
        self._place(count)
        total = np.zeros(count)
        others = [k for k in range(len(self.sum.squares)) if k != self.k]
        for at in itertools.product((0.3, 1.0, 3.0), repeat=len(others)):
            t = np.ones((len(self.sum.squares), count))
            t[self.k] = self.nodes
            for k, x in zip(others, at, strict=True):
                t[k] = (x * _Line(k, self.sum, self.law, self.h).unit) ** 2
            value, _ = self.law.summed(self.sum, t)
            sizes = np.abs(value) * self.weights
            if not np.isfinite(sizes).all():
                return False
            total = np.maximum(total, sizes / (sizes.sum() or 1.0))
        large = np.flatnonzero(total > _FALLEN * max(tol, 1e-14))
        last = int(large[-1]) + 2 if len(large) else 2
        if last >= count:
            return False
        self._place(last)
        return True

    def lengthen(self) -> bool:
        """Half as many nodes more, where the terms fell more slowly than expected; whether there is room."""
        count = min(math.ceil(1.5 * len(self.nodes)), math.ceil(_REACH / self.h))
        longer = count > len(self.nodes)
        if longer:
            self._place(count)
        return longer

    def error(self, terms: Array, whole: float, size: float) -> float:
        """The error of the rule, from coarser ones: it falls as e^{−c/h} times a wave that may vanish for one of them.

        If steps q h have the relative error r, the step h has r^q, or a lower power where e^{−tε} limits the strip.
        """
        if not size > 0:
            return 0.0
        parts = [0.0]
        for q in (2, 3, 4):
            # Even functions are known on the half line alone.
            starts = (0,) if self.odd else range(q)
            change = max(abs(whole - q * float(terms[i::q].sum())) for i in starts) / size
            parts.append(change ** (_SLOWER * q))
        return _MARGIN * size * max(parts)

    def _place(self, count: int) -> None:
        x = self.h * (self.first + np.arange(count))
        if self.odd:
            s = self.unit * np.sinh(x)
            # 2 s ds, of which half of the node 0 belongs to the other half of the line.
            s[0] = 1e-150
            self.weights = 2 * s * self.unit * np.cosh(x) * self.h
            self.weights[0] *= 0.5
            self.nodes = s * s
        else:
            self.nodes = self.unit**2 * np.exp(x - np.exp(-x))
            self.weights = self.nodes * (1 + np.exp(-x)) * self.h

    def before(self, value: Array, k: int) -> float:
        """What lies before the first node."""
        return 0.0 if self.odd else float(np.abs(value.take(0, axis=k)).sum())


def laplace_sum(block: Expr, symbols: Sequence[Sym]) -> LaplaceSum | None:
    """The rule for sums of products with negative powers of quadratic forms; None for other blocks."""
    if not any(_is_power(node) and len(node.free & frozenset(symbols)) > 1 for node in postorder(block)):
        return None
    return _read(block, tuple(symbols))


def _is_power(e: Expr) -> bool:
    return isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value < 0


@lru_cache(maxsize=4096)
def _read(block: Expr, symbols: tuple[Sym, ...]) -> LaplaceSum | None:
    gaussians = frozenset(symbols)
    if is_singular(block) or not block.free <= gaussians:
        return None
    names: dict[Form, Sym] = {}

    def name(form: Form) -> Sym:
        if len(form) == 1 and form[0][1] is ONE:
            return form[0][0]
        return names.setdefault(form, Sym(("form", len(names))))

    e = pulled(in_linear_forms(pulled(canonical(block)), gaussians, name))
    used = tuple(s for s in (*symbols, *names.values()) if s in e.free)
    terms = expand(e, frozenset(used))
    if not 0 < len(terms) <= _MOST_TERMS:
        return None
    rows = np.zeros((len(used), len(symbols)))
    forms = {s: form for form, s in names.items()}
    for i, s in enumerate(used):
        for z, x in forms.get(s, ((s, ONE),)):
            if not isinstance(x, Const):
                return None
            rows[i, symbols.index(z)] = float(x.value)
    bases: dict[Expr, int] = {}
    split: list[tuple[float, dict[Expr, float], Expr]] = []
    for t in terms:
        if t.scalar is not ONE:
            return None
        powers: dict[Expr, float] = {}
        rest: list[Expr] = []
        for f in factors_of(t.product):
            base, _ = integer_power(f)
            if _is_power(f) and len(f.free) > 1:
                assert isinstance(f, Pow) and isinstance(f.exponent, Const)
                powers[f.base] = powers.get(f.base, 0.0) - float(f.exponent.value)
                bases.setdefault(f.base, len(bases))
            else:
                rest.append(f)
        split.append((float(t.coefficient), powers, canonical(mul(*rest))))
    # Each term needs each form, since they share one integral.
    if not 0 < len(bases) <= _MOST_FORMS or any(len(powers) < len(bases) for _, powers, _ in split):
        return None
    basis, spread = _independent_rows(rows)
    squares, joined = [], np.eye(len(used))
    for base in bases:
        square = _square(base, used)
        if square is None:
            return None
        joined = joined + (square.matrix != 0)
        squares.append(_Square(spread.T @ square.matrix @ spread, square.least))
    out = []
    for number, powers, product in split:
        rule = None
        if product is not ONE:
            inner = [s for s in used if s in product.free]
            rule = truncated_moment(product, inner) or closed_form(product, inner)
            if rule is None:
                return None
        out.append(_Term(number, tuple(powers[b] for b in bases), rule))
    return LaplaceSum(symbols, used, basis, spread, joined, tuple(squares), tuple(out))


def _independent_rows(rows: Array) -> tuple[Array, Array]:
    """The rows R that do not depend on those before them, and A with rows = A R."""
    kept: list[int] = []
    for i in range(len(rows)):
        if np.linalg.matrix_rank(rows[[*kept, i]], tol=_DEPENDENT) > len(kept):
            kept.append(i)
    out = np.linalg.lstsq(rows[kept].T, rows.T, rcond=None)[0].T
    out[np.abs(out) < _DEPENDENT] = 0.0
    out[kept] = np.eye(len(kept))
    return rows[kept], out


def _square(base: Expr, symbols: tuple[Sym, ...]) -> _Square | None:
    """ε and B of a nonnegative quadratic form about 0."""
    place = {s: i for i, s in enumerate(symbols)}
    b, least = np.zeros((len(symbols), len(symbols))), 0.0
    for t in expand(base, frozenset(symbols)):
        if t.scalar is not ONE:
            return None
        pairs = [integer_power(f) for f in factors_of(t.product)]
        if not pairs:
            least += float(t.coefficient)
            continue
        if sum(k for _, k in pairs) != 2 or not all(s in place for s, _ in pairs):
            return None
        i, j = place[pairs[0][0]], place[pairs[-1][0]]  # type: ignore[index]
        b[i, j] += float(t.coefficient) / 2
        b[j, i] += float(t.coefficient) / 2
    values = np.linalg.eigvalsh(b)
    if values[0] < -1e-14 * values[-1] or least < 0:
        return None
    return _Square(b, least)
