"""Names of the variables that a transformation adds: h_t(ξ_i) is `h_t[i]`, and `h̃_t[j]` on a test input.

Time 0 has no subscript, as in Appendix D; `h_1` is written `h_t1` where the network itself has names such as `h_1`. A
prefix says what a variable is: `d` for an error signal √n ∂f/∂h, `δ` for a difference √n (h_t − h_{t−1}), `W` or `WT`
for a product. Parameters keep their names at time 0, because the finite engine draws them by name.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from netsor.core import Program
from netsor.expr.functions import FUNCTIONS
from netsor.syntax.names import KEYWORDS, RESERVED

TILDE, HAT = "\u0303", "\u0302"
# Names with a meaning in the language; a program may redefine some of them, but no derived name should.
_RESERVED = KEYWORDS | RESERVED | frozenset(FUNCTIONS) | {"N", "U", "all", "floor", "mean", "rows", "sum"}


@dataclass(frozen=True)
class Stamp:
    """The SGD step, the row of the data and, where it matters, the output to which a copy of a variable belongs."""

    time: int = 0
    row: int | None = None
    test: bool = False
    output: int | None = None

    def at(self, time: int) -> Stamp:
        return Stamp(time, self.row, self.test, self.output)

    def toward(self, output: int | None) -> Stamp:
        return Stamp(self.time, self.row, self.test, output)


def split(name: str) -> tuple[str, tuple[str, ...]]:
    """A name as (base, indices): `x[1,2]` is ('x', ('1', '2'))."""
    base, bracket, rest = name.partition("[")
    return base, tuple(i.strip() for i in rest.rstrip("]").split(",")) if bracket else ()


def member(base: str, *indices: object) -> str:
    """The name with this base and these indices."""
    return f"{base}[{','.join(map(str, indices))}]" if indices else base


def decorate(base: str, mark: str) -> str:
    """The base with a combining mark on its last letter: `h1` becomes `h̃1`."""
    last = max((i for i, c in enumerate(base) if c.isalpha()), default=len(base) - 1)
    return unicodedata.normalize("NFC", base[: last + 1] + mark + base[last + 1 :])


class Names:
    """Readable and distinct names for the variables of a program derived from a network."""

    def __init__(self, network: Program, shared: frozenset[str] | set[str]):
        """`shared` are the network's variables that do not depend on the example."""
        self._shared = shared
        self._bases: dict[tuple[object, ...], str] = {}
        self._used = set(_RESERVED) | {f.name for f in network.functions()}
        parameters = [*network.matrix, *network.input_matrix, *network.constant, *network.datum, *network.group_of]
        common = [x for x in shared if x in network.by_name or x in network.embedding]
        fixed = {split(p)[0] for p in [*parameters, *common]}
        copied = {split(x)[0] for x in [*network.embedding, *network.by_name] if x not in shared}
        given = {i.name for i in network.inputs} | {split(r.name)[0] for r in network.readouts}
        # The names of the network come first: a name derived from `h` must not take that of a variable called `dh`.
        self._used |= fixed | copied | given
        self._time = "_t" if any(re.search(r"_\d+$", base) for base in fixed | copied) else "_"
        self._bases.update({("", base, False, 0, False): base for base in fixed | copied})
        self._bases.update({("", base, False, 0, True): base for base in copied - fixed})
        self._bases.update({("data", i.name): i.name for i in network.inputs})
        self._bases.update({("output", "", base): base for base in given})

    def fresh(self, preferred: str, key: tuple[object, ...] | None = None) -> str:
        """`preferred`, with underscores appended while it is taken; the same key always gives the same name."""
        if key is not None and key in self._bases:
            return self._bases[key]
        base = unicodedata.normalize("NFC", preferred)
        while base in self._used:
            base += "_"
        self._used.add(base)
        if key is not None:
            self._bases[key] = base
        return base

    def of(self, name: str, stamp: Stamp, prefix: str = "", key: object = None) -> str:
        """The name of a copy of the variable `name`, or of what `prefix` (identified by `key`) says belongs to it."""
        base, indices = split(name)
        # A parameter has one difference for all examples, but an error signal for each example.
        own = stamp.row is not None and (name not in self._shared or prefix.endswith("d"))
        test = stamp.test and own
        spelled = decorate(base, TILDE) if test else base
        subscript = f"{self._time}{stamp.time}" if stamp.time else ""
        root = self.fresh(prefix + spelled + subscript, (key or prefix, base, test, stamp.time, own))
        extra = (*((stamp.row,) if own else ()), *(() if stamp.output is None else (stamp.output,)))
        return member(root, *indices, *extra)

    def scalar(self, symbol: str, base: str, indices: tuple[object, ...], test: bool = False) -> str:
        """The name of a number of the training run, with `symbol` before the base: `f[t,i]`, `Δf̃[t,j]`."""
        root = decorate(base, TILDE) if test else base
        return member(self.fresh(symbol + root, ("output", symbol, root)), *indices)

    def product(self, matrix: str, transposed: bool, name: str, stamp: Stamp, prefix: str) -> str:
        """The name of W times a variable of the network with this prefix: `Wδz_1[2]`, `WTdh[1]`."""
        base, indices = split(matrix)
        flat = base + "_".join(i.replace("-", "m") for i in indices)
        key = (matrix, transposed, prefix)
        return self.of(name, stamp, flat + ("T" if transposed else "") + prefix, key)
