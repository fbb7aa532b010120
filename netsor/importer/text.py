"""The text of a network: names, declarations, loops."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from netsor.expr.functions import FUNCTIONS
from netsor.importer.arrays import Array, Index, Integers
from netsor.importer.folding import Item, fold, fuse
from netsor.importer.inputs import Input
from netsor.importer.laws import LawInWidth
from netsor.importer.network import Network, Part, references
from netsor.importer.nodes import Lin, Node, compress, roll
from netsor.importer.parameters import MATRIX, Parameter
from netsor.importer.terms import SCALAR, VECTOR, Term, subterms
from netsor.syntax.names import KEYWORDS, RESERVED

# Names that a variable of a text does not take; letters are those of indices and placeholders.
_TAKEN = KEYWORDS | RESERVED | {
    *FUNCTIONS, "include", "N", "U", "all", "mean", "std", "sum", "rows", "floor", "one", *"ijklmtrsqpfv",
}  # fmt: skip


@dataclass
class Shown:
    """How an array is written: its name, the index that comes before its own, which of its axes are written."""

    name: str
    prefix: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()


@dataclass
class Declared:
    """A member of a family of parameters: which blocks of the module's parameter it is."""

    parameter: Parameter
    part: Part
    blocks: Integers
    is_input: bool


@dataclass
class Written:
    text: str
    names: dict[str, Declared]


class Writer:
    def __init__(self, network: Network, name: str, comments: list[str]):
        self.network, self.name, self.comments = network, name, comments
        self.shown: dict[Any, Shown] = {}
        self.used: set[str] = set()
        self.declared: dict[str, Declared] = {}
        self.ones = False

    def write(self) -> Written:
        n = self.network
        inline(n.arrays, n.outputs)
        for x in n.inputs:
            self.used.add(x.name)
            self.shown[x] = Shown(x.name, (), (0,) if len(x.rows) > 1 else ())
        parameters = self._parameters()
        families = self._name_parameters(parameters)
        items, live = self._items()
        items = fold([*items, *self._output_items()], live)
        statements = fuse([s for item in items for s in item.statements])
        self._name_arrays(statements)
        lines = [self._header(), *self._declarations(families), *self._training()]
        body = [line for s in statements for line in self._statement(s, 0, {})]
        if self.ones:
            lines.append("vector one ~ N(1, 0)")
        head = "".join(f"# {line}\n" if line else "#\n" for line in self.comments)
        return Written(head + "\n".join([*lines, "", *body]) + "\n", self.declared)

    # Items

    def _items(self) -> tuple[list[Item], dict[Any, set[tuple[int, ...]]]]:
        items, live = [], {}
        for a in self.network.arrays:
            if not a.terms:
                continue
            self.shown[a] = Shown("", (), tuple(k for k, s in enumerate(a.shape) if s > 1))
            entries = {self._index(a, i): compress(self._node(t)) for i, t in a.terms.items()}
            live[a] = set(entries)
            items.append(Item([a], roll(entries, a)))
        return items, live

    def _index(self, a: Any, index: Index) -> tuple[int, ...]:
        return tuple(index[k] + 1 for k in self.shown[a].axes)

    def _node(self, t: Term) -> Node:
        if t.op == "var":
            a, index = t.value
            shown = self.shown.get(a)
            if shown is None:
                shown = self.shown[a] = Shown("", (), tuple(k for k, s in enumerate(a.shape) if s > 1))
            indices = (*shown.prefix, *(index[k] + 1 for k in shown.axes))
            family = getattr(shown, "family", a)
            return ("var", (family, tuple(Lin(i) for i in indices)), ())
        value = (t.value.c, t.value.p) if t.op in ("num", "bias") else t.value
        return (t.op, value, tuple(self._node(x) for x in t.args))

    # Parameters

    def _parameters(self) -> list[tuple[Any, set[Index]]]:
        """The arrays of parameters that are used, in the order of use, with the entries that are."""
        used: dict[Any, set[Index]] = {}
        for a in [*self.network.arrays, *self.network.outputs]:
            for t in a.terms.values():
                for x in references(t):
                    array, index = x.value
                    if getattr(array, "parameter", None) is not None or array is self.network.readout:
                        used.setdefault(array, set()).add(index)
        return list(used.items())

    def _name_parameters(self, parameters: list[tuple[Any, set[Index]]]) -> list[tuple[Any, Any]]:
        """Families of parameters whose paths differ in numbers only, and names for all."""
        groups: dict[Any, list[tuple[Any, tuple[int, ...]]]] = {}
        for array, _ in parameters:
            if array is self.network.readout:
                continue
            pattern, numbers = _pattern(array.parameter.path)
            m = self.network.matrices.get(array.parameter)
            is_input = m is not None and m.array is array
            key = (pattern, array.parameter.kind, array.shape, is_input, array.parameter.trained, len(numbers))
            groups.setdefault(key, []).append((array, numbers))
        out: list[tuple[Any, Any]] = []
        paths: list[tuple[str, list[Any]]] = []
        for key, members in groups.items():
            ranks = [sorted({n[k] for _, n in members}) for k in range(len(members[0][1]))]
            total = 1
            for r in ranks:
                total *= len(r)
            if total == len(members) > 1 and len({n for _, n in members}) == total:
                places = [[r.index(x) + 1 for r, x in zip(ranks, n)] for _, n in members]
                keep = [k for k, r in enumerate(ranks) if len(r) > 1]
                family = Family(key[0], members[0][0].shape, tuple(len(ranks[k]) for k in keep))
                for (array, _), place in zip(members, places):
                    prefix = tuple(place[k] for k in keep)
                    self._show(array, family, prefix)
                    family.members[prefix] = array
                out.append((family, [a for a, _ in members]))
                paths.append((key[0], [family]))
            else:
                for array, _ in members:
                    family = Family(array.parameter.path, array.shape, ())
                    self._show(array, family, ())
                    family.members[()] = array
                    out.append((family, [array]))
                    paths.append((array.parameter.path, [family]))
        names = _short_names([p for p, _ in paths], self.used)
        for (_, families), name in zip(paths, names):
            families[0].name = name
        if self.network.readout is not None:
            family = Family("v", self.network.readout.shape, ())
            family.name = self._fresh("v", True)
            self._show(self.network.readout, family, ())
            family.members[()] = self.network.readout
            out.append((family, [self.network.readout]))
        return out

    def _show(self, array: Any, family: Family, prefix: tuple[int, ...]) -> None:
        shown = Shown("", prefix, tuple(k for k, s in enumerate(array.shape) if s > 1))
        shown.family = family  # type: ignore[attr-defined]
        self.shown[array] = shown

    def _fresh(self, name: str, anyway: bool = False) -> str:
        wanted, k = name, 2
        while wanted in self.used or (wanted in _TAKEN and not anyway):
            wanted = f"{name}_{k}" if name[-1:].isdigit() else f"{name}{k}"
            k += 1
        self.used.add(wanted)
        return wanted

    def _declarations(self, families: list[tuple[Any, Any]]) -> list[str]:
        wanted: dict[Any, set[Index]] = dict(self._parameters())
        lines: dict[str, list[str]] = {"input": [], "matrix": [], "vector": [], "scalar": []}
        for family, arrays in families:
            members: dict[tuple[int, ...], tuple[str, str]] = {}
            for array in arrays:
                shown = self.shown[array]
                for index in sorted(wanted.get(array, ())):
                    place = (*shown.prefix, *(index[k] + 1 for k in shown.axes))
                    name = _with_index(family.name, place)
                    members[place] = self._law(array, index)
                    p = array.parameter
                    if p is not None:
                        m = self.network.matrices.get(p)
                        is_input = m is not None and m.array is array
                        blocks = m.columns[index] if m is not None and is_input else p.array.numbers([index])
                        self.declared[name] = Declared(p, (array, index), blocks, is_input)
            for section, law, places in _boxes(members):
                word = "matrix" if section == "input" else section
                lines[section].append(f"{word} {family.name}{places}{law}")
        return [line for section in lines.values() for line in section]

    def _law(self, array: Any, index: Index) -> tuple[str, str]:
        """The section and the law of one member."""
        p: Parameter | None = array.parameter
        if p is None:
            return "vector", " ~ N(0, 1)"
        m = self.network.matrices.get(p)
        if m is not None and m.array is array:
            columns = m.columns[index]
            return "input", f" : (n, {len(columns)}) ~ {_law(p.laws[p.array.index(columns[0])])}"
        law = p.laws[index]
        if p.kind == MATRIX:
            return "matrix", f" ~ N(0, {_number(law.variance)}/n)"
        if p.kind == SCALAR:
            return "scalar", f" ~ N(0, {_number(law.variance)})"
        return "vector", f" ~ {_law(law)}"

    def _training(self) -> list[str]:
        names = [name for name, d in self.declared.items() if d.part in self.network.training.trained]
        if not names:
            return []
        lines = [""]
        for x in _ranges(names):
            if lines[-1] and len(lines[-1]) + len(x) > 80:
                lines.append("")
            lines[-1] += f"{', ' if lines[-1] else ''}{x} * 1"
        return [f"train {line}" for line in lines]

    def _header(self) -> str:
        inputs = ", ".join(
            f"{x.name}[1..{len(x.rows)}] : {x.dimension}" if len(x.rows) > 1 else f"{x.name} : {x.dimension}"
            for x in self.network.inputs
        )
        return f"network {self.name}({inputs})"

    def _output_items(self) -> list[Item]:
        items = []
        for k, a in enumerate(self.network.outputs):
            name = self._fresh("f" if k == 0 else f"f{k + 1}", True)
            self.shown[a] = Shown(name, (), tuple(d for d, s in enumerate(a.shape) if s > 1))
            a.is_output = True
            entries = {self._index(a, i): compress(self._node(t)) for i, t in a.terms.items()}
            items.append(Item([a], roll(entries, a)))
        return items

    # Statements

    def _name_arrays(self, statements: list[Node]) -> None:
        """Names for the arrays in the order in which they are made."""
        for s in statements:
            if s[0] == "loop":
                self._name_arrays(list(s[2]))
                continue
            a = s[1][0]
            if a in self.shown and self.shown[a].name:
                continue
            self.shown[a] = Shown(self._fresh(_hint(a)))

    def _statement(self, s: Node, depth: int, names: dict[str, str]) -> list[str]:
        indent = "    " * depth
        if s[0] == "assign":
            array, index = s[1]
            target = self._variable(array, index, names)
            word = "output " if getattr(array, "is_output", False) else ""
            return [f"{indent}{word}{target} := {self._expression(s[2][0], names, 0)}"]
        variable, low, high = s[1]
        letter = _letter(variable, names, s)
        inner = {**names, variable: letter}
        head = f"{indent}for {letter} in {_lin(low, names)}..{_lin(high, names)}:"
        return [head, *(line for x in s[2] for line in self._statement(x, depth + 1, inner))]

    def _variable(self, array: Any, index: tuple[Lin, ...], names: dict[str, str]) -> str:
        name = array.name if isinstance(array, Family) else self.shown[array].name
        inside = ", ".join(_lin(i, names) for i in index)
        return f"{name}[{inside}]" if inside else name

    def _expression(self, n: Node, names: dict[str, str], level: int) -> str:
        text, own = self._written(n, names)
        return f"({text})" if own < level else text

    def _written(self, n: Node, names: dict[str, str]) -> tuple[str, int]:
        op, v, arguments = n
        e = self._expression
        if op == "num":
            return _power(*v)
        if op == "var":
            return self._variable(v[0], v[1], names), 5
        if op == "ones":
            self.ones = True
            return "one", 5
        if op == "sum":
            return self._sum(arguments, names), 1
        if op == "prod":
            return self._product(arguments, names), 2
        if op == "div":
            return f"{e(arguments[0], names, 2)} / {e(arguments[1], names, 5)}", 2
        if op == "pow":
            exponent = _number(v)
            plain = exponent.replace(".", "").isdigit()
            return f"{e(arguments[0], names, 5)}^{exponent if plain else f'({exponent})'}", 4
        if op == "call":
            return f"{v}({', '.join(e(a, names, 0) for a in arguments)})", 5
        if op == "if":
            a, b, yes, no = (e(x, names, 1) for x in arguments)
            return f"if {a} {v} {b} then {yes} else {no}", 0
        if op == "mean":
            return f"mean({e(arguments[0], names, 0)})", 5
        if op == "dot":
            a, b = (e(x, names, 1) for x in arguments)
            return f"⟨{a}, {b}⟩ / n", 2
        if op == "matmul":
            mark = "ᵀ" if v else ""
            return f"{e(arguments[0], names, 5)}{mark} {e(arguments[1], names, 5)}", 3
        if op == "embed":
            return f"{e(arguments[0], names, 5)} {e(arguments[1], names, 5)}", 3
        if op == "readout":
            factor = "" if v == 1.0 else f"{_number(v)} "
            if factor.startswith("-"):
                factor = f"({factor.strip()}) "
            return f"{factor}{e(arguments[0], names, 5)}ᵀ {e(arguments[1], names, 5)} / √n", 2
        if op == "bias":
            c, p = v
            product = self._product((("num", (c, Fraction(0)), ()), arguments[0]), names)
            return (f"{product} / {_width(-p)}" if p else product), 2
        if op == "series":
            variable, low, high = v
            letter = _letter(variable, names, n)
            inner = {**names, variable: letter}
            body = e(arguments[0], inner, 0)
            return f"Σ({letter} in {_lin(low, names)}..{_lin(high, names)}: {body})", 5
        raise AssertionError(op)

    def _sum(self, arguments: Iterable[Node], names: dict[str, str]) -> str:
        out = ""
        for a in arguments:
            negative, a = _negated(a)
            text = self._expression(a, names, 2 if negative or out else 1)
            out += f" {'-' if negative else '+'} {text}" if out else (f"-{text}" if negative else text)
        return out

    def _product(self, arguments: tuple[Node, ...], names: dict[str, str]) -> str:
        numbers = [a for a in arguments if a[0] == "num"]
        rest = [a for a in arguments if a[0] != "num"]
        c, p = 1.0, Fraction(0)
        for a in numbers:
            c, p = c * a[1][0], p + a[1][1]
        texts = [self._expression(a, names, 2 if k == 0 and c == 1 else 3) for k, a in enumerate(rest)]
        out = " * ".join(texts)
        if c == -1:
            out = f"-{self._expression(rest[0], names, 3)}" + "".join(f" * {x}" for x in texts[1:])
        elif c != 1:
            out = f"{_number(c)} * {out}" if "/" not in _number(c) else f"({_number(c)}) * {out}"
        if p > 0:
            return f"{_width(p)} * {out}"
        return f"{out} / {_width(-p)}" if p else out


class Family:
    """Parameters that bear one name, told apart by indices."""

    def __init__(self, path: str, shape: Index, ranges: tuple[int, ...]):
        self.path, self.shape, self.ranges = path, shape, ranges
        self.name = ""
        self.hint = path
        self.members: dict[tuple[int, ...], Any] = {}
        self.parameter: Any = True
        self.is_output = False


def _pattern(path: str) -> tuple[str, tuple[int, ...]]:
    numbers: list[int] = []

    def star(match: re.Match[str]) -> str:
        numbers.append(int(match[0]))
        return "*"

    return re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)|(?<=[a-zA-Z_])\d+(?=$|\.|_)", star, path), tuple(numbers)


def _short_names(paths: list[str], used: set[str]) -> list[str]:
    """For each path the shortest end of it that is a name of its own."""
    parts = []
    for path in paths:
        words = [re.sub(r"\W", "_", w.replace("*", "")) for w in path.split(".")]
        words = [w.strip("_") for w in words]
        if len(words) > 1 and words[-1] == "weight":
            words.pop()
        elif len(words) > 1 and words[-1] == "bias":
            words[-2:] = [f"{words[-2]}_bias" if words[-2] else "bias"] if words[-2] else [*words[-3:-2], "bias"]
        parts.append([w for w in words if w] or ["W"])
    depth = [1] * len(parts)
    while True:
        names = ["_".join(p[-d:]) for p, d in zip(parts, depth)]
        clashes = [
            i
            for i, x in enumerate(names)
            if (names.count(x) > 1 or x in _TAKEN or x in used or x[0].isdigit()) and depth[i] < len(parts[i])
        ]
        if not clashes:
            break
        for i in clashes:
            depth[i] += 1
    out: list[str] = []
    for x in names:
        x = f"W{x}" if x[0].isdigit() else x
        wanted, k = x, 2
        while wanted in used or wanted in _TAKEN:
            wanted = f"{x}_w" if x in _TAKEN and k == 2 else f"{x}_{k}"
            k += 1
        used.add(wanted)
        out.append(wanted)
    return out


_LETTERS = {
    "d": ("i", "j", "k", "m", "p", "q"), "s": ("r", "s", "q", "p"), "f": ("l", "t", "m"),
}  # fmt: skip


def _letter(variable: str, names: dict[str, str], _: Any) -> str:
    options = _LETTERS[variable[0]]
    return next((x for x in (*options, "a", "b", "c", "d", "g", "h") if x not in names.values()), "index")


def _lin(i: Lin, names: dict[str, str]) -> str:
    parts = []
    for variable, factor in i.parts:
        parts.append((factor, names[variable] if abs(factor) == 1 else f"{abs(factor)} * {names[variable]}"))
    out = ""
    for factor, text in parts:
        out += (f" {'-' if factor < 0 else '+'} {text}") if out else (f"-{text}" if factor < 0 else text)
    if not out:
        return str(i.constant)
    if i.constant:
        sign, size = ("-", -i.constant) if i.constant < 0 else ("+", i.constant)
        # As `netsor fmt` spaces it.
        out += f"{sign}{size}" if len(parts) == 1 and abs(parts[0][0]) == 1 and parts[0][0] > 0 else f" {sign} {size}"
    return out


def _number(c: float) -> str:
    if float(c).is_integer() and abs(c) < 1e15:
        return str(int(c))
    near = Fraction(c).limit_denominator(1000)
    if len(repr(c)) > 6 and float(near) == c and len(repr(c)) > len(f"{near.numerator}/{near.denominator}"):
        return f"{near.numerator}/{near.denominator}"
    square = Fraction(c * c).limit_denominator(1000)
    if c and abs(c) < 1:
        square = 1 / Fraction(1 / (c * c)).limit_denominator(1000)
    if len(repr(c)) > 12 and math.isclose(math.sqrt(square), abs(c), rel_tol=1e-14):
        root = f"√{square}" if square.denominator == 1 else f"√({square})"
        return root if c > 0 else f"-{root}"
    return re.sub(r"e([+-])0?(\d)$", lambda m: f"e{'-' if m[1] == '-' else ''}{m[2]}", repr(c)).replace("e-0", "e-")


def _width(p: Fraction) -> str:
    if p == 1:
        return "n"
    if p == Fraction(1, 2):
        return "√n"
    return f"n^{p}" if p.denominator == 1 else f"n^({p})"


def _power(c: float, p: Fraction) -> tuple[str, int]:
    text = _number(c)
    if p == 0:
        return text, (5 if re.fullmatch(r"[\d.]+(e-?\d+)?", text) else 1 if text.startswith("-") else 2)
    if p < 0:
        return f"{text} / {_width(-p)}", 1 if text.startswith("-") else 2
    return (_width(p), 5) if c == 1 else (f"{text} * {_width(p)}", 2)


def _negated(n: Node) -> tuple[bool, Node]:
    op, v, arguments = n
    if op == "num" and v[0] < 0:
        return True, ("num", (-v[0], v[1]), ())
    if op == "prod" and arguments[0][0] == "num" and arguments[0][1][0] < 0:
        c, p = arguments[0][1]
        if c == -1 and p == 0:
            rest = arguments[1:]
            return True, rest[0] if len(rest) == 1 else ("prod", v, rest)
        return True, ("prod", v, (("num", (-c, p), ()), *arguments[1:]))
    return False, n


def _law(law: LawInWidth) -> str:
    if law.kind == "uniform" and law.scale.c:
        center = law.mean.c
        return f"U({_number(center - law.scale.c)}, {_number(center + law.scale.c)})"
    return f"N({_number(law.mean.c)}, {_number(law.variance)})"


def _with_index(name: str, place: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, place))}]" if place else name


def _boxes(members: dict[tuple[int, ...], tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Members with one law as ranges of indices: (section, law, text of the ranges)."""
    out = []
    by_law: dict[tuple[str, str], list[tuple[int, ...]]] = {}
    for place, law in members.items():
        by_law.setdefault(law, []).append(place)
    for (kind, text), places in by_law.items():
        for box in _cover(places):
            inside = ", ".join(f"{a}..{b}" if a != b else str(a) for a, b in box)
            out.append((kind, text, f"[{inside}]" if inside else ""))
    return out


def _cover(places: list[tuple[int, ...]]) -> list[list[tuple[int, int]]]:
    """Boxes of indices that cover these places and no others."""
    if not places or not places[0]:
        return [[]]
    slabs: dict[int, list[tuple[int, ...]]] = {}
    for place in places:
        slabs.setdefault(place[0], []).append(place[1:])
    out: list[list[tuple[int, int]]] = []
    opened: list[tuple[int, int, Any]] = []
    for first in sorted(slabs):
        inner = _cover(sorted(slabs[first]))
        if opened and opened[-1][1] == first - 1 and opened[-1][2] == inner:
            opened[-1] = (opened[-1][0], first, inner)
        else:
            opened.append((first, first, inner))
    for low, high, inner in opened:
        out += [[(low, high), *box] for box in inner]
    return out


def _ranges(names: list[str]) -> list[str]:
    by_name: dict[str, list[tuple[int, ...]]] = {}
    for x in names:
        base, _, inside = x.partition("[")
        place = tuple(int(i) for i in inside.rstrip("]").split(",")) if inside else ()
        by_name.setdefault(base, []).append(place)
    out = []
    for base, places in by_name.items():
        for box in _cover(places):
            inside = ", ".join(f"{a}..{b}" if a != b else str(a) for a, b in box)
            out.append(f"{base}[{inside}]" if inside else base)
    return out


def _hint(a: Any) -> str:
    names = {
        "linear": "h", "norm": "normed", "sum": "x", "mean": "μ", "deviation": "σ", "product": "x", "softmax": "a",
        "conv": "h",
    }  # fmt: skip
    path = [w for w in re.split(r"\W", getattr(a, "place", None) and a.place.path or "") if w and not w.isdigit()]
    base = names.get(a.hint, a.hint) or "x"
    if a.hint in ("linear", "norm", "conv", "embedding") and path:
        base = path[-1]
    base = re.sub(r"\W", "", base)
    if base in _TAKEN or not base:
        base = "h" if a.hint in ("linear", "conv") else "y" if a.hint == "norm" else "x"
    return base


# Which variables are worth a line.

_LARGEST = 16
_DEEP = ("matmul", "dot", "mean", "readout")


def inline(arrays: list[Array], outputs: list[Array]) -> None:
    """Put what is used once into the place where it is used, unless the line would be long.

    A statement has products with matrices of one layer only, what an output reads has a name, and so has what is of the
    form of an earlier line, so that layers and steps of time are of one form, the last one too.
    """
    count: dict[Any, int] = {}
    kept: set[Array] = set()
    for a in [*arrays, *outputs]:
        for t in a.terms.values():
            for x in references(t):
                count[x.value] = count.get(x.value, 0) + 1
    for a in outputs:
        kept |= {x.value[0] for t in a.terms.values() for x in references(t)}
    inside = [y for a in arrays for t in a.terms.values() for y in subterms(t) if y.op in _DEEP]
    deep = {x.value[0] for y in inside for x in references(y)}
    forms: set[Any] = set()
    for a in arrays:
        a.terms = {i: _substituted(t) for i, t in a.terms.items()}
        once = all(count.get((a, i), 0) <= 1 for i in a.terms)
        largest = max((_size(t) for t in a.terms.values()), default=0)
        products = any(x.op in ("matmul", "embed") for t in a.terms.values() for x in subterms(t))
        # A function of numbers is a MOMENT of its own, which need only be continuous: a softmax, a gate.
        moment = any(t.kind == SCALAR and any(x.op in ("call", "if") for x in subterms(t)) for t in a.terms.values())
        a.inlined = once and largest <= _LARGEST and a not in kept and not moment and not (products and a in deep)
        form = (a.shape, tuple(map(_form, a.terms.values()))) if products else None
        a.inlined = a.inlined and form not in forms
        if form is not None and not a.inlined:
            forms.add(form)
    for a in outputs:
        a.terms = {i: _substituted(t) for i, t in a.terms.items()}
    arrays[:] = [a for a in arrays if not a.inlined]


def _form(t: Term) -> Any:
    """A term up to which variables and which of repeated parameters stand in it."""
    if t.op == "var":
        p = t.value[0].parameter
        return p and _pattern(p.path)[0]
    return t.op, t.value if t.op in ("num", "call", "pow", "if", "matmul") else None, tuple(map(_form, t.args))


def _size(t: Term) -> int:
    return 1 + sum(_size(a) for a in t.args) if t.op != "sum" else 1 + max((_size(a) for a in t.args), default=0) * 2


def _substituted(t: Term) -> Term:
    if t.op == "var":
        array, index = t.value
        if array.inlined and index in array.terms:
            return array.terms[index]  # type: ignore[no-any-return]
        return t
    if not t.args:
        return t
    args = tuple(_substituted(a) for a in t.args)
    if t.op == "sum":
        args = tuple(x for a in args for x in (a.args if a.op == "sum" else (a,)))
    return Term(t.op, args, t.value, t.kind, t.live)


__all__ = ["SCALAR", "VECTOR", "Input", "Writer", "Written"]
