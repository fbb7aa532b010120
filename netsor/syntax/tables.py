"""The LALR(1) tables that lark makes of `netsor.lark`, and the loop that runs them.

Making the tables takes lark a quarter of a second, more than everything else that `netsor check` does. They are
therefore kept in the user's cache folder under the grammar's hash, as JSON, and lark is imported only when they have to
be made. The loop is our own, so that a parse needs no lark and an unexpected token is seen in its state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from netsor import resources

STARTS = ("line", "expression")
_END = "$END"
_FORMAT = "2"  # of the cached text


class Unexpected(Exception):
    """The token at `index` fits nothing; `expected` are the terminals that would have been read on."""

    def __init__(self, index: int, expected: frozenset[str]):
        super().__init__(index)
        self.index = index
        self.expected = expected


class Terminal(Protocol):
    """What the loop asks of a token."""

    @property
    def type(self) -> str: ...


class _Spliced(list[Any]):
    """The children of a repetition, which belong to the rule around it."""


@dataclass(frozen=True)
class _Rule:
    origin: str
    size: int
    method: str  # of the builder; '' where the one child is the value, '*' for a repetition
    holes: tuple[int, ...]  # how many absent optional parts stand before each child, and after the last


class Parser:
    """Runs the tables over tokens; `builder` has a method for each rule, called with the rule's children."""

    def __init__(self, tables: dict[str, Any], builder: object):
        self._starts: dict[str, int] = tables["starts"]
        self._ends: dict[str, int] = tables["ends"]
        self._states: list[dict[str, int]] = tables["states"]
        rules = [_Rule(origin, size, method, tuple(holes)) for origin, size, method, holes in tables["rules"]]
        self._reductions = [(r.origin, r.size, _reducer(r, builder)) for r in rules]

    def parse(self, tokens: Sequence[Terminal], start: str) -> Any:
        """The value of the start rule; raises `Unexpected`."""
        table, reductions = self._states, self._reductions
        states = [self._starts[start]]
        values: list[Any] = []
        for index, token in enumerate(tokens):
            kind = token.type
            while True:
                action = table[states[-1]].get(kind)
                if action is None:
                    raise Unexpected(index, self._expected(states))
                if action >= 0:
                    states.append(action)
                    values.append(token)
                    break
                self._reduce(reductions[-1 - action], states, values)
        while states[-1] != self._ends[start]:
            action = table[states[-1]].get(_END)
            if action is None:
                raise Unexpected(len(tokens), self._expected(states))
            self._reduce(reductions[-1 - action], states, values)
        return values[-1]

    def _reduce(
        self, reduction: tuple[str, int, Callable[..., Any] | None], states: list[int], values: list[Any]
    ) -> None:
        origin, size, make = reduction
        if make is not None:
            if size:
                values[-size:] = [make(values[-size:])]
            else:
                values.append(make([]))
        if size:
            del states[-size:]
        states.append(self._states[states[-1]][origin])

    def _expected(self, states: list[int]) -> frozenset[str]:
        """The terminals that can really follow: a merged state may list some whose reductions lead nowhere."""
        return frozenset(t for t in self._states[states[-1]] if t.isupper() and t != _END and self._accepts(states, t))

    def _accepts(self, states: list[int], terminal: str) -> bool:
        stack = list(states)
        while True:
            action = self._states[stack[-1]].get(terminal)
            if action is None:
                return False
            if action >= 0:
                return True
            origin, size, _ = self._reductions[-1 - action]
            if size:
                del stack[-size:]
            stack.append(self._states[stack[-1]][origin])


def _splice(*children: Any) -> _Spliced:
    return _Spliced(children)


def _reducer(rule: _Rule, builder: object) -> Callable[[list[Any]], Any] | None:
    if not rule.method:
        return None
    build: Callable[..., Any] = _splice if rule.method == "*" else getattr(builder, rule.method)
    holes = rule.holes

    def reduce(children: list[Any]) -> Any:
        parts: list[Any] = []
        for i, child in enumerate(children):
            if holes:
                parts.extend([None] * holes[i])
            if type(child) is _Spliced:
                parts.extend(child)
            else:
                parts.append(child)
        if holes:
            parts.extend([None] * holes[-1])
        return build(*parts)

    return reduce


def make_tables(grammar: str) -> dict[str, Any]:
    """The tables of a grammar, by lark; an ambiguous grammar is refused by lark or by the test of this module."""
    import lark
    from lark.grammar import Rule
    from lark.lexer import Lexer, TerminalDef

    class NoLexer(Lexer):  # tokens come from our own tokenizer
        def __init__(self, conf: Any) -> None:
            pass

        def lex(self, *args: Any) -> Any:
            raise NotImplementedError

    made = lark.Lark(grammar, parser="lalr", lexer=NoLexer, start=list(STARTS), maybe_placeholders=True)
    data, memo = made.memo_serialize([TerminalDef, Rule])
    lalr = data["parser"]["parser"]
    names, numbers = lalr["tokens"], {}
    rules: list[Any] = []
    states: list[dict[str, int]] = [{} for _ in range(max(lalr["states"]) + 1)]
    for state, actions in lalr["states"].items():
        for token, (is_reduce, argument) in actions.items():
            if not is_reduce:
                states[state][names[token]] = argument
                continue
            key = argument["@"]
            if key not in numbers:
                numbers[key] = len(rules)
                rules.append(_shape(memo[key]))
            states[state][names[token]] = -1 - numbers[key]
    return {"starts": lalr["start_states"], "ends": lalr["end_states"], "states": states, "rules": rules}


def _shape(rule: dict[str, Any]) -> list[Any]:
    """[origin, size, method, holes] of a rule as lark serialises it."""
    origin, size, options = rule["origin"]["name"], len(rule["expansion"]), rule["options"]
    holes: list[int] = []
    if options["empty_indices"]:
        marks = "".join("1" if empty else "0" for empty in options["empty_indices"])
        holes = [len(run) for run in marks.split("0")]
    if origin.startswith("__"):
        method = "*"
    elif options["expand1"] and not rule["alias"] and size == 1 and not any(holes):
        method = ""
    else:
        method = rule["alias"] or origin
    return [origin, size, method, holes]


@cache
def load_tables() -> dict[str, Any]:
    """The tables of the grammar that comes with the package."""
    grammar = resources.grammar_text()
    text = resources.cached("grammar", _FORMAT + grammar, lambda: json.dumps(make_tables(grammar)))
    try:
        tables = json.loads(text)
        if isinstance(tables, dict) and tables.keys() == {"starts", "ends", "states", "rules"}:
            return tables
    except ValueError:
        pass
    return make_tables(grammar)  # what the cache holds is not ours
