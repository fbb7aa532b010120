"""The laws of weights, recorded while a factory runs: what each element was drawn from and what was done to it since.

A dispatch mode sees every operation below autograd. For each storage it keeps an integer for each element, which
numbers a `Law`; 0 is what was computed without chance. Operations in place write where the tensor views its storage.
An operation on random elements that is not in the tables leaves them with an unknown law, which names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from netsor.importer.laws import Law

_aten: Any = torch.ops.aten

# Operations whose result holds elements of their arguments: they are applied to the numbers of laws as well.
_MOVES = {
    "clone", "cat", "stack", "index_select", "index", "gather", "repeat", "flip", "roll", "tril", "triu",
    "constant_pad_nd", "contiguous", "lift_fresh_copy", "alias_copy", "_to_copy", "view_copy", "slice_backward",
    "where", "masked_fill",
}  # fmt: skip
_AFFINE = {"mul", "div", "add", "sub", "neg", "rsub", "fill", "mul_", "div_", "add_", "sub_", "neg_"}


def _normal(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Law:
    values = [*args[1:], *(kwargs[k] for k in ("mean", "std") if k in kwargs)]
    mean, std = (float(v) for v in (*values, *(0.0, 1.0)[len(values) :]))
    return Law("normal", mean, std)


def _uniform(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Law:
    values = [*args[1:], *(kwargs[k] for k in ("from", "to") if k in kwargs)]
    low, high = (float(v) for v in (*values, *(0.0, 1.0)[len(values) :]))
    return Law("uniform", (low + high) / 2, (high - low) / 2)


# Operations that draw into their first argument, or into their result.
_DRAWS: dict[str, Callable[[tuple[Any, ...], dict[str, Any]], Law]] = {
    "normal_": _normal,
    "uniform_": _uniform,
    "randn": lambda args, kwargs: Law("normal", 0.0, 1.0),
    "randn_like": lambda args, kwargs: Law("normal", 0.0, 1.0),
    "rand": lambda args, kwargs: Law("uniform", 0.5, 0.5),
    "rand_like": lambda args, kwargs: Law("uniform", 0.5, 0.5),
}


class Recorder(TorchDispatchMode):  # type: ignore[misc,unused-ignore]
    """Follows laws through everything that torch does while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.laws: list[Law] = [Law("constant")]
        self._numbers: dict[int, torch.Tensor] = {}
        self._kept: list[Any] = []  # an address of memory is one tensor's as long as that tensor lives
        self._draws = 0

    def of(self, t: torch.Tensor) -> torch.Tensor | None:
        """The numbers of the laws of a tensor's elements; None where nothing in it is random."""
        numbers = self._numbers.get(_address(t))
        if numbers is None or not numbers.any():
            return None
        return numbers.as_strided(t.size(), t.stride(), t.storage_offset())

    def canonical(self) -> torch.Tensor:
        """For the number of each law the first number that stands for the same law."""
        first: dict[Law, int] = {}
        return torch.tensor([first.setdefault(law, k) for k, law in enumerate(self.laws)])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        before = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        result = func(*args, **kwargs)
        if not isinstance(result, torch.Tensor):
            out = kwargs.get("out")
            result_tensors = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
            if out is None and any(self.of(t) is not None for t in before):
                for t in result_tensors:
                    if all(_address(t) != _address(b) for b in before):
                        self._write(t, self._unknown(name))
            return result
        self._follow(func, name, args, kwargs, before, result)
        return result

    def _follow(self, func: Any, name: str, args: Any, kwargs: Any, before: list[Any], result: torch.Tensor) -> None:
        in_place = name.endswith("_") and not name.endswith("__")
        if name in _DRAWS:
            law = _DRAWS[name](args, kwargs)
            self._write(result, self._draw(law, result))
            return
        random = any(self.of(t) is not None for t in before)
        if name in ("zero_", "fill_"):
            self._write(result, 0)
            return
        if name == "copy_":
            source = self.of(args[1])
            self._write(result, 0 if source is None else source)
            return
        if not random or (not in_place and any(_address(result) == _address(t) for t in before)):
            return
        if name in _MOVES:
            self._write(result, self._moved(func, args, kwargs))
        elif name in _AFFINE and (changed := self._affine(name.removesuffix("_"), args, kwargs, result)) is not None:
            self._write(result, changed)
        else:
            self._write(result, self._unknown(name))

    def _draw(self, law: Law, t: torch.Tensor) -> int:
        self._draws += 1
        self.laws.append(Law(law.kind, law.mean, law.scale, self._draws))
        return len(self.laws) - 1

    def _unknown(self, name: str) -> int:
        self.laws.append(Law("unknown", why=name))
        return len(self.laws) - 1

    def _moved(self, func: Any, args: Any, kwargs: Any) -> Any:
        def numbers(t: torch.Tensor) -> torch.Tensor:
            found = self.of(t)
            if found is not None:
                return found.clone()
            is_index = t.dtype in (torch.bool, torch.long, torch.int) and t is not args[0]
            return t if is_index else torch.zeros(t.size(), dtype=torch.long)

        name = func._schema.name.removeprefix("aten::")
        if name == "_to_copy":
            return self.of(args[0])
        if name in ("constant_pad_nd", "masked_fill"):
            args, kwargs = (*args[:2], 0), {}
        return func(*tree_map_only(torch.Tensor, numbers, args), **tree_map_only(torch.Tensor, numbers, kwargs))

    def _affine(self, name: str, args: Any, kwargs: Any, result: torch.Tensor) -> torch.Tensor | None:
        """The laws after a product with, or a sum with, a number without chance."""
        operands = [*args, None][:2]
        alpha = float(kwargs.get("alpha", 1.0))
        random = [isinstance(a, torch.Tensor) and self.of(a) is not None for a in operands]
        if random == [True, True]:
            return None
        other = operands[1 - random.index(True)]
        if isinstance(other, torch.Tensor):
            if other.numel() != 1:
                return None
            other = float(other)
        value = 0.0 if other is None else float(other)
        at_left = random[0]
        if name == "neg":
            factor, shift = -1.0, 0.0
        elif name == "mul":
            factor, shift = value, 0.0
        elif name == "div" and at_left and kwargs.get("rounding_mode") is None:
            factor, shift = 1.0 / value, 0.0
        elif name == "add":
            factor, shift = (1.0, alpha * value) if at_left else (alpha, value)
        elif name in ("sub", "rsub"):
            one, two = (1.0, -alpha) if name == "sub" else (-alpha, 1.0)
            factor, shift = (one, two * value) if at_left else (two, one * value)
        else:
            return None
        numbers = self.of(operands[random.index(True)])
        assert numbers is not None
        out = torch.zeros(result.size(), dtype=torch.long)
        numbers = numbers.expand(result.size())
        for k in numbers.unique().tolist():
            if k == 0 and not math.isfinite(factor):
                return None
            self.laws.append(self.laws[k].affine(factor, shift))
            if k:
                out[numbers == k] = len(self.laws) - 1
        return out

    def _write(self, t: torch.Tensor, numbers: Any) -> None:
        address = _address(t)
        held = self._numbers.get(address)
        if held is None:
            if isinstance(numbers, int) and numbers == 0:
                return
            storage = t.untyped_storage()
            self._kept.append(storage)
            held = self._numbers[address] = torch.zeros(max(1, storage.nbytes() // t.element_size()), dtype=torch.long)
        if t.numel():
            held.as_strided(t.size(), t.stride(), t.storage_offset())[...] = numbers


def _address(t: torch.Tensor) -> int:
    return int(t.untyped_storage()._cdata)
