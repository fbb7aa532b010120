"""Reverse-mode differentiation of numpy code, on a tape: what the derived programs are compared with."""

from __future__ import annotations

import numpy as np
from scipy.special import erf as _erf


class Var:
    """An array and how its gradient flows back."""

    __array_priority__ = 100

    def __init__(self, value, parents=()):
        self.value = np.asarray(value, dtype=float)
        self.parents = parents
        self.grad = np.zeros_like(self.value)

    def __add__(self, o):
        o = var(o)
        return Var(self.value + o.value, ((self, lambda g: _fit(g, self)), (o, lambda g: _fit(g, o))))

    __radd__ = __add__

    def __mul__(self, o):
        o = var(o)
        return Var(
            self.value * o.value, ((self, lambda g: _fit(g * o.value, self)), (o, lambda g: _fit(g * self.value, o)))
        )

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, o):
        return self + (-var(o))

    def __rsub__(self, o):
        return var(o) + (-self)

    def __pow__(self, k):
        return Var(self.value**k, ((self, lambda g: g * k * self.value ** (k - 1)),))

    def __truediv__(self, o):
        return self * var(o) ** -1.0

    def __matmul__(self, o):
        o = var(o)

        def left(g):
            return np.outer(g, o.value) if self.value.ndim == 2 else g * o.value

        def right(g):
            return self.value.T @ g if self.value.ndim == 2 else g * self.value

        return Var(self.value @ o.value, ((self, left), (o, right)))

    @property
    def T(self):
        return Var(self.value.T, ((self, lambda g: g.T),))

    def mean(self):
        n = self.value.size
        return Var(self.value.mean(), ((self, lambda g: np.full(self.value.shape, g / n)),))


def var(x):
    return x if isinstance(x, Var) else Var(x)


def _fit(g, to):
    return g.sum() if to.value.ndim == 0 and np.ndim(g) else g * np.ones_like(to.value)


def tanh(x):
    t = np.tanh(x.value)
    return Var(t, ((x, lambda g: g * (1 - t**2)),))


def erf(x):
    return Var(_erf(x.value), ((x, lambda g: g * 2 / np.sqrt(np.pi) * np.exp(-(x.value**2))),))


def relu(x):
    return Var(np.maximum(x.value, 0), ((x, lambda g: g * (x.value > 0)),))


def log(x):
    return Var(np.log(x.value), ((x, lambda g: g / x.value),))


def exp(x):
    e = np.exp(x.value)
    return Var(e, ((x, lambda g: g * e),))


def backpropagate(root: Var) -> None:
    """Fill `grad` of everything below a number."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((p, False) for p, _ in node.parents)
    for node in order:
        node.grad = np.zeros_like(node.value)
    root.grad = np.ones_like(root.value)
    for node in reversed(order):
        for parent, pull in node.parents:
            parent.grad = parent.grad + pull(node.grad)


def sgd(model, unit, batches, loss, lr, steps, rows, everything):
    """Plain SGD on unit parameters: `model(params, row)` gives the outputs, `everything` are the rows to report on.

    Returns [t][row][output].
    """

    def report():
        return [[float(f.value) for f in model({k: Var(w) for k, w in unit.items()}, x)] for x in everything]

    unit = dict(unit)
    history = [report()]
    for t in range(steps):
        params = {k: Var(w) for k, w in unit.items()}
        total = var(0.0)
        for r in batches[t]:
            total = total + loss(model(params, rows[r]), r)
        backpropagate(total / float(len(batches[t])))
        unit = {k: w - lr * params[k].grad for k, w in unit.items()}
        history.append(report())
    return history
