"""Mistakes within an expression."""

from __future__ import annotations

from netsor.diagnostics.data import Diagnostic
from netsor.syntax.mistakes.mistake import Help, Mistake, called
from netsor.syntax.tokens import ENDS_VALUE, OPENS


def indexed_sum(m: Mistake) -> Diagnostic | None:
    """`sum` with an index, not quite in its form."""
    if m.open is None:
        return None
    before = m.tokens[m.place(m.open) - 1]
    if before.type != "SUM" and not (before.text in ("sum", "Σ") and m.token.type == "EQ"):
        return None
    hint: Help = ""
    if m.token.type == "EQ" and m.previous is not None:
        hint = m.edit(m.previous.end, m.tokens[m.index + 1].start, " in ", safe=True)
    elif m.token.type in ("COMMA", "SEMI"):
        hint = m.instead(":")
    elif m.token.type == "COLON" and "DOTS" in m.expected and m.previous is not None:
        hint = m.edit(m.previous.start, m.previous.end, f"1..{m.previous.text}")
    elif m.token.type != "RPAR":
        return None
    return m.fault("E120", "a sum over an index is `sum(t in 1..T: …)`", "", hint or "write `sum(t in 1..T: …)`")


def root(m: Mistake) -> Diagnostic | None:
    """`√` of more than one thing."""
    before = m.previous
    if before is not None and before.type == "SQRT":
        hint: Help = ""
        if m.token.type in ("MINUS", "SQRT"):
            hint = next(
                (
                    h
                    for i in range(m.index, min(m.index + 12, len(m.tokens) - 1))
                    if (h := m.edits((m.token.start, m.token.start, "("), (m.tokens[i].end, m.tokens[i].end, ")")))
                ),
                "",
            )
        return m.fault(
            "E114",
            "`√` takes one number, name or bracket",
            "put what is under the root in brackets" if m.token.type != "END" else "a value is missing",
            hint,
        )
    if m.token.type == "APPLY_L":
        i = m.index - 1
        while i >= 0 and m.tokens[i].type in (
            "NAME",
            "PRIME",
            "TRANSPOSE",
            "RSQB",
            "NUMBER",
            "COMMA",
            "INDEX_L",
            "BY_L",
        ):
            i -= 1
        close = m.closing(m.index)
        if i >= 0 and m.tokens[i].type == "SQRT" and close is not None:
            a, b = m.tokens[i].end, m.tokens[close].end
            inside, name = m.line.source.text[a:b], m.line.source.text[a : m.token.start].strip()
            return m.fault(
                "E114",
                f"`√{inside}` could be read in two ways"
                if len(inside) < 50
                else "a root that could be read in two ways",
                "`√` takes one number, name or bracket",
                m.edits((a, a, "("), (b, b, ")")),
                f"for a product with the root of `{name}`, write `√({name}) (…)`",
                span=m.span(i, close),
            )
    if m.token.type == "TRANSPOSE":
        root = next((i for i in range(m.index - 1, -1, -1) if m.tokens[i].type == "SQRT"), None)
        if root is not None and m.previous is not None and m.previous.type in ENDS_VALUE:
            a, b = m.tokens[root].start, m.token.start
            hint = m.edits((a, a, "("), (b, b, ")"))
            if hint:
                return m.fault("E114", "a transposed root needs brackets", "", hint)
    return None


def comparison(m: Mistake) -> Diagnostic | None:
    """Comparisons and their connectives outside a condition, or two in a row."""
    hint: Help
    if m.token.type == "CMP" and "CMP" not in m.expected and m.previous is not None and m.previous.type in ENDS_VALUE:
        if {"AND", "OR", "THEN"} & m.expected:
            cut = max(i for i in range(m.index) if m.tokens[i].type == "CMP")
            middle = m.line.source.text[m.tokens[cut].end : m.token.start].strip()
            return m.fault(
                "E112",
                "a condition compares two values at a time",
                "",
                m.edit(m.token.start, m.token.start, f"and {middle} "),
            )
        if m.token.text == "<" and m.open is None:
            close = next((i for i in range(m.index + 1, len(m.tokens)) if m.tokens[i].text == ">"), None)
            if close is not None:
                a, b = m.token, m.tokens[close]
                hint = m.edits((a.start, a.end, "⟨"), (b.start, b.end, "⟩"))
                if hint:
                    return m.fault("E112", "after a value, `<` compares", "an inner product?", hint)
        if m.open is not None and m.open.type == "LPAR":
            opened = m.place(m.open)
            closed = m.closing(opened)
            if closed is not None:
                low, high = m.tokens[opened].end, m.tokens[closed].start
                hint = m.edits((low, low, "if "), (high, high, " then 1 else 0"))
                if hint:
                    return m.fault("E112", "a comparison stands only between `if` and `then`", "", hint)
        start = next((i + 1 for i in range(m.index, 0, -1) if m.tokens[i].type in ("DEFINE", "EQ")), None)
        hint = ""
        if start is not None:
            at = m.tokens[start].start
            hint = m.edits((at, at, "if "), (m.line.end, m.line.end, " then 1 else 0"))
        return m.fault("E112", "a comparison stands only between `if` and `then`", "", hint)
    if (
        m.token.type in ("AND", "OR")
        and m.token.type not in m.expected
        and m.previous
        and m.previous.type in ENDS_VALUE
    ):
        if "CMP" in m.expected:
            return m.fault(
                "E112",
                f"`{m.token.text}` joins comparisons",
                f"no comparison before `{m.token.text}`",
                m.edit(m.token.start, m.token.start, "> 0 "),
            )
        return m.fault("E112", f"`{m.token.text}` stands only between `if` and `then`")
    if m.token.type == "NOT" and m.wants_value and "NOT" not in m.expected:
        return m.fault("E112", "`not` stands only between `if` and `then`")
    return None


def conditional(m: Mistake) -> Diagnostic | None:
    """A conditional without one of its parts, or in the place of an operand."""
    form = "`if C then A else B`"
    if m.token.type in ("THEN", "ELSE") and m.token.type not in m.expected and not m.wants_value:
        opened = sum({"IF": 1, "ELSE": -1}.get(t.type, 0) for t in m.tokens[: m.index])
        if opened <= 0:
            return m.fault("E124", f"`{m.token.text}` without `if`", f"a conditional is {form}")
    if m.token.type == "IF":
        hint: Help = ""
        if m.wants_value or (m.previous is not None and m.previous.type in ENDS_VALUE):
            hint = m.edits((m.token.start, m.token.start, "("), (m.line.end, m.line.end, ")"))
        if hint or m.wants_value:
            return m.fault("E124", "`if` binds looser than every operator", "put the whole of it in brackets", hint)
        return None
    if "CMP" in m.expected and "THEN" not in m.expected and m.token.type in ("THEN", "RPAR", "END"):
        return m.fault(
            "E124",
            "a condition compares two values",
            "a comparison expected",
            m.edit(m.token.start, m.token.start, "> 0 " if m.token.type == "THEN" else " > 0"),
        )
    if "THEN" in m.expected:
        hint = m.instead(" then") if m.token.type == "COLON" else m.edit(m.token.start, m.token.start, "then ")
        return m.fault("E124", "`then` is missing", f"a conditional is {form}", hint or f"write {form}")
    if "ELSE" in m.expected and m.token.type in ("END", "RPAR", "COMMA", "RSQB"):
        return m.fault(
            "E124", "`else` is missing", f"a conditional is {form}", m.edit(m.token.start, m.token.start, " else 0")
        )
    return None


def postfix(m: Mistake) -> Diagnostic | None:
    """Primes and indices behind what cannot bear them."""
    hint: Help
    before = m.previous
    if m.token.type == "PRIME" and before is not None and before.type in ENDS_VALUE:
        hint = ""
        if before.type == "RPAR":
            opened = m.opening(m.index - 1)
            if opened is not None and m.tokens[opened].type == "APPLY_L":
                at = m.tokens[opened].start
                hint = m.edits((at, at, m.token.text), (m.token.start, m.token.end, ""))
        return m.fault(
            "E128",
            "a prime stands behind the name of a function",
            "not behind a value",
            hint,
            "`φ'(u)` is the derivative of φ at u; a transpose is `ᵀ` or `^T`",
        )
    if m.token.type in ("INDEX_L", "LIST_L", "BY_L") and before is not None and before.type in ENDS_VALUE:
        close = m.closing(m.index)
        hint = ""
        if before.type == "TRANSPOSE" and close is not None:
            index = m.line.source.text[m.token.start : m.tokens[close].end]
            hint = m.edits((before.start, before.start, index), (m.token.start, m.tokens[close].end, ""))
        span = m.span(m.index, close) if close is not None else None
        return m.fault(
            "E128",
            "an index stands behind a name",
            f"{'a bracket' if before.type == 'RPAR' else called(before)} bears none",
            hint,
            span=span,
        )
    return None


def missing_value(m: Mistake) -> Diagnostic | None:
    """A place where a value is to stand is empty."""
    if not m.wants_value and not (m.expected == {"NAME"} and m.token.type == "END"):
        return None
    before, token = m.previous, m.token
    if token.type in ("RPAR", "RSQB", "ANGLE_R") and before is not None and before.type in OPENS:
        brackets = before.text + token.text
        return m.fault(
            "E129", f"nothing stands between `{brackets}`", "a value is missing", "", span=m.span(m.index - 1, m.index)
        )
    if token.type in ("END", "RPAR", "RSQB", "ANGLE_R", "COMMA", "SEMI", "THEN", "ELSE", "COLON", "EQ", "DEFINE"):
        after = f" after `{before.text}`" if before is not None else ""
        if token.type == "END":
            hint = (
                ""
                if before is None
                else "go on in the next line inside `( )`"
                if before.type in ("PLUS", "MINUS", "TIMES", "DIV")
                else ""
            )
            return m.fault("E119", f"a value is missing{after}", "the line ends here", hint)
        drop = m.edit(before.start, token.start, "") if before is not None and before.type == "COMMA" else ""
        return m.fault("E119", f"a value is missing{after}", f"before `{token.text}`", drop)
    if token.type in ("PLUS", "TIMES", "DIV", "POW", "AT", "TRANSPOSE", "PRIME", "SUPER", "CMP", "AND", "OR"):
        if token.type == "PLUS":
            return m.fault("E120", "a value has no leading `+`", "", m.instead("", safe=True))
        return m.fault("E119", f"a value is missing before `{token.text}`", "an operator without its left side")
    if token.type == "MINUS":  # only juxtaposition and roots refuse it
        end = m.tokens[m.index + 1].end if m.index + 1 < len(m.tokens) else token.end
        return m.fault(
            "E120", "a factor does not begin with a sign", "", m.edits((token.start, token.start, "("), (end, end, ")"))
        )
    return None


def argument(m: Mistake) -> Diagnostic | None:
    """`name = value` in an argument list, a second semicolon, tuples."""
    if m.open is None:
        return None
    if m.token.type in ("EQ", "DEFINE") and m.previous is not None and m.previous.type == "NAME":
        hint = m.edit(m.previous.start, m.tokens[m.index + 1].start, "")
        return m.fault(
            "E120", "an argument is known by its place, not by a name", "", hint, span=m.span(m.index - 1, m.index)
        )
    if m.token.type == "SEMI" and m.open.type == "APPLY_L":
        return m.fault("E120", "one semicolon separates vectors from scalars", "a second one", m.instead(","))
    if m.token.type in ("COMMA", "SEMI") and m.open.type == "LPAR":
        return m.fault(
            "E120",
            f"`{m.token.text}` cannot stand in plain brackets",
            "",
            "a list of numbers is `[a, b]`, an inner product `⟨x, y⟩`",
        )
    if m.open.type == "ANGLE_L" and m.token.type in ("ANGLE_R", "COMMA") and "END" not in m.expected:
        what = "two values, `⟨x, y⟩`"
        return m.fault("E120", "an inner product has two sides", f"{what} expected")
    return None
