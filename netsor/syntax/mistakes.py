"""What a line that does not parse has wrong, in the writer's words, with an edit that would be accepted.

`explain` asks the rules in turn; the first that knows the mistake makes the diagnostic. A rule sees the tokens, which
one was unexpected, and what would have been read on. An edit is offered only after it was tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from netsor.diagnostics.data import Diagnostic, Label, Span
from netsor.syntax.names import KEYWORDS
from netsor.syntax.tokens import BEGINS_FACTOR, BEGINS_VALUE, ENDS_VALUE, OPENS, Line, Token

_LONGEST_HINT = 100


@dataclass(frozen=True)
class Mistake:
    """A line, the place of its first unexpected token, and the terminals that would have been accepted there."""

    line: Line
    index: int
    expected: frozenset[str]
    start: str
    accepts: Callable[[str, str], bool]

    @property
    def tokens(self) -> list[Token]:
        return self.line.tokens

    @property
    def token(self) -> Token:
        return self.tokens[min(self.index, len(self.tokens) - 1)]

    @property
    def previous(self) -> Token | None:
        return self.tokens[self.index - 1] if self.index else None

    @property
    def first(self) -> str:
        return self.tokens[0].type

    @cached_property
    def open(self) -> Token | None:
        """The innermost bracket that is open before the token."""
        stack: list[Token] = []
        for token in self.tokens[: self.index]:
            if token.type in OPENS:
                stack.append(token)
            elif token.type in ("RPAR", "RSQB", "ANGLE_R") and stack:
                stack.pop()
        return stack[-1] if stack else None

    @property
    def wants_value(self) -> bool:
        return {"NAME", "NUMBER", "LPAR"} <= self.expected and not ({"END", "PLUS"} & self.expected)

    def span(self, first: int, last: int) -> Span:
        return Span(self.line.source, self.tokens[first].start, self.tokens[last].end)

    def closing(self, index: int) -> int | None:
        """The index of the bracket that closes the one at `index`."""
        depth = 0
        for i in range(index, len(self.tokens)):
            if self.tokens[i].type in OPENS:
                depth += 1
            elif self.tokens[i].type in ("RPAR", "RSQB", "ANGLE_R"):
                depth -= 1
                if not depth:
                    return i
        return None

    def edit(self, start: int, end: int, text: str) -> str:
        """The hint to write the line with [start, end) of the source replaced, or '' if that would not be accepted."""
        return self.edits((start, end, text))

    def edits(self, *changes: tuple[int, int, str]) -> str:
        whole = self.line.source.text
        out, at = [], self.line.start
        for start, end, text in changes:
            out += [whole[at:start], text]
            at = end
        out.append(whole[at : self.line.end])
        edited = "".join(out)
        if not self.accepts(edited, self.start):
            return ""
        if "\n" in edited or len(edited) > _LONGEST_HINT:
            start, end, text = changes[0]
            if len(changes) > 1:
                return ""
            if not text:
                return f"remove `{whole[start:end]}`"
            return f"write `{text.strip()}` here" if start == end else f"write `{text}` for `{whole[start:end]}`"
        return f"write `{edited}`"

    def instead(self, text: str) -> str:
        """The hint to write `text` in the place of the token."""
        return self.edit(self.token.start, self.token.end, text)

    def fault(self, code: str, message: str, label: str = "", hint: str = "", *notes: str, span: Span | None = None,
              labels: tuple[Label, ...] = ()) -> Diagnostic:  # fmt: skip
        return Diagnostic(code, message, span or self.token.span, label=label, hint=hint, notes=notes, labels=labels)


def explain(mistake: Mistake) -> Diagnostic:
    """The diagnostic for a line that did not parse."""
    for rule in _RULES:
        found = rule(mistake)
        if found is not None:
            return found
    return _anything(mistake)


# --- names ---


def _word_as_name(m: Mistake) -> Diagnostic | None:
    """A keyword, `n` or `pi` where a name is to be given."""
    word = m.token.text
    following = m.tokens[m.index + 1].type if m.index + 1 < len(m.tokens) else ""
    starts = m.index == 0 or (m.index == 2 and m.tokens[1].type == "COLON")
    if word in KEYWORDS and "NAME" in m.expected and not (word == "if" and m.wants_value):
        if starts and following not in ("DEFINE", "INDEX_L", "LIST_L", "LPAR", "APPLY_L", "EQ"):
            return None
        if m.wants_value and following not in ENDS_VALUE | {"END", "PLUS", "MINUS", "TIMES", "DIV", "RPAR", "COMMA", "POW"}:
            return None
        what = "a keyword"
    elif m.token.type == "RESERVED" and "NAME" in m.expected and "RESERVED" not in m.expected:
        what = "the width" if word == "n" else "the number π"
        if starts and following not in ("DEFINE", "EQ", "COLON", "LIST_L", "LPAR"):
            return None
    else:
        return None
    others = tuple(word + tail for tail in ("_", "1", "x"))
    hint = next((h for h in (m.instead(other) for other in others) if h), "") or f"choose another name, such as `{others[0]}`"
    return m.fault("E111", f"`{word}` cannot be a name", f"{what} of the language" if what == "a keyword" else what, hint)


# --- definitions, assignments, declarations ---


def _wrong_equals(m: Mistake) -> Diagnostic | None:
    """`=` for `:=`, `:=` for `=`, `==` for either."""
    found = m.token.type
    if found == "EQ" and "DEFINE" in m.expected:
        return m.fault("E108", "a line is given its value with `:=`", "`:=` expected", m.instead(":=") or "write `:=`",
                       "`=` stands in declarations (`scalar c = 2`) and definitions (`φ(u) = tanh(u)`)")  # fmt: skip
    if found == "DEFINE" and "EQ" in m.expected:
        what = "a definition" if m.first == "NAME" else "a declaration"
        return m.fault("E108", f"{what} has `=`", "`=` expected", m.instead("=") or "write `=`",
                       "`:=` stands in lines that compute: `x := tanh(h)`")  # fmt: skip
    if m.token.text == "==" and {"EQ", "DEFINE"} & m.expected:
        right = "DEFINE" if "DEFINE" in m.expected else "EQ"
        text = ":=" if right == "DEFINE" else "="
        return m.fault("E108", "`==` compares", f"`{text}` expected", m.instead(text) or f"write `{text}`")
    if found in ("TILDE", "COLON") and "DEFINE" in m.expected and m.index == 1 and m.first == "NAME" and found == "TILDE":
        kind = "matrix" if m.tokens[0].text[0].isupper() else "vector"
        return m.fault("E122", "a law belongs to a declaration", "of a vector or a matrix?",
                       m.edit(m.line.start, m.line.start, kind + " "))  # fmt: skip
    if found == "DEFINE" and "TILDE" in m.expected:
        return m.fault("E122", f"`{m.tokens[0].text}` declares what is drawn at random", "`~` expected, with a law",
                       m.edit(m.tokens[0].start, m.tokens[1].start, "") or "write `~ N(0, 1)`")  # fmt: skip
    return None


def _declaration(m: Mistake) -> Diagnostic | None:
    """A declaration that stops early."""
    source, end = m.line.source.text, m.line.end
    word = m.tokens[0].text
    if m.first in ("PARAM", "SCALAR") and m.token.type == "END" and "EQ" in m.expected:
        return m.fault("E122", f"a {word} needs a value", "`= …` expected", m.edit(end, end, " = 1"))
    if m.first == "DATA" and "COLON" in m.expected and "INDEX_L" not in m.expected:
        return m.fault("E122", "data needs a shape", "`: (rows, columns)` expected",
                       m.edit(m.token.start, m.token.start, (" " if source[m.token.start - 1] != " " else "") + ": (2, 3)"
                              + ("" if m.token.type == "END" else " ")))  # fmt: skip
    if m.first == "DATA" and m.token.type == "INDEX_L" and m.index == 2:
        return m.fault("E122", "the shape of data stands after a colon", "`:` expected",
                       f"write `data {m.tokens[1].text} : (2, 3)`")  # fmt: skip
    if m.first == "NETWORK" and "APPLY_L" in m.expected:
        return m.fault("E122", "a network names its input", "`(ξ : 3)` expected",
                       m.edit(m.token.start, m.token.start, "(ξ : 3)") if m.token.type == "END" else "write `network f(ξ : 3)`")  # fmt: skip
    if m.first == "NETWORK" and m.open is not None and m.token.type in ("RPAR", "COMMA") and "COLON" in m.expected:
        return m.fault("E122", "an input of a network has a dimension", "`: 3` expected", m.edit(m.token.start, m.token.start, " : 3"))
    if m.first in ("PROGRAM", "NETWORK") and m.token.type == "COLON":
        return m.fault("E120", "a header has no colon at its end", "", m.instead(""), "the file after it is not indented")
    if m.first in ("PROGRAM", "NETWORK", "PARAM", "DATA", "SCALAR", "MATRIX", "VECTOR", "TRAIN") and m.expected == {"NAME"}:
        wrong = "" if m.token.type == "END" else f", not {_called(m.token)}"
        before = m.previous.text if m.previous else word
        return m.fault("E122", f"after `{before}` stands a name{wrong}", "a name expected")
    return None


def _law(m: Mistake) -> Diagnostic | None:
    """`~` with something else than N(mean, variance) behind it."""
    tilde = next((i for i, t in enumerate(m.tokens[: m.index + 1]) if t.type == "TILDE"), None)
    if tilde is None or m.first not in ("VECTOR", "MATRIX"):
        return None
    if m.index > tilde + 2 and not (m.token.type in ("RPAR", "SEMI") and m.expected and "COMMA" in m.expected):
        return None
    if m.index == tilde:
        return None
    law = "N(0, 1/n)" if m.first == "MATRIX" else "N(0, 1)"
    start = m.tokens[tilde + 1].start
    if m.index > tilde + 2:
        hint = m.edit(m.tokens[tilde + 3].start, m.tokens[tilde + 3].start, "0, ")
    else:
        hint = m.edit(start, m.line.end, law) or f"write `~ {law}`"
    return m.fault("E121", "a law is `N(mean, variance)`", "a mean and a variance expected", hint)


def _no_statement(m: Mistake) -> Diagnostic | None:
    """A line that only mentions a value, or begins with what begins no statement."""
    if m.start != "line":
        return None
    at = m.line.start
    named = m.edit(at, at, "y := ")
    message = "this line is no statement"
    if m.index == 0:
        if m.first in ("THEN", "ELSE", "IN", "AND", "OR", "NOT", "IF"):
            return m.fault("E125", f"a line cannot begin with `{m.token.text}`", "", named,
                           "an expression goes on in the next line while a bracket is open")  # fmt: skip
        return m.fault("E125", message, "no statement begins so", named or "give a value a name: `y := …`")
    simple = m.first == "NAME" and not any(t.type in ("DEFINE", "EQ", "COLON") for t in m.tokens)
    if simple and named and ("DEFINE" in m.expected or "EQ" in m.expected or m.token.type != "END"):
        return m.fault("E125", message, "a value without a name", named, "a line gives a name to a value: `y := …`",
                       span=Span(m.line.source, at, m.line.end))  # fmt: skip
    if m.first == "NAME" and m.index == 1 and "DEFINE" in m.expected:
        word = m.tokens[0].text.lower()
        meant = {"let": "", "var": "", "const": "scalar", "function": "def", "func": "def", "fn": "def", "while": "for",
                 "import": "", "print": "output", "out": "output", "vec": "vector", "mat": "matrix", "input": "data",
                 "parameter": "param", "params": "param", "vectors": "vector", "matrices": "matrix", "scalars": "scalar"}  # fmt: skip
        if word in meant:
            hint = m.edit(at, m.tokens[0].end + (not meant[word]), meant[word])
            return m.fault("E125", f"`{m.tokens[0].text}` begins no statement", "", hint or "see `netsor explain E125`",
                           span=m.tokens[0].span)  # fmt: skip
    return None


def _function_head(m: Mistake) -> Diagnostic | None:
    """Parameters that are no names."""
    if m.expected & {"DEFINE", "COLON"} or m.open is None or m.open.type != "APPLY_L":
        return None
    opened = m.tokens.index(m.open)
    is_def = m.first == "DEF" and opened == 2
    is_function = m.first == "NAME" and opened == 1 and not any(t.type == "DEFINE" for t in m.tokens[:opened])
    if not (is_def or is_function) or not ({"RPAR", "NAME"} & m.expected) or "NUMBER" in m.expected:
        return None
    if m.token.type == "EQ":
        return m.fault("E126", "a parameter has no default value", "", "", "parameters are names: `φ(u)`, `ψ(x, y; θ)`")
    return m.fault("E126", "a parameter of a function is a name", f"{_called(m.token)} is none", "",
                   "the head of a definition is `φ(u)`, or `ψ(x, y; θ)` with scalars after the semicolon")  # fmt: skip


# --- blocks and ranges ---


def _colon(m: Mistake) -> Diagnostic | None:
    """A block's first line without its colon, or with a statement behind it."""
    if m.first not in ("FOR", "DEF"):
        return None
    word = m.tokens[0].text
    if "COLON" in m.expected and m.token.type in ("END", "EQ", "DEFINE"):
        at = m.token.start
        hint = m.edit(at, at, ":") if m.token.type == "END" else m.edit(at, m.line.end, ":")
        example = "for t in 1..T:" if word == "for" else "def f(x):"
        return m.fault("E110", f"a `{word}` line ends with a colon", "`:` expected", hint or f"write `{example}`")
    if m.expected == {"END"} and m.previous is not None and m.previous.type == "COLON":
        head = m.line.source.text[m.line.start : m.previous.end]
        return m.fault("E130", f"the block of a `{word}` begins on the next line", "put this on a line of its own",
                       f"write `{head}` and indent the rest below it by four spaces", span=m.span(m.index, -1))  # fmt: skip
    if m.first == "DEF" and m.index <= 2:
        hint = "write `def f(x):`" if m.index < 2 else m.edit(m.token.start, m.token.start, "(x)")
        return m.fault("E126", "a `def` line is `def name(x):`", "a name expected" if m.index < 2 else "`(x)` expected",
                       hint or "write `def f(x):`")  # fmt: skip
    return None


def _range(m: Mistake) -> Diagnostic | None:
    """Ranges that lack an end, or are spelled otherwise."""
    before = m.previous
    if before is not None and before.type == "DOTS" and m.wants_value:
        close = m.token.start
        return m.fault("E117", "a range has two ends", "the last index is missing", m.edit(close, close, "T"))
    if m.token.type == "DOTS" and m.wants_value:
        return m.fault("E117", "a range has two ends", "the first index is missing before `..`", m.edit(m.token.start, m.token.start, "1"))
    if m.first == "FOR" and m.index == 2 and m.token.type in ("EQ", "DEFINE", "COLON"):
        return m.fault("E117", "a loop is `for t in 1..T:`", "`in` expected", m.instead(" in"))
    if "DOTS" in m.expected and "COMMA" not in m.expected and "END" not in m.expected and m.open is None and m.first == "FOR":
        start = next((i + 1 for i, t in enumerate(m.tokens) if t.type == "IN"), m.index)
        text = m.line.source.text[m.tokens[start].start : m.tokens[m.index - 1].end]
        call = m.tokens[start].text == "range"
        top = m.tokens[m.index - 2].text if call and m.index - start == 4 else text
        return m.fault("E117", "a loop runs over a range", "`..` expected", m.edit(m.tokens[start].start, m.tokens[m.index - 1].end, f"1..{top}"),
                       "a range `1..T` includes both ends", span=m.span(start, m.index - 1))  # fmt: skip
    if m.token.type == "COLON" and "DOTS" in m.expected:
        return m.fault("E117", "a range is written with `..`", "", m.instead(".."))
    if m.token.type == "DOTS":
        return m.fault("E117", "a range cannot stand here", "", "",
                       "ranges stand in `for t in 1..T:`, in `sum(t in 1..T: …)` and in declarations, `matrix W[1..L]`")  # fmt: skip
    return None


# --- expressions ---


def _root(m: Mistake) -> Diagnostic | None:
    """`√` of more than one thing."""
    before = m.previous
    if before is not None and before.type == "SQRT":
        hint = ""
        if m.token.type in ("MINUS", "SQRT"):
            hint = next((h for i in range(m.index, len(m.tokens) - 1)
                         if (h := m.edits((m.token.start, m.token.start, "("), (m.tokens[i].end, m.tokens[i].end, ")")))), "")  # fmt: skip
        return m.fault("E114", "`√` takes one number, name or bracket", "put what is under the root in brackets" if m.token.type != "END" else "a value is missing", hint)
    if m.token.type == "APPLY_L":
        i = m.index - 1
        while i >= 0 and m.tokens[i].type in ("NAME", "PRIME", "TRANSPOSE", "RSQB", "NUMBER", "COMMA", "INDEX_L", "BY_L"):
            i -= 1
        close = m.closing(m.index)
        if i >= 0 and m.tokens[i].type == "SQRT" and close is not None:
            a, b = m.tokens[i].end, m.tokens[close].end
            inside, name = m.line.source.text[a:b], m.line.source.text[a : m.token.start].strip()
            return m.fault("E114", f"`√{inside}` could be read in two ways" if len(inside) < 50 else "a root that could be read in two ways",
                           "`√` takes one number, name or bracket", m.edits((a, a, "("), (b, b, ")")),
                           f"for a product with the root of `{name}`, write `√({name}) (…)`", span=m.span(i, close))  # fmt: skip
    if m.token.type == "TRANSPOSE":
        root = next((i for i in range(m.index - 1, -1, -1) if m.tokens[i].type == "SQRT"), None)
        if root is not None and m.previous is not None and m.previous.type in ENDS_VALUE:
            a, b = m.tokens[root].start, m.token.start
            hint = m.edits((a, a, "("), (b, b, ")"))
            if hint:
                return m.fault("E114", "a transposed root needs brackets", "", hint)
    return None


def _comparison(m: Mistake) -> Diagnostic | None:
    """Comparisons and their connectives outside a condition, or two in a row."""
    if m.token.type == "CMP" and "CMP" not in m.expected and m.previous is not None and m.previous.type in ENDS_VALUE:
        if {"AND", "OR", "THEN"} & m.expected:
            cut = max(i for i in range(m.index) if m.tokens[i].type == "CMP")
            middle = m.line.source.text[m.tokens[cut].end : m.token.start].strip()
            return m.fault("E112", "a condition compares two values at a time", "", m.edit(m.token.start, m.token.start, f"and {middle} "))
        if m.token.text == "<" and m.open is None:
            close = next((i for i in range(m.index + 1, len(m.tokens)) if m.tokens[i].text == ">"), None)
            if close is not None:
                a, b = m.token, m.tokens[close]
                hint = m.edits((a.start, a.end, "⟨"), (b.start, b.end, "⟩"))
                if hint:
                    return m.fault("E112", "after a value, `<` compares", "an inner product?", hint)
        low = m.line.start
        start = next((i + 1 for i in range(m.index, 0, -1) if m.tokens[i].type in ("DEFINE", "EQ")), None)
        hint = ""
        if start is not None:
            a = m.tokens[start].start
            hint = m.edits((a, a, "if "), (m.line.end, m.line.end, " then 1 else 0")) if low <= a else ""
        return m.fault("E112", "a comparison stands only between `if` and `then`", "", hint)
    if m.token.type in ("AND", "OR") and m.token.type not in m.expected and m.previous and m.previous.type in ENDS_VALUE:
        if "CMP" in m.expected:
            return m.fault("E112", f"`{m.token.text}` joins comparisons", f"no comparison before `{m.token.text}`",
                           m.edit(m.token.start, m.token.start, "> 0 "))  # fmt: skip
        return m.fault("E112", f"`{m.token.text}` stands only between `if` and `then`")
    if m.token.type == "NOT" and m.wants_value and "NOT" not in m.expected:
        return m.fault("E112", "`not` stands only between `if` and `then`")
    return None


def _if(m: Mistake) -> Diagnostic | None:
    """A conditional without one of its parts, or in the place of an operand."""
    form = "`if C then A else B`"
    if m.token.type == "IF":
        hint = ""
        if m.wants_value or (m.previous is not None and m.previous.type in ENDS_VALUE):
            hint = m.edits((m.token.start, m.token.start, "("), (m.line.end, m.line.end, ")"))
        if hint or m.wants_value:
            return m.fault("E124", "`if` binds looser than every operator", "put the whole of it in brackets", hint)
        return None
    if "CMP" in m.expected and "THEN" not in m.expected and m.token.type in ("THEN", "RPAR", "END"):
        return m.fault("E124", "a condition compares two values", "a comparison expected", m.edit(m.token.start, m.token.start, "> 0 " if m.token.type == "THEN" else " > 0"))
    if "THEN" in m.expected:
        hint = m.instead(" then") if m.token.type == "COLON" else m.edit(m.token.start, m.token.start, "then ")
        return m.fault("E124", "`then` is missing", f"a conditional is {form}", hint)
    if "ELSE" in m.expected and m.token.type in ("END", "RPAR", "COMMA", "RSQB"):
        return m.fault("E124", "`else` is missing", f"a conditional is {form}", m.edit(m.token.start, m.token.start, " else 0"))
    return None


def _postfix(m: Mistake) -> Diagnostic | None:
    """Primes and indices behind what cannot bear them."""
    before = m.previous
    if m.token.type == "PRIME" and before is not None and before.type in ENDS_VALUE:
        hint = ""
        if before.type == "RPAR":
            opened = next((i for i in range(m.index - 1, -1, -1) if m.closing(i) == m.index - 1 and m.tokens[i].type == "APPLY_L"), None)
            if opened is not None:
                at = m.tokens[opened].start
                hint = m.edits((at, at, m.token.text), (m.token.start, m.token.end, ""))
        return m.fault("E128", "a prime stands behind the name of a function", "not behind a value", hint,
                       "`φ'(u)` is the derivative of φ at u; a transpose is `ᵀ` or `^T`")  # fmt: skip
    if m.token.type in ("INDEX_L", "LIST_L", "BY_L") and before is not None and before.type in ENDS_VALUE:
        close = m.closing(m.index)
        hint = ""
        if before.type == "TRANSPOSE" and close is not None:
            index = m.line.source.text[m.token.start : m.tokens[close].end]
            hint = m.edits((before.start, before.start, index), (m.token.start, m.tokens[close].end, ""))
        span = m.span(m.index, close) if close is not None else None
        return m.fault("E128", "an index stands behind a name", f"{_called(before)} bears none", hint, span=span)
    return None


def _missing_value(m: Mistake) -> Diagnostic | None:
    """A place where a value is to stand is empty."""
    if not m.wants_value and not (m.expected == {"NAME"} and m.token.type == "END"):
        return None
    before, token = m.previous, m.token
    if token.type in ("RPAR", "RSQB", "ANGLE_R") and before is not None and before.type in OPENS:
        brackets = before.text + token.text
        return m.fault("E129", f"nothing stands between `{brackets}`", "a value is missing", "", span=m.span(m.index - 1, m.index))
    if token.type in ("END", "RPAR", "RSQB", "ANGLE_R", "COMMA", "SEMI", "THEN", "ELSE", "COLON", "EQ", "DEFINE"):
        after = f" after `{before.text}`" if before is not None else ""
        if token.type == "END":
            hint = "" if before is None else "go on in the next line inside `( )`" if before.type in ("PLUS", "MINUS", "TIMES", "DIV") else ""
            return m.fault("E119", f"a value is missing{after}", "the line ends here", hint)
        drop = m.edit(before.start, token.start, "") if before is not None and before.type == "COMMA" else ""
        return m.fault("E119", f"a value is missing{after}", f"before `{token.text}`", drop)
    if token.type in ("PLUS", "TIMES", "DIV", "POW", "AT", "TRANSPOSE", "PRIME", "SUPER", "CMP", "AND", "OR"):
        if token.type == "PLUS":
            return m.fault("E120", "a value has no leading `+`", "", m.instead(""))
        return m.fault("E119", f"a value is missing before `{token.text}`", "an operator without its left side")
    if token.type == "MINUS":  # only juxtaposition and roots refuse it
        end = m.tokens[m.index + 1].end if m.index + 1 < len(m.tokens) else token.end
        return m.fault("E120", "a factor does not begin with a sign", "", m.edits((token.start, token.start, "("), (end, end, ")")))
    return None


def _argument(m: Mistake) -> Diagnostic | None:
    """`name = value` in an argument list, a second semicolon, tuples."""
    if m.open is None:
        return None
    if m.token.type in ("EQ", "DEFINE") and m.previous is not None and m.previous.type == "NAME":
        hint = m.edit(m.previous.start, m.tokens[m.index + 1].start, "")
        return m.fault("E120", "an argument is known by its place, not by a name", "", hint, span=m.span(m.index - 1, m.index))
    if m.token.type == "SEMI" and m.open.type == "APPLY_L":
        return m.fault("E120", "one semicolon separates vectors from scalars", "a second one", m.instead(","))
    if m.token.type in ("COMMA", "SEMI") and m.open.type == "LPAR":
        return m.fault("E120", f"`{m.token.text}` cannot stand in plain brackets", "",
                       "a list of numbers is `[a, b]`, an inner product `⟨x, y⟩`")  # fmt: skip
    if m.open.type == "ANGLE_L" and m.token.type in ("ANGLE_R", "COMMA") and "END" not in m.expected:
        what = "two values, `⟨x, y⟩`"
        return m.fault("E120", "an inner product has two sides", f"{what} expected")
    return None


def _two_on_a_line(m: Mistake) -> Diagnostic | None:
    """Something behind a complete statement."""
    if m.token.type == "SEMI" and m.open is None:
        rest = m.tokens[m.index + 1].type
        hint = m.instead("") if rest == "END" else "put what follows on a line of its own"
        return m.fault("E120", "a line holds one statement and has no `;` at its end", "", hint)
    if "END" in m.expected and m.open is None and m.token.text in KEYWORDS and m.token.text not in ("then", "else", "in"):
        return m.fault("E120", f"`{m.token.text}` begins a statement of its own", "", "put it on the next line")
    if m.token.type in ("DEFINE", "EQ") and "END" in m.expected and m.open is None:
        return m.fault("E120", f"a second `{m.token.text}` in one line", "", "", "a line gives a value to one name")
    return None


def _anything(m: Mistake) -> Diagnostic:
    """What no rule knows."""
    token = m.token
    hint = next((h for h in (m.instead(""), m.edit(token.start, token.start, " * ")) if h), "") if token.type != "END" else ""
    at_end = token.type == "END"
    message = "the line ends too early" if at_end else f"{_called(token)} cannot stand here"
    return m.fault("E120", message, _expectation(m.expected), hint)


def _called(token: Token) -> str:
    if token.type == "END":
        return "the end of the line"
    text = token.span.text
    if token.text in KEYWORDS:
        return f"the keyword `{text}`"
    return f"`{text}`" if len(text) <= 40 else "this"


_SHOWN = {
    "COMMA": "`,`", "SEMI": "`;`", "COLON": "`:`", "DEFINE": "`:=`", "EQ": "`=`", "TILDE": "`~`", "DOTS": "`..`",
    "APPLY_L": "`(`", "INDEX_L": "`[`", "RPAR": "`)`", "RSQB": "`]`", "ANGLE_R": "`⟩`", "THEN": "`then`", "ELSE": "`else`",
    "IN": "`in`", "AND": "`and`", "CMP": "a comparison", "END": "the end of the line",
}  # fmt: skip


def _expectation(expected: frozenset[str]) -> str:
    """What would have been accepted, in the words of the language."""
    words: list[str] = []
    if BEGINS_VALUE & expected > {"NAME"} or {"NUMBER"} & expected:
        words.append("a value" if "PLUS" not in expected else "")
    elif "NAME" in expected:
        words.append("a name")
    if "PLUS" in expected and BEGINS_FACTOR & expected:
        words.append("an operator")
    closers = [w for t, w in _SHOWN.items() if t in expected and t not in ("APPLY_L", "INDEX_L", "AND")]
    if "APPLY_L" in expected and not words:
        closers.insert(0, "`(`")
    words = [w for w in words if w] + closers
    if not words:
        return ""
    return (" or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]) + " expected"


_RULES: tuple[Callable[[Mistake], Diagnostic | None], ...] = (
    _word_as_name,
    _colon,
    _range,
    _law,
    _wrong_equals,
    _declaration,
    _root,
    _if,
    _comparison,
    _function_head,
    _argument,
    _postfix,
    _no_statement,
    _missing_value,
    _two_on_a_line,
)
