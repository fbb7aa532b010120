"""Parameters: their arrays of matrices, vectors and numbers, with a law for each."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from netsor.importer.arrays import Array, Index, Integers
from netsor.importer.export import Exported
from netsor.importer.laws import Law, LawInWidth, Power, fit, in_width
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import COLUMN, ROW, Axis, Tensor, empty, of_sizes
from netsor.importer.terms import SCALAR, VECTOR, Entry, Term, fixed, of_power, variable

MATRIX = "matrix"


@dataclass(frozen=True)
class Laws:
    """The laws of the entries of a parameter: those that are different, and which of them each entry has."""

    distinct: tuple[LawInWidth, ...]
    which: Integers

    def __getitem__(self, index: Index) -> LawInWidth:
        return self.distinct[int(self.which[index])]


@dataclass(eq=False)
class Parameter:
    """A parameter of the module: an array of n×n matrices, vectors or numbers, and the law of each."""

    path: str
    kind: str
    trained: bool
    array: Array
    laws: Laws
    uniform_matrix: bool = False
    widths: tuple[bool, ...] = ()  # which axes of the tensor are the width

    # The powers of n of entries that start at zero, where their first use gives one.
    scales: dict[Index, Fraction] = field(default_factory=dict)
    interleaved: dict[int, int] = field(default_factory=dict)

    def interleave(self, which: int, inner: int) -> None:
        """Take the first (0) or second (1) axis of the width as units of `inner` entries, in parts of n units."""
        self.interleaved[which] = inner

    @property
    def wide(self) -> list[int]:
        """The axes of the tensor that are the width."""
        return [k for k, is_wide in enumerate(self.widths) if is_wide]

    @property
    def starts_at_zero(self) -> bool:
        return self.kind == VECTOR and all(law.scale.c == law.mean.c == 0 for law in self.laws.distinct)

    def rescaled(self, index: Index, power: Fraction) -> Fraction:
        """The power of an entry that starts at zero: that of its first use."""
        return self.scales.setdefault(index, power)

    def power(self, index: Index) -> Fraction:
        """p where the module's entries are n^p times those of unit size; those of a matrix N(0, s/n) are n^(-1/2)."""
        return self.scales.get(index, self.laws[index].power)

    def entry(self, index: Index) -> Entry:
        law = self.laws[index]
        if self.kind == MATRIX:
            return Entry(Term("var", (), (self.array, index), MATRIX), law.power + Fraction(1, 2))
        return Entry(variable(self.array, index, self.kind, False), law.power)


class Parameters:
    """All parameters that were asked for, by path."""

    def __init__(self, exported: Exported, init: Mapping[str, str], units: Mapping[tuple[str, int], int] | None = None):
        """`units` are those of `Refusal`, for parameters whose entries have one law."""
        self.exported, self.init, self.units = exported, dict(init), units or {}
        self.all: dict[str, Parameter] = {}
        self._draws: dict[int, str] = {}
        self._by_identity: dict[int, str] = {}
        self._named = [dict(m.named_parameters()) for m in exported.modules]
        unknown = sorted(set(self.init) - set(self._named[0]))
        if unknown:
            raise Refusal(
                f"--init names `{unknown[0]}`, which is not a parameter of the module",
                hint=f"its parameters are {', '.join(list(self._named[0])[:12])}",
            )

    def tensor(self, path: str, buffer: bool = False) -> Tensor | None:
        """The tensor of a parameter; None for a buffer that is not random, whose numbers are constants."""
        owners: list[Any] = []
        for m in self.exported.modules:
            owner: Any = m
            for part in path.split("."):
                owner = owner[int(part)] if part.isdigit() and not hasattr(owner, part) else getattr(owner, part)
            owners.append(owner)
        if buffer and all(r.of(t) is None for t, r in zip(owners, self.exported.recorders)):
            return None
        canonical = self._by_identity.setdefault(id(owners[0]), path)
        sizes = self.exported.sizes(owners)
        labels = iter((ROW, COLUMN))
        axes: list[Axis] = []
        for s in sizes:
            label = next(labels, None) if s.width else None
            if s.width and label is None:
                raise Refusal(
                    f"`{path}` has three axes that grow with the width; matrices have two",
                    "weights of a network are vectors and n×n matrices, not n×n×n numbers as in nn.Bilinear",
                    hint="multiply two linear layers, unit by unit: self.a(x) * self.b(y)",
                )
            axes.append((s.c, label) if label else (s.c,))
        if canonical not in self.all:
            self.all[canonical] = self._parameter(canonical, owners, axes, buffer)
        p = self.all[canonical]
        entries = empty(p.array.shape)
        for index in p.array.indices():
            entries[index] = p.entry(index)
            law = p.laws[index]
            if p.kind == SCALAR and law.scale.c == 0:
                entries[index] = fixed(p.array, index, law.mean)
        axes = [self._in_units(p, k, axis) for k, axis in enumerate(axes)]
        return Tensor(tuple(axes), entries.reshape([d for axis in axes for d in axis if isinstance(d, int)]))

    def _in_units(self, p: Parameter, k: int, axis: Axis) -> Axis:
        """An axis with neighbours as one unit where that is asked for; its entries are iid, so that either will do."""
        if k not in p.wide:
            return axis
        inner = self.units.get((p.path, p.wide.index(k)), 1)
        c, label = axis
        if inner == 1 or len(p.laws.distinct) > 1 or int(c) % inner:
            return axis
        p.interleave(p.wide.index(k), inner)
        outer = int(c) // inner
        return (outer, label, inner) if outer > 1 else (label, inner)

    def _parameter(self, path: str, owners: list[Any], axes: list[Axis], buffer: bool) -> Parameter:
        widths = [a for axis in axes for a in axis if isinstance(a, str)]
        kind = (SCALAR, VECTOR, MATRIX)[len(widths)]
        array = Array(path, tuple(int(a[0]) for a in axes))
        wide = tuple(len(a) > 1 for a in axes)
        laws = self._laws(path, array.shape, wide, owners)
        p = Parameter(path, kind, not buffer and bool(owners[0].requires_grad), array, laws, widths=wide)
        array.parameter = p
        p.uniform_matrix = kind == MATRIX and any(law.kind == "uniform" for law in laws.distinct)
        self._verify(p)
        return p

    def _laws(self, path: str, shape: Index, wide: Sequence[bool], owners: list[Any]) -> Laws:
        if path in self.init:
            given = [_given(self.init[path], n) for n in self.exported.widths]
            return Laws((self._in_width(path, given),), np.zeros(shape, int))
        # For each entry the number of its law at each width, and the constant that it is where that number is 0.
        keys: list[Any] = []
        for t, recorder in zip(owners, self.exported.recorders):
            found = recorder.of(t)
            numbers = torch.zeros(shape, dtype=torch.long)
            if found is not None:
                numbers, last = ends(blocks(recorder.canonical()[found], shape, wide), len(shape))
                if (numbers != last).any():
                    raise Refusal(
                        f"elements of one block of `{path}` have different laws",
                        hint=f"give its law: --init '{path}=N(0, 1/n)'",
                    )
            first, last = ends(blocks(t.detach().double(), shape, wide), len(shape))
            is_constant = numbers == 0
            if (is_constant & (first != last)).any():
                raise Refusal(
                    f"`{path}` holds numbers that are neither random nor equal along the width",
                    "such as an identity, a Fourier basis or a table of positions; coordinates must be iid",
                    hint=f"give a law in its place: --init '{path}=N(0, 1/n)'",
                )
            keys += [numbers.double().reshape(-1), torch.where(is_constant, first, 0.0).reshape(-1)]
        rows, which = torch.stack(keys, 1).unique(dim=0, return_inverse=True)
        laws = []
        for row in rows.tolist():
            pairs = zip(row[::2], row[1::2], self.exported.recorders)
            laws.append(self._law(path, [r.laws[int(i)] if i else Law("constant", c) for i, c, r in pairs]))
        return Laws(tuple(laws), which.reshape(shape).numpy())

    def _law(self, path: str, laws: list[Law]) -> LawInWidth:
        for law in laws:
            if law.kind == "unknown":
                raise Refusal(
                    f"the law of `{path}` is not known: it comes from `{law.why}`, which is not an iid law",
                    "networks have iid Gaussian matrices; an orthogonal, truncated or identity initialization is none",
                    hint=f"say by which law it may be replaced: --init '{path}=N(0, 1/n)'",
                )
        if laws[0].draw:
            other = self._draws.setdefault(laws[0].draw, path)
            if other != path:
                raise Refusal(
                    f"`{path}` is a copy of `{other}`: both start from the same draw",
                    "two parameters that start equal and are trained apart are not independent matrices; "
                    "nn.TransformerEncoder copies its layers like this",
                    hint="initialize them again after the copies are made, or give the law of both: "
                    f"--init '{path}=N(0, 1/n)'",
                )
        return self._in_width(path, laws)

    def _in_width(self, path: str, laws: list[Law]) -> LawInWidth:
        law = in_width(laws, self.exported.units)
        if law is None:
            shown = ", ".join(f"{x.kind} {x.mean:g} ± {x.scale:g}" for x in laws)
            raise Refusal(
                f"the law of `{path}` is not a power of the width: {shown} at n = "
                + ", ".join(map(str, self.exported.widths))
            )
        return law

    def _verify(self, p: Parameter) -> None:
        for law in p.laws.distinct:
            if p.kind != MATRIX or law.mean.c == 0:
                continue
            raise Refusal(
                f"`{p.path}` is a matrix whose entries have the mean {law.mean.c:g}",
                "n×n matrices have entries of mean zero",
                hint=f"give its law: --init '{p.path}=N(0, 1/n)'",
            )


def blocks(t: torch.Tensor, shape: Index, wide: Sequence[bool]) -> torch.Tensor:
    """The numbers of each entry of a parameter behind its index: an axis of c·n is the digits (c, n)."""
    split = [size for c, size, is_wide in zip(shape, t.shape, wide) for size in ((c, size // c) if is_wide else (c,))]
    places = np.cumsum([0, *(1 + w for w in wide)])[:-1]
    order = [*places, *(k + 1 for k, w in zip(places, wide) if w)]
    return t.reshape(split).permute([int(k) for k in order])


def ends(t: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the largest number of each entry."""
    flat = t.reshape(*t.shape[:rank], -1)
    return flat.amin(-1), flat.amax(-1)


_LAW = re.compile(r"\s*([NU])\s*\((.*),([^,]*)\)\s*$")


def _given(text: str, n: int) -> Law:
    """The law that --init gives, at width n."""
    match = _LAW.match(text)
    if match is None:
        raise Refusal(f"`{text}` is not a law", hint="write N(0, 1/n) or U(-1/√n, 1/√n)")
    first, second = (_number(part, n) for part in match.groups()[1:])
    if match[1] == "N":
        return Law("normal" if second else "constant", first, math.sqrt(second))
    return Law("uniform", (first + second) / 2, (second - first) / 2)


def _number(text: str, n: int) -> float:
    source = re.sub(r"√\s*([\w.]+)", r"sqrt(\1)", text).replace("√", "sqrt").replace("^", "**").strip()
    try:
        tree = ast.parse(source, mode="eval")
        allowed = (
            ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Call, ast.Load, ast.Add, ast.Sub,
            ast.Mult, ast.Div, ast.Pow, ast.USub,
        )  # fmt: skip
        if not all(isinstance(node, allowed) for node in ast.walk(tree)):
            raise ValueError
        scope = {"__builtins__": {}, "n": n, "sqrt": math.sqrt, "pi": math.pi}
        return float(eval(compile(tree, "--init", "eval"), scope))
    except Exception:
        raise Refusal(f"`{text}` in --init is not a number or an expression in n") from None


def lift(exported: Exported, values: tuple[torch.Tensor, ...]) -> Tensor:
    """A tensor of constants; refused where they vary along the width."""
    sizes = exported.sizes(values)
    shape = tuple(s.c for s in sizes)
    reduced = []
    for t, u in zip(values, exported.units):
        a = t.detach().to(torch.float64).numpy()
        for i, s in reversed(list(enumerate(sizes))):
            if s.width:
                a = a.reshape(*a.shape[:i], s.c, u, *a.shape[i + 1 :])
                first = np.take(a, [0], axis=i + 1)
                if (a != first).any():
                    raise Refusal(
                        "constants that vary along the width enter the module",
                        "coordinates along the width must be iid: a table of sines over the units is not",
                        hint="learn the table (nn.Parameter(torch.randn(…))), or draw it",
                    )
                a = first.squeeze(i + 1)
        reduced.append(a)
    entries = empty(shape)
    for index in np.ndindex(*shape):
        value = fit([float(a[index]) for a in reduced], exported.units)
        if value is None:
            raise Refusal("a constant depends on the width otherwise than as a power of it")
        entries[index] = of_power(value if value.c else Power(0.0))
    return of_sizes(sizes, entries)
