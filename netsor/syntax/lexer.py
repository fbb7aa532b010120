"""From text to logical lines of tokens; what a line's characters and brackets have wrong is found here.

Characters with several meanings are told apart by what stands before them, see the head of `netsor.lark`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netsor.diagnostics.data import Diagnostic, Edit, Label, Source, Span
from netsor.syntax import ast, characters
from netsor.syntax.names import KEYWORDS, PATTERN, RESERVED, name_end, normalise
from netsor.syntax.tokens import CLOSES, ENDS_VALUE, OPENS, Line, Token

MAX_NESTING = 200
_MAX_FAULTS_A_LINE = 3
_MAX_DIGITS = 300
_MAX_PRIMES = 20

_SPACE = " \t\r\f\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_TOKEN = re.compile(
    rf"""
      (?P<space>[{_SPACE}]+)
    | (?P<name>{PATTERN})
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<newline>\n)
    | (?P<comment>\#[^\n]*)
    | (?P<foreign>\.\.\.|\*\*|[-+*/]=|//|&&|\|\||->|=>|=<|<>|\.[*/^]|\.T(?!\w)|[%&|]|!(?!=))
    | (?P<op>:=|\.\.|[<>=!]=|[-−+*⊙·⋅/@^,;:~=()\[\]<>≤≥≠⟨⟩√ᵀ⊤])
    | (?P<prime>['′″‴]+)
    | (?P<super>⁻?[⁰¹²³⁴-⁹]+)
    """,
    re.VERBOSE,
)
_OTHER_SPACE = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_OPERATORS = {
    ":=": "DEFINE", "..": "DOTS", "<=": "CMP", ">=": "CMP", "==": "CMP", "!=": "CMP",
    "≤": "CMP", "≥": "CMP", "≠": "CMP",
    "-": "MINUS", "−": "MINUS", "+": "PLUS", "*": "TIMES", "⊙": "TIMES", "·": "TIMES", "⋅": "TIMES", "/": "DIV",
    "@": "AT", "^": "POW", ",": "COMMA", ";": "SEMI", ":": "COLON", "~": "TILDE", "=": "EQ", "√": "SQRT",
    "ᵀ": "TRANSPOSE", "⊤": "TRANSPOSE",
}  # fmt: skip
_PLAIN = {"≤": "<=", "≥": ">=", "≠": "!=", "−": "-", "⋅": "·"}
_PRIMES = {"'": 1, "′": 1, "″": 2, "‴": 3}
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_INDENT = re.compile(r"[ \t]*")
_CLOSING = re.compile(r"[)\]⟩]+")
_ANY_INDENT = re.compile(rf"[{_SPACE}]*")
_TRANSPOSE = re.compile(rf"[ \t]*({PATTERN})")
_AFTER_SUM = re.compile(rf"\s*\(\s*{PATTERN}\s+in\b")
_AFTER_SQRT = re.compile(rf"[ \t]+(?:({PATTERN})|[0-9])")
_REST_OF_LINE = re.compile(r"[ \t\r]*\n")
_LABEL_PLUS = re.compile(r"⁺(?=[ \t]*:(?!=))")
# A line that cannot continue an open bracket: it begins a statement, or gives a value to a name.
_BEGINS_STATEMENT = re.compile(
    r"[ \t]*(?:(?:program|network|param|data|scalar|matrix|vector|train|def|return|for|output)(?!\w)"
    rf"|(?P<target>[^#\n]*?):=|{PATTERN}[ \t]*\([^()\n]*\)[ \t]*=(?!=))"
)


@dataclass(slots=True)
class _Open:
    """An open bracket: how the text spells it and what its closing makes of the names before it."""

    token: Token
    closing: str
    applicable: bool


class Tokenizer:
    """Reads one source; `lines`, `comments` and the `faults` that belong to no line are its results."""

    def __init__(self, source: Source):
        self.source = source
        self.text = source.text
        self.lines: list[Line] = []
        self.comments: list[ast.Comment] = []
        self.line: Line | None = None
        self.brackets: list[_Open] = []
        self.tabs: list[Span] = []

    def run(self) -> None:
        """Tokenize the whole text."""
        text, size = self.text, len(self.text)
        match = _TOKEN.match
        at = 1 if text.startswith("\ufeff") else 0
        if size > at:
            at = self._begin_line(at)
        while at < size:
            found = match(text, at)
            if found is None:
                at = self._bad_character(at)
                continue
            kind, end = found.lastgroup, found.end()
            if kind == "space":
                pass
            elif kind == "name":
                end = self._name(at, end)
            elif kind == "op":
                end = self._operator(found.group(), at, end)
            elif kind == "number":
                end = self._number(at, end)
            elif kind == "newline":
                end = self._newline(at, end)
            elif kind == "comment":
                self._comment(at, end)
            elif kind == "prime":
                self._primes(found.group(), at, end)
            elif kind == "super":
                self._superscript(found.group(), at, end)
            else:
                self._foreign(found.group(), at, end)
            at = end
        self._end_line(at_end_of_text=True)

    # --- lines ---

    def _begin_line(self, at: int) -> int:
        """Skip the indentation of a physical line outside brackets and remember it."""
        found = _INDENT.match(self.text, at)
        assert found is not None
        end = found.end()
        rest = self.text[end : end + 1]
        if rest in ("\n", "#", "") or self.text.startswith("\r\n", end):
            return end
        indent = found.group()
        self.line = Line(self.source, len(indent.expandtabs(4)), end)
        if "\t" in indent:
            self.line.odd_indent = True
            self.tabs.append(Span(self.source, at, end))
        elif rest in _OTHER_SPACE:
            self.line.odd_indent = True
            stop = _ANY_INDENT.match(self.text, end).end()  # type: ignore[union-attr]
            self._fault(
                "E102",
                f"{characters.describe(rest)} in the indentation",
                end,
                end + 1,
                hint="indent with spaces",
                edit=self._edit(end, stop, " " * (stop - end), safe=True),
            )
        return end

    def _newline(self, at: int, end: int) -> int:
        if self.brackets:
            if not self._begins_statement(end):
                return end
            self._unclosed()
        self._end_line()
        return self._begin_line(end)

    def _begins_statement(self, at: int) -> bool:
        found = _BEGINS_STATEMENT.match(self.text, at)
        if found is None:
            return False
        target = found.group("target") or ""
        depth = 0
        for character in target:  # `x[1,` may go on in the next line with `2] := …`
            depth += (character in "([⟨") - (character in ")]⟩")
            if depth < 0:
                return False
        return True

    def _end_line(self, at_end_of_text: bool = False) -> None:
        if at_end_of_text and self.brackets:
            self._unclosed()
        line, self.line = self.line, None
        if line is None:
            return
        last = line.tokens[-1].end if line.tokens else line.start
        if line.tokens or line.faults:
            line.tokens.append(Token("END", "", self.source, last, last))
            self.lines.append(line)

    def _comment(self, at: int, end: int) -> None:
        start = self.text.rfind("\n", 0, at) + 1
        own = not self.text[start:at].strip("\ufeff \t\r\f")
        text = self.text[at:end].rstrip()
        self.comments.append(ast.Comment(text, own, span=Span(self.source, at, at + len(text))))

    # --- tokens ---

    def _put(self, type: str, text: str, start: int, end: int) -> Token:
        token = Token(type, text, self.source, start, end)
        if self.line is None:  # the text goes on behind something that ended the line
            self.line = Line(self.source, 0, start)
        self.line.tokens.append(token)
        return token

    def _previous(self) -> str:
        return self.line.tokens[-1].type if self.line and self.line.tokens else ""

    def _name(self, at: int, end: int) -> int:
        text = self.text
        if not (text[end - 1].isascii() and text[at].isascii() and text[end : end + 1] <= "\u036f"):
            end = name_end(text, at, end)
            if end == at:
                return self._bad_character(at)
        spelling = text[at:end]
        name = normalise(spelling)
        if name in KEYWORDS:
            self._put(name.upper(), name, at, end)
        elif name in RESERVED:
            self._put("RESERVED", name, at, end)
        elif name in ("sum", "Σ") and _AFTER_SUM.match(text, end):
            self._put("SUM", "sum", at, end)
        elif name == "sqrt" and self._is_root(end):
            self._put("SQRT", "√", at, end)
        else:
            self._put("NAME", name, at, end)
            if text.startswith("⁺", end) and _LABEL_PLUS.match(text, end):
                self._put("PLUS", "+", end, end + 1)
                end += 1
        return end

    def _is_root(self, end: int) -> bool:
        """Whether `sqrt` stands before an operand without brackets, as in `sqrt n`."""
        found = _AFTER_SQRT.match(self.text, end) if self._previous() != "SQRT" else None
        return found is not None and found.group(1) not in KEYWORDS

    def _number(self, at: int, end: int) -> int:
        text = self.text
        following = text[end : end + 1]
        if following == "_" or (following == "." and text[end : end + 2] != ".."):
            stop = re.compile(r"[0-9_.]*").match(text, end).end()  # type: ignore[union-attr]
            whole = text[at:stop]
            hint = whole.replace("_", "") if "." not in whole else f"{whole}0" if whole.count(".") == 1 else ""
            self._fault(
                "E127",
                f"`{whole}` is no number",
                at,
                stop,
                hint=f"write `{hint}`" if hint else "",
                edit=self._edit(at, stop, hint, safe=True) if hint else None,
                notes=("a number is digits, with digits after its point: `1000`, `0.5`, `1e-5`",),
            )
            self._put("NUMBER", "0", at, stop)
            return stop
        spelling = text[at:end]
        if len(spelling) > 15 and (len(spelling) > _MAX_DIGITS or float(spelling) == float("inf")):
            self._fault("E127", "this number is too large", at, end, notes=("numbers are below 1.8e308",))
        elif len(spelling) <= 15 and float(spelling) == float("inf"):
            self._fault("E127", f"`{spelling}` is too large", at, end, notes=("numbers are below 1.8e308",))
        self._put("NUMBER", spelling, at, end)
        return end

    def _primes(self, spelling: str, at: int, end: int) -> None:
        count = sum(_PRIMES[c] for c in spelling)
        if count > _MAX_PRIMES:
            self._fault("E128", f"{count} primes", at, end, hint=f"at most {_MAX_PRIMES} derivatives can be taken")
        self._put("PRIME", "'" * count, at, end)

    def _superscript(self, spelling: str, at: int, end: int) -> None:
        digits = spelling.translate(_SUPERSCRIPTS)
        if len(digits) > _MAX_DIGITS:
            self._fault("E127", "this number is too large", at, end, notes=("numbers are below 1.8e308",))
        self._put("SUPER", digits, at, end)

    def _operator(self, spelling: str, at: int, end: int) -> int:
        if spelling in "([⟨":
            self._open(spelling, at, end)
        elif spelling in ")]⟩":
            self._close(spelling, at, end)
        elif spelling == "<" and self._previous() not in ENDS_VALUE:
            self._open(spelling, at, end)
        elif spelling == ">" and self.brackets and self.brackets[-1].token.text == "<":
            self._close(spelling, at, end)
        elif spelling in "<>":
            self._put("CMP", spelling, at, end)
        elif spelling == "^":
            found = _TRANSPOSE.match(self.text, end)
            if found and found.group(1) == "T" and name_end(self.text, found.start(1), found.end()) == found.end():
                end = found.end()
                self._put("TRANSPOSE", "ᵀ", at, end)
            else:
                self._put("POW", "^", at, end)
        else:
            self._put(_OPERATORS[spelling], _PLAIN.get(spelling, spelling), at, end)
        return end

    # --- brackets ---

    def _applicable(self) -> bool:
        """Whether what stands before may be applied or indexed: a name, with indices, primes and transposes."""
        tokens = self.line.tokens if self.line else []
        for token in reversed(tokens):
            if token.type in ("TRANSPOSE", "PRIME"):
                continue
            return token.type in ("NAME", "INDEX_R")
        return False

    def _open(self, spelling: str, at: int, end: int) -> None:
        previous = self._previous()
        applicable = self._applicable()
        if spelling == "(":
            type = "APPLY_L" if applicable else "LPAR"
        elif spelling == "[":
            type = "BY_L" if previous == "PRIME" else "INDEX_L" if applicable else "LIST_L"
        else:
            type = "ANGLE_L"
        token = self._put(type, spelling, at, end)
        closing = ">" if spelling == "<" else OPENS[type]
        self.brackets.append(_Open(token, closing, type in ("INDEX_L", "BY_L")))
        if len(self.brackets) == MAX_NESTING + 1:
            self._fault(
                "E107",
                f"brackets are nested more than {MAX_NESTING} deep",
                at,
                end,
                hint="give inner parts a name on lines of their own",
            )

    def _close(self, spelling: str, at: int, end: int) -> None:
        type = CLOSES[spelling]
        if not self.brackets:
            self._bracket_fault(
                Diagnostic(
                    "E106",
                    f"`{spelling}` closes nothing",
                    Span(self.source, at, end),
                    label="no bracket is open here",
                    hint=f"remove the `{spelling}`, or open a bracket before",
                    edits=(self._edit(at, _CLOSING.match(self.text, at).end(), ""),),  # type: ignore[union-attr]
                )
            )
        elif self.brackets[-1].closing != spelling:
            opened = self.brackets.pop()
            self._bracket_fault(
                Diagnostic(
                    "E106",
                    f"`{opened.token.text}` is closed by `{spelling}`",
                    Span(self.source, at, end),
                    label=f"`{opened.closing}` expected",
                    labels=(Label(opened.token.span, "this bracket is open"),),
                    hint=f"write `{opened.closing}` here",
                    edits=(self._edit(at, end, opened.closing),),
                )
            )
        else:
            opened = self.brackets.pop()
            if opened.applicable:  # told apart only here; the grammar knows one `]`
                type = "INDEX_R"
        self._put(type, spelling, at, end)

    def _bracket_fault(self, diagnostic: Diagnostic) -> None:
        if self.line is not None and not self.line.faults:
            self.line.faults.append(diagnostic)

    def _unclosed(self) -> None:
        opened = self.brackets[-1].token
        count = len(self.brackets)
        closing = "".join(b.closing for b in reversed(self.brackets)) if count < 10 else ""
        self.brackets.clear()
        end = self.line.tokens[-1].end if self.line else opened.end
        message = f"`{opened.text}` is not closed" if count == 1 else f"{count} brackets are not closed"
        self._bracket_fault(
            Diagnostic(
                "E105",
                message,
                opened.span,
                label="opened here",
                hint=f"close {'it' if count == 1 else 'them'} with `{closing}` at the end of the expression"
                if closing
                else "",
                edits=(self._edit(end, end, closing),) if closing else (),
            )
        )

    # --- faults ---

    def _fault(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        label: str = "",
        hint: str = "",
        notes: tuple[str, ...] = (),
        edit: Edit | None = None,
    ) -> None:
        if self.line is None:
            self.line = Line(self.source, 0, start)
        faults = self.line.faults
        if len(faults) < _MAX_FAULTS_A_LINE and not any(d.code == "E107" for d in faults):
            edits = (edit,) if edit is not None else ()
            span = Span(self.source, start, end)
            faults.append(Diagnostic(code, message, span, label=label, hint=hint, notes=notes, edits=edits))

    def _edit(self, start: int, end: int, text: str, safe: bool = False) -> Edit:
        return Edit(Span(self.source, start, end), text, safe)

    def _bad_character(self, at: int) -> int:
        """Report a run of equal characters that belong to nothing; returns where it ends."""
        text, character = self.text, self.text[at]
        end = at + 1
        while end < len(text) and text[end] == character:
            end += 1
        if character == "∑" and _AFTER_SUM.match(text, end):
            self._put("SUM", "sum", at, end)
            return end
        label, hint = "", ""
        edit: Edit | None = None
        instead = characters.meant(character)
        if instead:
            hint = f"write `{instead}`"
            edit = self._edit(at, end, instead, characters.is_safe(character))
        elif character == "\\":
            hint = "a line goes on in the next one while a bracket is open: put the expression in `( )`"
            after = _REST_OF_LINE.match(text, end)
            if after:
                self._fault("E101", "`\\` does not continue a line", at, end, label, hint)
                return after.end()
        elif character == "." and text[end : end + 1].isdigit() and self._previous() not in ENDS_VALUE:
            stop = re.compile(r"[0-9]*").match(text, end).end()  # type: ignore[union-attr]
            edit = self._edit(at, stop, "0" + text[at:stop], safe=True)
            self._fault("E127", f"`{text[at:stop]}` is no number", at, stop, hint=f"write `{edit.text}`", edit=edit)
            self._put("NUMBER", "0", at, stop)
            return stop
        elif instead is None and character in "₀₁₂₃₄₅₆₇₈₉":
            hint = "a subscript digit continues a name: `h₁`"
        elif character == "∞":
            hint = "write a large number, such as `1e6`"
        else:
            hint = "remove it"
            edit = self._edit(at, end, "")
        if character in "{}":
            label = "brackets are `( )`, and `[ ]` for indices and lists"
        self._fault("E101", f"{characters.describe(character)} has no meaning here", at, end, label, hint, edit=edit)
        return end

    def _foreign(self, spelling: str, at: int, end: int) -> None:
        instead = "ᵀ" if spelling == ".T" else characters.FOREIGN.get(spelling, "")
        notes: tuple[str, ...] = ()
        hint = f"write `{instead}`" if instead else "remove it"
        edit: Edit | None = self._edit(at, end, instead, spelling in characters.SAFE_OPERATORS)
        if spelling in ("+=", "-=", "*=", "/="):
            notes = ("each name is assigned once",)
            hint = f"give the result a new name: `y := x {spelling[0]} …`"
            edit = None
        elif spelling == "**":
            notes = ("a power is written with `^`",)
        elif spelling == "//":
            notes = ("a comment begins with `#`, a quotient has one `/`",)
        self._fault("E109", f"`{spelling}` is no operator of the language", at, end, hint=hint, notes=notes, edit=edit)


def tokenize(source: Source) -> Tokenizer:
    """The lines, comments and faults of a text."""
    tokenizer = Tokenizer(source)
    tokenizer.run()
    for line in tokenizer.lines:
        for token in line.tokens:
            if token.type == "INDEX_R":
                token.type = "RSQB"
    return tokenizer
