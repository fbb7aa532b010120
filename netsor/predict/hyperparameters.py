"""Kernels of a network as functions of its `param` lines, with exact derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from netsor.check.hyperparameters import with_symbols
from netsor.check.names import params_of
from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue import derived
from netsor.gaussian import NoPointwiseMeaning
from netsor.kernels import Kernel
from netsor.kernels.gradient import infer_gradient
from netsor.syntax import ast, read_document
from netsor.transform.tangent import Formulas, NotDifferentiable, tangents


@dataclass(frozen=True)
class Family:
    """A network's text and what is given for its `param` and `data` lines."""

    source: Source
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def at(self, values: Mapping[str, float]) -> Family:
        """The network with other values of parameters."""
        made = Family(self.source, {**self.settings, **values}, self.data)
        made.__dict__["tree"] = self.tree
        return made

    @cached_property
    def tree(self) -> ast.File:
        """The syntax of the text; raises NetsorError where it has faults."""
        parsed = read_document(self.source)
        if parsed.file is None or parsed.faults:
            raise NetsorError(parsed.faults)
        return parsed.file

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The `param` lines, in their order."""
        return params_of(self.tree)

    @cached_property
    def values(self) -> dict[str, float]:
        """The parameters by which kernels have derivatives, with their values; those of the structure are left out."""
        out = {}
        for name in self.names:
            made = with_symbols(self.tree, self.settings, self.data, (name,))
            if made is not None:
                out[name] = next(c.limit for c in made[0].constants if c.name == name)
        return out

    def formulas(self, names: Sequence[str]) -> Formulas:
        """How the network depends on some parameters; raises NetsorError (E666) where it has no derivative by one."""
        for name in names:
            if name not in self.values:
                raise _no_derivative(name, self.names, tuple(self.values))
        made = with_symbols(self.tree, self.settings, self.data, names)
        assert made is not None
        return Formulas(made[0], {n: self.values[n] for n in names}, made[1])

    def gradient(
        self, names: Sequence[str], inputs: Any, which: str = "nngp", tol: float = 1e-10, budget: float | None = None
    ) -> tuple[Kernel, dict[str, Kernel]]:
        """A kernel and its derivatives by parameters; raises NetsorError as `infer_gradient`, and E666."""
        known = self.formulas(names)
        try:
            return infer_gradient(tangents(known, names), inputs, which, tol, budget)
        except (NotDifferentiable, NoPointwiseMeaning) as fault:
            raise NetsorError(derived.no_gradient(known.network.name, which, fault)) from None


def _no_derivative(name: str, names: Sequence[str], known: Sequence[str]) -> NetsorError:
    return NetsorError(derived.no_parameter(name, name in names, known))
