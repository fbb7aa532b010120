"""Mistakes in how a line is made: its name, its `:=`, its declaration, its block."""

from __future__ import annotations

from difflib import get_close_matches

from netsor.diagnostics.data import Diagnostic, Edit, Span
from netsor.syntax.mistakes.habit import removal
from netsor.syntax.mistakes.laws import NamedLaw, named_edit, named_law
from netsor.syntax.mistakes.mistake import Correction, Help, Mistake, called
from netsor.syntax.names import KEYWORDS
from netsor.syntax.tokens import ENDS_VALUE

# --- names ---


def misspelt(m: Mistake) -> Diagnostic | None:
    """The first word is almost a keyword, `matrx W`, or one with a capital, `Output m := …`."""
    if m.first != "NAME" or m.index == 0:
        return None
    first = m.tokens[0]
    word = first.text.lower()
    near = [word] if word in KEYWORDS else get_close_matches(word, sorted(KEYWORDS), 2, 0.75)
    for meant in near:
        hint = m.edit(first.start, first.end, meant, safe=word == meant)
        if hint:
            return m.fault(
                "E125",
                f"`{first.span.text}` begins no statement",
                f"did you mean `{meant}`?",
                hint,
                *(("keywords are written in small letters",) if word == meant else ()),
                span=first.span,
            )
    return None


def word_as_name(m: Mistake) -> Diagnostic | None:
    """A keyword, `n` or `pi` where a name is to be given."""
    if m.index == 1 and m.tokens[0].text in KEYWORDS and m.token.type == "DEFINE":
        word = m.tokens[0].text
        hint = m.edit(m.tokens[0].start, m.tokens[0].end, word + "_")
        return m.fault("E111", f"`{word}` cannot be a name", "a keyword of the language", hint, span=m.tokens[0].span)
    word = m.token.text
    following = m.tokens[m.index + 1].type if m.index + 1 < len(m.tokens) else ""
    starts = m.index == 0 or (m.index == 2 and m.tokens[1].type == "COLON")
    if word in KEYWORDS and "NAME" in m.expected and not (word == "if" and m.wants_value):
        if starts and following not in ("DEFINE", "INDEX_L", "LIST_L", "LPAR", "APPLY_L", "EQ"):
            return None
        if m.wants_value and following not in ENDS_VALUE | {
            "END",
            "PLUS",
            "MINUS",
            "TIMES",
            "DIV",
            "RPAR",
            "COMMA",
            "POW",
        }:
            return None
        what = "a keyword"
    elif word == "n" and _gives_width(m):
        return m.fault(
            "E111",
            "the width `n` gets no value in a program, which is run at any width",
            "the width",
            Correction(
                "remove this line; the width is chosen where the program is run: `netsor eval … --width 100`",
                removal(m.line, m.line.end),
            ),
        )
    elif m.token.type == "RESERVED" and "NAME" in m.expected and "RESERVED" not in m.expected:
        what = "the width" if word == "n" else "the number π"
        if starts and following not in ("DEFINE", "EQ", "COLON", "LIST_L", "LPAR"):
            return None
    else:
        return None
    others = tuple(word + tail for tail in ("_", "1", "x"))
    hint = (
        next((h for h in (m.instead(other) for other in others) if h), "")
        or f"choose another name, such as `{others[0]}`"
    )
    return m.fault(
        "E111", f"`{word}` cannot be a name", f"{what} of the language" if what == "a keyword" else what, hint
    )


def _gives_width(m: Mistake) -> bool:
    """`n = 100`, also as a `param` or a `scalar`."""
    types = [t.type for t in m.tokens if t.type not in ("PARAM", "SCALAR", "END")]
    return types in (["RESERVED", "EQ", "NUMBER"], ["RESERVED", "DEFINE", "NUMBER"])


# --- definitions, assignments, declarations ---


def wrong_equals(m: Mistake) -> Diagnostic | None:
    """`=` for `:=`, `:=` for `=`, `==` for either."""
    found = m.token.type
    if found == "EQ" and "DEFINE" in m.expected:
        return m.fault(
            "E108",
            "a line is given its value with `:=`",
            "`:=` expected",
            m.instead(":=", safe=True) or "write `:=`",
            "`=` stands in declarations (`scalar c = 2`) and definitions (`φ(u) = tanh(u)`)",
        )
    if found == "EQ" and "CMP" in m.expected:
        return m.fault("E108", "`=` does not compare", "`==` expected", m.instead("==", safe=True) or "write `==`")
    if found == "DEFINE" and "EQ" in m.expected and not any(t.type == "DEFINE" for t in m.tokens[: m.index]):
        what = "a definition" if m.first == "NAME" else "a declaration"
        return m.fault(
            "E108",
            f"{what} has `=`",
            "`=` expected",
            m.instead("=", safe=True) or "write `=`",
            "`:=` stands in lines that compute: `x := tanh(h)`",
        )
    if m.token.text == "==" and {"EQ", "DEFINE"} & m.expected:
        right = "DEFINE" if "DEFINE" in m.expected else "EQ"
        text = ":=" if right == "DEFINE" else "="
        return m.fault("E108", "`==` compares", f"`{text}` expected", m.instead(text, safe=True) or f"write `{text}`")
    if found == "TILDE" and "DEFINE" in m.expected and m.index == 1 and m.first == "NAME":
        kind = "matrix" if m.tokens[0].text[0].isupper() else "vector"
        return m.fault(
            "E122",
            "a law belongs to a declaration",
            "of a vector or a matrix?",
            m.edit(m.line.start, m.line.start, kind + " "),
        )
    if found in ("DEFINE", "EQ") and "TILDE" in m.expected:
        return m.fault(
            "E122",
            f"`{m.tokens[0].text}` declares what is drawn at random",
            "`~` expected, with a law",
            m.edits((m.tokens[0].start, m.tokens[1].start, ""), (m.token.start, m.token.end, ":="))
            or "write `~ N(0, 1)`",
        )
    return None


def declaration(m: Mistake) -> Diagnostic | None:
    """A declaration that stops early."""
    source, end = m.line.source.text, m.line.end
    word = m.tokens[0].text
    if m.first in ("PARAM", "SCALAR") and m.token.type == "END" and "EQ" in m.expected:
        return m.fault("E122", f"a {word} needs a value", "`= …` expected", m.edit(end, end, " = 1"))
    if m.first == "DATA" and "COLON" in m.expected and "INDEX_L" not in m.expected:
        return m.fault(
            "E122",
            "data needs a shape",
            "`: (rows, columns)` expected",
            m.edit(
                m.token.start,
                m.token.start,
                (" " if source[m.token.start - 1] != " " else "")
                + f": {_shape(m)}"
                + ("" if m.token.type == "END" else " "),
            ),
        )
    if m.first == "DATA" and m.token.type == "INDEX_L" and m.index == 2:
        return m.fault(
            "E122",
            "the shape of data stands after a colon",
            "`:` expected",
            m.whole(f"data {m.tokens[1].text} : (2, 3)"),
        )
    if m.first in ("DATA", "MATRIX") and m.token.type == "COMMA" and m.open is None:
        colon = next((i for i, t in enumerate(m.tokens) if t.type == "COLON"), None)
        if colon is not None:
            a, b = m.tokens[colon + 1].start, m.tokens[min(m.index + 1, len(m.tokens) - 1)].end
            return m.fault("E122", "a shape of several sizes stands in brackets", "", m.edits((a, a, "("), (b, b, ")")))
    if m.first == "NETWORK" and "APPLY_L" in m.expected:
        return m.fault(
            "E122",
            "a network names its input",
            "`(ξ : 3)` expected",
            m.edit(m.token.start, m.token.start, "(ξ : 3)") if m.token.type == "END" else m.whole("network f(ξ : 3)"),
        )
    if m.first == "NETWORK" and m.open is not None and m.token.type in ("RPAR", "COMMA") and "COLON" in m.expected:
        return m.fault(
            "E122",
            "an input of a network has a dimension",
            "`: 3` expected",
            m.edit(m.token.start, m.token.start, " : 3"),
        )
    if m.first in ("PROGRAM", "NETWORK") and m.token.type == "COLON":
        return m.fault(
            "E120",
            "a header has no colon at its end",
            "",
            m.instead("", safe=True),
            "the file after it is not indented",
        )
    if m.first in ("PROGRAM", "NETWORK", "PARAM", "DATA", "SCALAR", "MATRIX", "VECTOR", "TRAIN") and m.expected == {
        "NAME"
    }:
        wrong = "" if m.token.type == "END" else f", not {called(m.token)}"
        before = m.previous.text if m.previous else word
        return m.fault("E122", f"after `{before}` stands a name{wrong}", "a name expected")
    return None


def _shape(m: Mistake) -> str:
    """The shape of the list of numbers behind `=`; (2, 3) where there is none."""
    start = next((t.end for t in m.tokens if t.type == "EQ"), m.line.end)
    text = "".join(m.line.source.text[start : m.line.end].split())
    if not text.startswith("["):
        return "(2, 3)"
    if not text.startswith("[["):
        return str(text.count(",") + 1)
    return f"({text.count('],[') + 1}, {text[: text.index(']')].count(',') + 1})" if "]" in text else "(2, 3)"


def _named_law(m: Mistake) -> NamedLaw | None:
    text = m.line.source.text
    return named_law(text[text.rfind("\n", 0, m.line.start) + 1 : m.line.end])


def law(m: Mistake) -> Diagnostic | None:
    """`~` with something else than N(mean, variance) behind it."""
    tilde = next((i for i, t in enumerate(m.tokens[: m.index + 1]) if t.type == "TILDE"), None)
    if tilde is None or m.first not in ("VECTOR", "MATRIX"):
        return None
    if m.index > tilde + 2 and not (m.token.type in ("RPAR", "SEMI") and m.expected and "COMMA" in m.expected):
        return None
    if m.index == tilde:
        return None
    named = _named_law(m) if m.start == "line" else None
    if named is not None and m.index > tilde + 1:
        edit = named_edit(m.line.source, m.line.start, m.line.end, named)
        help: Help = Correction(named.hint, edit) if edit else named.hint
        return m.fault("E121", named.message, "the only law is normal", help, named.note, span=m.tokens[tilde + 1].span)
    law = "N(0, 1/n)" if m.first == "MATRIX" else "N(0, 1)"
    start = m.tokens[tilde + 1].start
    if m.index > tilde + 2:
        only = m.tokens[tilde + 3]
        # One number alone is the variance; nobody means a variance of zero.
        at, text = (only.end, ", 1") if only.text == "0" else (only.start, "0, ")
        hint = m.edit(at, at, text)
    else:
        hint = m.edit(start, m.line.end, law) or f"write `~ {law}`"
    return m.fault("E121", "a law is `N(mean, variance)`", "a mean and a variance expected", hint)


def no_statement(m: Mistake) -> Diagnostic | None:
    """A line that only mentions a value, or begins with what begins no statement."""
    if m.start != "line":
        return None
    at = m.line.start
    named = m.edit(at, at, "y := ")
    message = "this line is not a statement"
    if m.index == 0:
        if m.first in ("THEN", "ELSE", "IN", "AND", "OR", "NOT", "IF"):
            return m.fault(
                "E125",
                f"a line cannot begin with `{m.token.text}`",
                "",
                named,
                "an expression goes on in the next line while a bracket is open",
            )
        return m.fault("E125", message, "no statement begins so", named or "give a value a name: `y := …`")
    label = m.first == "NAME" and m.tokens[0].text.upper() in ("MATMUL", "NONLIN", "MOMENT", "INIT")
    if label and m.index in (1, 2) and "COLON" in m.expected and m.token.type == "NAME":
        end = m.tokens[m.index - 1].end
        hint = m.edit(end, end, ":", safe=True)
        if hint:
            return m.fault("E115", "a label ends with a colon", "`:` expected", hint)
    if m.previous is not None and m.previous.type == "COLON" and m.index in (2, 3) and m.token.text in KEYWORDS:
        hint = m.edit(at, m.token.start, "")
        return m.fault(
            "E115",
            f"a `{m.token.text}` line bears no label",
            "",
            hint or "write `LABEL: x := …`",
            "a label stands before a line that computes: `MATMUL: h := W x`",
            span=m.span(0, m.index - 1),
        )
    if m.first == "NAME" and m.token.type == "COMMA" and m.open is None and "DEFINE" in m.expected:
        return m.fault("E125", "a line gives a value to one name", "", "write one line for each name")
    if m.first == "NAME" and m.index == 1 and "DEFINE" in m.expected:
        word = m.tokens[0].text.lower()
        meant = {
            "let": "",
            "var": "",
            "const": "scalar",
            "function": "def",
            "func": "def",
            "fn": "def",
            "while": "for",
            "import": "",
            "print": "output",
            "out": "output",
            "vec": "vector",
            "mat": "matrix",
            "input": "data",
            "parameter": "param",
            "params": "param",
            "vectors": "vector",
            "matrices": "matrix",
            "scalars": "scalar",
        }
        if word in meant:
            hint = m.edit(at, m.tokens[0].end + (not meant[word]), meant[word])
            return m.fault(
                "E125",
                f"`{m.tokens[0].text}` begins no statement",
                "",
                hint or "see `netsor explain E125`",
                span=m.tokens[0].span,
            )
    simple = m.first == "NAME" and not any(t.type in ("DEFINE", "EQ", "COLON") for t in m.tokens)
    if simple and named and ("DEFINE" in m.expected or "EQ" in m.expected or m.token.type != "END"):
        return m.fault(
            "E125",
            message,
            "a value without a name",
            named,
            "a line gives a name to a value: `y := …`",
            span=Span(m.line.source, at, m.line.end),
        )
    return None


def function_head(m: Mistake) -> Diagnostic | None:
    """Parameters that are not names."""
    if m.expected & {"DEFINE", "COLON"} or m.open is None or m.open.type != "APPLY_L":
        return None
    opened = m.place(m.open)
    is_def = m.first == "DEF" and opened == 2
    is_function = m.first == "NAME" and opened == 1 and not any(t.type == "DEFINE" for t in m.tokens[:opened])
    if not (is_def or is_function) or not ({"RPAR", "NAME"} & m.expected) or "NUMBER" in m.expected:
        return None
    if m.token.type == "EQ":
        return m.fault("E126", "a parameter has no default value", "", "", "parameters are names: `φ(u)`, `ψ(x, y; θ)`")
    return m.fault(
        "E126",
        "a parameter of a function is a name",
        f"{called(m.token)} is none",
        "",
        "the head of a definition is `φ(u)`, or `ψ(x, y; θ)` with scalars after the semicolon",
    )


# --- blocks and ranges ---


def colon(m: Mistake) -> Diagnostic | None:
    """A block's first line without its colon, or with a statement behind it."""
    if m.first not in ("FOR", "DEF"):
        return None
    word = m.tokens[0].text
    if "COLON" in m.expected and m.token.type in ("END", "EQ", "DEFINE"):
        at = m.token.start
        hint = m.edit(at, at, ":", safe=True) if m.token.type == "END" else m.edit(at, m.line.end, ":")
        example = "for t in 1..T:" if word == "for" else "def f(x):"
        return m.fault("E110", f"a `{word}` line ends with a colon", "`:` expected", hint or m.whole(example))
    if m.expected == {"END"} and m.previous is not None and m.previous.type == "COLON":
        head = m.line.source.text[m.line.start : m.previous.end]
        below = "\n" + " " * (m.line.indent + 4)
        return m.fault(
            "E130",
            f"the block of a `{word}` begins on the next line",
            "put this on a line of its own",
            Correction(
                f"write `{head}` and indent the rest below it by four spaces",
                Edit(Span(m.line.source, m.previous.end, m.token.start), below, safe=True),
            ),
            span=m.span(m.index, -1),
        )
    if m.first == "DEF" and m.index <= 2:
        hint = m.whole("def f(x):") if m.index < 2 else m.edit(m.token.start, m.token.start, "(x)")
        return m.fault(
            "E126",
            "a `def` line is `def name(x):`",
            "a name expected" if m.index < 2 else "`(x)` expected",
            hint or m.whole("def f(x):"),
        )
    return None


def ranges(m: Mistake) -> Diagnostic | None:
    """Ranges that lack an end, or are spelled otherwise."""
    before = m.previous
    if before is not None and before.type == "DOTS" and m.wants_value:
        close = m.token.start
        return m.fault("E117", "a range has two ends", "the last index is missing", m.edit(close, close, "T"))
    if m.token.type == "DOTS" and m.wants_value:
        return m.fault(
            "E117",
            "a range has two ends",
            "the first index is missing before `..`",
            m.edit(m.token.start, m.token.start, "1"),
        )
    if m.first == "FOR" and m.index == 2 and m.token.type in ("EQ", "DEFINE", "COLON"):
        return m.fault(
            "E117",
            "a loop is `for t in 1..T:`",
            "`in` expected",
            m.edit(m.previous.end if m.previous else 0, m.tokens[m.index + 1].start, " in "),
        )
    if (
        "DOTS" in m.expected
        and "COMMA" not in m.expected
        and "END" not in m.expected
        and m.open is None
        and m.first == "FOR"
    ):
        start = next((i + 1 for i, t in enumerate(m.tokens) if t.type == "IN"), m.index)
        text = m.line.source.text[m.tokens[start].start : m.tokens[m.index - 1].end]
        call = m.tokens[start].text == "range"
        if call:
            inside = text[text.find("(") + 1 : text.rfind(")")].split(",")
            text = "..".join(part.strip() for part in inside[:2]) if len(inside) > 1 else f"1..{inside[0].strip()}"
        else:
            text = f"1..{text}"
        return m.fault(
            "E117",
            "a loop runs over a range",
            "`..` expected",
            m.edit(m.tokens[start].start, m.tokens[m.index - 1].end, text),
            "a range `1..T` includes both ends",
            span=m.span(start, m.index - 1),
        )
    if m.token.type == "COLON" and m.open is not None and m.open.type == "INDEX_L":
        return m.fault("E117", "a range is written with `..`, in declarations and loops", "", m.instead(".."))
    if m.token.type == "DOTS" and m.tokens[0].type == "PARAM" and m.open is not None and m.open.type == "INDEX_L":
        return m.fault(
            "E117",
            "the index of a family of constants has a name",
            "a name stands before the range",
            m.edit(m.open.end, m.open.end, "i in "),
            "the value may use it, as in `param deg[i in 1..N] = i + 1`",
        )
    if m.token.type == "DOTS":
        return m.fault(
            "E117",
            "a range cannot stand here",
            "",
            "",
            "ranges stand in `for t in 1..T:`, in `sum(t in 1..T: …)` and in declarations, `matrix W[1..L]`",
        )
    return None


def two_on_a_line(m: Mistake) -> Diagnostic | None:
    """Something behind a complete statement."""
    if m.token.type == "SEMI" and m.open is None:
        rest = m.tokens[m.index + 1].type
        hint = m.instead("", safe=True) if rest == "END" else "put what follows on a line of its own"
        return m.fault("E120", "a line holds one statement and has no `;` at its end", "", hint)
    if (
        "END" in m.expected
        and m.open is None
        and m.token.text in KEYWORDS
        and m.token.text not in ("then", "else", "in")
    ):
        return m.fault("E120", f"`{m.token.text}` begins a statement of its own", "", "put it on the next line")
    if m.token.type == "COMMA" and m.first in ("OUTPUT", "PARAM", "SCALAR", "DATA") and m.open is None:
        word = m.tokens[0].text
        return m.fault("E120", f"a line with `{word}` holds one name", "", f"write a line with `{word}` for each")
    if (
        m.token.type in ("DEFINE", "EQ")
        and m.open is None
        and any(t.type in ("DEFINE", "EQ") for t in m.tokens[: m.index])
    ):
        return m.fault("E120", f"a second `{m.token.text}` in one line", "", "", "a line gives a value to one name")
    return None
