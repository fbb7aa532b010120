"""A graph of ATen operations carried out on tensors of entries."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten, tree_map

from netsor.importer.arrays import Array
from netsor.importer.export import Exported, Node, Use
from netsor.importer.laws import fit
from netsor.importer.parameters import MATRIX, Parameters, lift
from netsor.importer.refusal import Place, Refusal
from netsor.importer.tensors import Objects, Size, Tensor, empty
from netsor.importer.terms import Entry, Term, input_number, multiple, num, of_power

Rule = Callable[..., Any]


class Constant:
    """A tensor of numbers, at each width."""

    def __init__(self, values: tuple[torch.Tensor, ...]):
        self.values = values


class Varying:
    """Numbers or lists that are different at each width, and are not a power of it."""

    def __init__(self, values: tuple[Any, ...]):
        self.values = values


class Tokens:
    """Integers of an example: tokens, which an embedding takes as one-hot rows."""

    def __init__(self, numbers: Objects):
        self.numbers = numbers


class Translation:
    """The state of a translation: the values of nodes, and the arrays that were made."""

    def __init__(self, exported: Exported, parameters: Parameters, rules: dict[str, Rule]):
        self.exported, self.parameters, self.rules = exported, parameters, rules
        self.values: dict[str, Any] = {}
        self.arrays: list[Array] = []
        self.place = Place()
        self.notes: list[str] = []
        self.vocabulary: dict[int, int] = {}
        self.node: Node | None = None

    def run(self) -> list[Tensor]:
        self._inputs()
        for node in self.exported.nodes:
            self.node, self.place = node, node.place
            try:
                self.values[node.name] = self._apply(node)
            except Refusal as refused:
                if refused.place is None:
                    refused.place = node.place
                raise
        outputs = [self.values[name] for name in self.exported.outputs]
        return [self.symbolic(v) for v in outputs]

    # Values

    def _inputs(self) -> None:
        self.input_shapes: list[tuple[int, ...]] = []
        start = 0
        self.input_starts: list[int] = []
        for name, (kind, what) in self.exported.placeholders.items():
            if kind == "input":
                examples: list[Any] = [e[what] if what < len(e) else None for e in self.exported.examples]
                if not all(isinstance(e, torch.Tensor) for e in examples):
                    self.values[name] = examples[0]
                    continue
                sizes = self.exported.sizes(examples)
                if any(s.width for s in sizes):
                    raise Refusal(
                        "the example has an axis that grows with the width",
                        hint="let the module begin with a layer from finitely many numbers to the width",
                    )
                shape = tuple(s.c for s in sizes)
                entries = empty(shape)
                for k, index in enumerate(_indices(shape)):
                    entries[index] = input_number(start + k) if examples[0].is_floating_point() else start + k
                self.input_shapes.append(shape)
                self.input_starts.append(start)
                start += entries.size
                if examples[0].is_floating_point():
                    self.values[name] = Tensor(tuple((s,) for s in shape), entries)
                else:
                    self.values[name] = Tokens(entries)
            elif kind in ("parameter", "buffer"):
                # A parameter that no operation uses may have any law.
                self.values[name] = _Later(what, kind == "buffer")
            else:
                self.values[name] = Constant(tuple(_double(c[what]) for c in self.exported.constants))

    def look_up(self, name: str) -> Any:
        value = self.values[name]
        if isinstance(value, _Later):
            found = self.parameters.tensor(value.path, value.buffer)
            if found is None:
                value = Constant(tuple(_attribute(m, value.path) for m in self.exported.modules))
            else:
                value = found
            self.values[name] = value
        return value

    def symbolic(self, value: Any) -> Tensor:
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Constant):
            return lift(self.exported, value.values)
        if isinstance(value, Entry):
            entries = empty(())
            entries[()] = value
            return Tensor((), entries)
        if isinstance(value, (int, float)):
            return self.symbolic(num(float(value)))
        if isinstance(value, Varying) and isinstance(value.values[0], (int, float)):
            found = fit([float(v) for v in value.values], self.exported.units)
            if found is None:
                raise Refusal(
                    "a number depends on the width otherwise than as a power of it: "
                    + ", ".join(f"{v:g} at n = {w}" for v, w in zip(value.values, self.exported.widths))
                )
            return self.symbolic(of_power(found))
        if isinstance(value, Tokens):
            raise Refusal("the tokens of the example are used otherwise than in an embedding")
        raise Refusal(f"a value of the kind {type(value).__name__} is used as a tensor")

    # Operations

    def _apply(self, node: Node) -> Any:
        if node.target is operator.getitem:
            source = self.look_up(node.args[0][0].name)
            return source[node.args[0][1]]
        args, kwargs = self._arguments(node)
        leaves, _ = tree_flatten((args, kwargs))
        name = node.target._schema.name.removeprefix("aten::") if hasattr(node.target, "_schema") else str(node.target)
        if name.startswith("_assert") or name in ("sym_constrain_range", "sym_size"):
            return None
        if not any(isinstance(x, (Tensor, Tokens)) for x in leaves):
            return self._constant(node)
        rule = self.rules.get(name)
        if rule is None:
            raise Refusal(
                f"the operation `{name}` has no translation",
                "the table in docs/pytorch.md lists the operations that have one",
            )
        return rule(self, *args, **kwargs)

    def _arguments(self, node: Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def merge(values: tuple[Any, ...]) -> Any:
            first = values[0]
            if isinstance(first, Use):
                return self.look_up(first.name)
            if isinstance(first, (list, tuple)):
                if any(len(v) != len(first) for v in values):
                    return Varying(values)
                return [merge(v) for v in zip(*values)]
            if all(type(v) is type(first) and v == first for v in values):
                return first
            if isinstance(first, float) or isinstance(first, int) and not isinstance(first, bool):
                found = fit([float(v) for v in values], self.exported.units)
                if found is not None and isinstance(first, float):
                    return of_power(found)
            return Varying(values)

        args = tuple(merge(v) for v in zip(*node.args))
        kwargs = {k: merge(tuple(x[k] for x in node.kwargs)) for k in node.kwargs[0]}
        return args, kwargs

    def _constant(self, node: Node) -> Any:
        """An operation on numbers alone, carried out by torch at each width."""
        results = []
        for k in range(len(self.exported.widths)):

            def number(x: Any, k: int = k) -> Any:
                if isinstance(x, Use):
                    value = self.look_up(x.name)
                    return value.values[k] if isinstance(value, Constant) else value
                return x

            args = tree_map(number, node.args[k], is_leaf=lambda x: isinstance(x, Use))
            kwargs = dict(tree_map(number, node.kwargs[k], is_leaf=lambda x: isinstance(x, Use)))
            if "dtype" in kwargs and kwargs["dtype"] == torch.float32:
                kwargs["dtype"] = torch.float64
            results.append(node.target(*args, **kwargs))
        if isinstance(results[0], torch.Tensor):
            return Constant(tuple(results))
        if isinstance(results[0], (tuple, list)):
            return [Constant(tuple(parts)) for parts in zip(*results)]
        return results[0]

    def output_sizes(self, item: int | None = None) -> list[Size]:
        """The sizes of the result of the operation at hand."""
        assert self.node is not None
        values = self.node.values if item is None else [v[item] for v in self.node.values]
        return self.exported.sizes(values)

    def emit(self, t: Tensor, hint: str) -> Tensor:
        """The tensor with a variable for each entry that is not one already."""
        shape = t.entries.shape
        array = Array(hint, shape, place=self.place)
        out = empty(shape)
        for index in _indices(shape):
            e = t.entries[index]
            if e.term.op in ("num", "var", "form") or e.kind == MATRIX or multiple(e.term) is not None:
                out[index] = e
                continue
            array.terms[index] = e.term
            out[index] = Entry(Term("var", (), (array, index), e.kind, e.term.live), e.power)
        if array.terms:
            self.arrays.append(array)
        return Tensor(t.axes, out)


class _Later:
    """A parameter or buffer that no operation has used so far."""

    def __init__(self, path: str, buffer: bool):
        self.path, self.buffer = path, buffer


def _attribute(module: Any, path: str) -> torch.Tensor:
    for part in path.split("."):
        module = getattr(module, part)
    return _double(module.detach())


def _double(value: torch.Tensor) -> torch.Tensor:
    return value.double() if value.is_floating_point() else value


def _indices(shape: tuple[int, ...]) -> Any:
    return np.ndindex(*shape)
