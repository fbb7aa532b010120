"""Names and what they stand for: nested scopes, families, and suggestions for a name that is unknown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from netsor.check.values import Builtin, Family, Floor, Mean, Rows, Special, Value
from netsor.diagnostics import Span
from netsor.expr.functions import PUBLIC

Indices = tuple[int, ...]


@dataclass
class Scope:
    """Names of one block, inside the names around it."""

    outer: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    places: dict[tuple[str, Indices], Span] = field(default_factory=dict)
    # What stands before a core name that this block makes, so that names inside a `def` stay apart.
    prefix: str = ""
    # A loop's scope holds its index; names that the body makes belong to the scope around it.
    loop: bool = False

    def lookup(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return builtin(name)

    def here(self, name: str, indices: Indices = ()) -> Span | None:
        """Where this block already gave the name a value."""
        return self.places.get((name, indices))

    def bind(self, name: str, indices: Indices, value: Value, span: Span) -> None:
        """Give a name, or a member of a family, its value."""
        self.places[(name, indices)] = span
        self.places.setdefault((name, ()), span)
        if not indices:
            self.names[name] = value
            return
        family = self.names.get(name)
        if not isinstance(family, Family):
            family = self.names[name] = Family(name, {})
        family.members[indices] = value

    def visible(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.outer
        yield from PUBLIC
        yield from _SPECIAL

    def like(self, name: str) -> str | None:
        """The visible name nearest to an unknown one."""
        known = list(dict.fromkeys(self.visible()))
        mine = set(known) - set(PUBLIC)
        # phi is φ, and no more like Φ than α is like β.
        letter = next((k for k in known if k != name and _spelled(k) == _spelled(name)), None)
        if letter is not None:
            return letter
        if _spelled(name) in _GREEK:
            known = [k for k in known if _spelled(k) not in _GREEK]
        for i in range(1, len(name)):  # two names without the space between them
            if name[:i] in mine and name[i:] in mine:
                return f"{name[:i]} {name[i:]}"
        for alike in (str.lower, sorted):  # capitals, as in ReLU; letters out of order, as in tahn
            same = [k for k in known if alike(k) == alike(name)]
            if same:
                return same[0]
        from difflib import get_close_matches  # a program without faults starts faster

        found = get_close_matches(name, known, n=1, cutoff=0.6)
        return found[0] if found else None


_SPECIAL: dict[str, Special] = {"mean": Mean(), "rows": Rows(), "floor": Floor()}
# Letters of other scripts that look like Latin ones.
_LATIN = str.maketrans("АВЕКМНОРСТХаеорсухіјѕԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοѵ", "ABEKMHOPCTXaeopcyxijsdqwABEZHIKMNOPTYXov")
_GREEK = frozenset(
    word
    for k in range(0x391, 0x3CA)
    if (letter := unicodedata.name(chr(k), ""))
    for word in (letter.split()[-1].lower() if "SMALL" in letter else letter.split()[-1].capitalize(),)
)


def _spelled(name: str) -> str:
    """A name with its first letter, if it is Greek, spelled in Latin ones: φ₁ as phi1."""
    name = name.removeprefix("var") if name.removeprefix("var") in _GREEK else name
    kind = unicodedata.name(name[:1], "").split()
    if kind[:1] != ["GREEK"] or len(kind) != 4:
        return name
    word = kind[3].lower() if kind[1] == "SMALL" else kind[3].capitalize()
    return ("lambda" if word == "lamda" else "Lambda" if word == "Lamda" else word) + name[1:]


def builtin(name: str) -> Value | None:
    """A built-in name's meaning; the program may use the name for something of its own."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    return Builtin(name) if name in PUBLIC else None


def core_name(name: str, indices: Indices) -> str:
    """The name of a variable in the core: `x`, `x[1]`, `c[1,2]`."""
    return f"{name}[{','.join(map(str, indices))}]" if indices else name


def plain(name: str) -> str:
    """A name in the letters that it looks like."""
    return unicodedata.normalize("NFKC", name).translate(_LATIN)
