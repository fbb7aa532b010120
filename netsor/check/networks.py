"""What only networks have: readouts, and the parameters that SGD updates (Setup D.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netsor.check import faults
from netsor.check.claims import Claims
from netsor.check.faults import Fault
from netsor.check.scope import Indices, core_name
from netsor.check.values import (
    POISON,
    Family,
    InputMatrixValue,
    MatrixValue,
    Poison,
    Scalar,
    kind_name,
)
from netsor.core import Moment, Readout, Trained
from netsor.expr import ONE, WIDTH, Add, Const, Expr, Mul, Pow, Sym, mul, power, split_coefficient
from netsor.syntax import ast


class Networks(Claims):
    """The part of the checker for what only networks have."""

    def __init__(
        self,
        file: ast.File,
        settings: Mapping[str, Any],
        data: Mapping[str, Any],
        lost: Iterable[str],
        partial: Iterable[str] = (),
    ) -> None:
        super().__init__(file, settings, data, lost, partial)
        self.readouts: list[Readout] = []
        self.train: list[Trained] | None = None

    def readout(self, node: ast.Output) -> None:
        """f = Σ c vᵀ x / √n (Setup D.1)."""
        text = node.value.span.text
        name = (
            core_name(node.target.name, self.indices(node.target))
            if node.target
            else f"f{len(self.readouts) + 1}"
            if self.readouts
            else "f"
        )
        outer_stem, self.stem = self.stem, name
        mark = len(self.emitter.instructions)
        try:
            value = self.numeric(node.value)
        finally:
            self.stem = outer_stem
        if isinstance(value, Poison):
            return
        if not isinstance(value, Scalar):
            raise Fault(faults.readout_shape(node.value.span, text, name))
        if value.expr is Const(0):
            raise Fault(faults.readout_cancels(node.value.span, text))
        moments = {
            i.name: i for i in self.emitter.instructions if isinstance(i, Moment) and i.name in self.emitter.temporary
        }
        terms = []
        used = set()
        for term in value.expr.children if isinstance(value.expr, Add) else (value.expr,):
            c, rest = split_coefficient(term)
            factors = list(rest.children) if isinstance(rest, Mul) else [rest]
            roots = [f for f in factors if isinstance(f, Pow) and f.base is WIDTH and f.exponent is Const(0.5)]
            syms = [f for f in factors if isinstance(f, Sym) and f.name in moments]
            if len(factors) != 2 or not roots or not syms:
                raise Fault(faults.readout_shape(node.value.span, text, name))
            psi = moments[str(syms[0].name)].psi
            used.add(str(syms[0].name))
            pair = self.readout_pair(psi)
            if pair is None:
                raise Fault(faults.readout_shape(node.value.span, text, name))
            scale, v, x = pair
            terms.append((float(c * scale), v, x))
        kept = [i for i in self.emitter.instructions[mark:] if i.name not in used]
        self.emitter.forget(i.name for i in self.emitter.instructions[mark:] if i.name in used)
        self.emitter.instructions[mark:] = kept
        made = tuple((c, v, self.emitter.vector_name(name, x, node.span)) for c, v, x in terms)
        if node.target is not None:
            self.check_free(node.target.name, self.indices(node.target), node.target.span)
            self.home().bind(node.target.name, self.indices(node.target), POISON, node.target.span)
        self.readouts.append(Readout(name, made, node.span))

    def readout_pair(self, psi: Expr) -> tuple[float, str, Expr] | None:
        """ψ = c v x with v a declared vector of parameters."""
        declared = {n for g in self.groups for n in g.names}
        c, rest = split_coefficient(psi)
        factors = list(rest.children) if isinstance(rest, Mul) else [rest]
        for i, f in enumerate(factors):
            others = factors[:i] + factors[i + 1 :]
            if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value in range(2, 100):
                # One of the v's is the readout's, the others belong to the embedding.
                others.append(power(f.base, Const(f.exponent.value - 1)))
                f = f.base
            if isinstance(f, Sym) and f.name in declared:
                return float(c), str(f.name), mul(*others) if others else ONE
        return None

    def train_line(self, node: ast.Train) -> None:
        if not self.is_network:
            raise Fault(faults.train_in_program(node.span))
        if self.train is None:
            self.train = []
        for item in node.items:
            d = item.declarator
            base = self.scope.lookup(d.name)
            if base is None:
                if d.indices and not self.members(d):
                    continue  # an empty family, as W[2..L] is where L = 1
                raise self.unknown_fault(d.span, d.name)
            if isinstance(base, Family) and not d.indices:
                found: list[Indices] = sorted(base.members)
            else:
                found = self.members(d)
            multiplier = None if item.multiplier is None else float(self.number(item.multiplier, "a multiplier"))
            for indices in found:
                self.train_one(d, indices, multiplier)

    def train_one(self, d: ast.Declarator, indices: Indices, multiplier: float | None) -> None:
        assert self.train is not None
        value = self.scope.lookup(d.name)
        if indices:
            if not isinstance(value, Family) or indices not in value.members:
                members = sorted(value.members) if isinstance(value, Family) else []
                raise Fault(faults.index_out_of_range(d.span, d.name, indices, members, None))
            value = value.members[indices]
        name = core_name(d.name, indices)
        groups = {n: g for g in self.groups for n in g.names}
        if isinstance(value, Poison):
            return
        if not isinstance(value, (MatrixValue, InputMatrixValue)) and name not in groups:
            raise Fault(faults.train_not_parameter(d.span, name, kind_name(value) if value else "no variable"))
        if any(t.name == name for t in self.train):
            raise Fault(faults.trained_twice(d.span, name))
        if name in groups:
            g = groups[name]
            if multiplier is not None and len(g.names) > 1:
                raise Fault(faults.train_joint(d.span, name))
            if multiplier is None and all(x == 0 for row in g.covariance for x in row):
                raise Fault(faults.train_zero_variance(d.span, name))
        self.train.append(Trained(name, multiplier, d.span))
