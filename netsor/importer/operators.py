"""Matrices on the width that are made of others: outer products, sums, products, rows and columns that are scaled.

No variable of a network is such a matrix, but what it makes of a vector is: (Σ_t a_t b_tᵀ) x = Σ_t (b_t·x) a_t. An
operator is kept as it is until it meets a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsor.importer.parameters import MATRIX
from netsor.importer.refusal import Refusal
from netsor.importer.terms import NIL, ONE, VECTOR, Entry, Term, add, div, dot, matmul, mul

ONES = Entry(Term("ones", kind=VECTOR))


@dataclass(frozen=True)
class Outer:
    """a bᵀ."""

    a: Entry
    b: Entry

    def times(self, x: Entry, transposed: bool) -> Entry:
        left, right = (self.b, self.a) if transposed else (self.a, self.b)
        return mul(left, dot(right, x))


@dataclass(frozen=True)
class Sum:
    parts: tuple[Entry, ...]

    def times(self, x: Entry, transposed: bool) -> Entry:
        return add(*(act(p, x, transposed) for p in self.parts))


@dataclass(frozen=True)
class Product:
    """A B."""

    a: Entry
    b: Entry

    def times(self, x: Entry, transposed: bool) -> Entry:
        first, then = (self.a, self.b) if transposed else (self.b, self.a)
        return act(then, act(first, x, transposed), transposed)


@dataclass(frozen=True)
class Scaled:
    """diag(a) W diag(b), of vectors or numbers a and b."""

    a: Entry
    matrix: Entry
    b: Entry

    def times(self, x: Entry, transposed: bool) -> Entry:
        left, right = (self.b, self.a) if transposed else (self.a, self.b)
        return mul(left, act(self.matrix, mul(right, x), transposed))


@dataclass(frozen=True)
class Transposed:
    matrix: Entry

    def times(self, x: Entry, transposed: bool) -> Entry:
        return act(self.matrix, x, not transposed)


Operator = Outer | Sum | Product | Scaled | Transposed


def act(matrix: Entry, x: Entry, transposed: bool) -> Entry:
    """W x or Wᵀ x."""
    if matrix.is_zero or x.is_zero:
        return NIL
    if x.kind == MATRIX:
        raise AssertionError
    if x.kind != VECTOR:
        x = mul(x, ONES)
    t = matrix.term
    if t.op == "operator":
        found: Entry = t.value.times(x, transposed)
        return Entry(found.term, found.power + matrix.power)
    if t.op == "prod":
        *factors, inner = t.args
        return mul(*map(Entry, factors), matmul(Entry(inner, matrix.power), transposed, x))
    return matmul(matrix, transposed, x)


def _made(operator: Operator) -> Entry:
    return Entry(Term("operator", (), operator, MATRIX))


def outer(a: Entry, b: Entry) -> Entry:
    """a bᵀ; a number or a scalar stands for a vector of equal coordinates."""
    return NIL if a.is_zero or b.is_zero else _made(Outer(a, b))


def transposed(e: Entry) -> Entry:
    if e.kind != MATRIX:
        return e
    return e.term.value.matrix if isinstance(e.term.value, Transposed) else _made(Transposed(e))


def sum_of(parts: Sequence[Entry]) -> Entry:
    parts = [p if p.kind == MATRIX else outer(p, ONES) for p in parts if not p.is_zero]
    return NIL if not parts else parts[0] if len(parts) == 1 else _made(Sum(tuple(parts)))


def product_of(a: Entry, b: Entry) -> Entry:
    return NIL if a.is_zero or b.is_zero else _made(Product(a, b))


def scaled(x: Entry, y: Entry) -> Entry:
    """The product entry by entry, where one of the two is a number, a scalar or an outer product."""
    factor, matrix = (x, y) if y.kind == MATRIX and (x.kind != MATRIX or _is_outer(x)) else (y, x)
    if factor.is_zero or matrix.is_zero:
        return NIL
    if factor.kind != MATRIX:
        number = factor.number
        if number is None or matrix.term.op == "operator":
            return _made(Scaled(factor, matrix, ONE))
        *inner, w = matrix.term.args if matrix.term.op == "prod" else (matrix.term,)
        c = mul(factor, *map(Entry, inner))
        return Entry(w if c.term.value.c == 1 else Term("prod", (c.term, w), kind=MATRIX), matrix.power + c.power)
    if not _is_outer(factor):
        raise Refusal("two matrices are multiplied entry by entry", "only sums and products of matrices act on vectors")
    a, b = factor.term.value.a, factor.term.value.b
    a = Entry(a.term, a.power + factor.power)
    if _is_outer(matrix):
        made = outer(mul(a, matrix.term.value.a), mul(b, matrix.term.value.b))
        return Entry(made.term, made.power + matrix.power)
    return _made(Scaled(a, matrix, b))


def inverse(e: Entry) -> Entry:
    """1/e entry by entry."""
    if e.kind != MATRIX:
        return div(ONE, e)
    if not _is_outer(e):
        raise Refusal("a number is divided by the entries of a matrix")
    return outer(div(ONE, e.term.value.a), div(ONE, e.term.value.b))


def _is_outer(e: Entry) -> bool:
    return e.term.op == "operator" and isinstance(e.term.value, Outer)
