"""From a text's tokens to logical lines; what a line's characters and brackets have wrong is found here.

The grammar's terminals say what a token is. Those with several meanings are told apart here by what stands before
them, see the head of `netsor.lark`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import lark

from netsor.diagnostics.catalogue import syntax as rules
from netsor.diagnostics.data import Diagnostic, Edit, Source, Span
from netsor.syntax import ast, characters
from netsor.syntax.grammar import raw_tokens
from netsor.syntax.names import normalise
from netsor.syntax.tokens import CLOSES, ENDS_VALUE, OPENS, Line, Token

MAX_NESTING = 200
_MAX_FAULTS_A_LINE = 3
_MAX_DIGITS = 300
_MAX_PRIMES = 20

_OTHER_SPACE = "\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_PLAIN = {"≤": "<=", "≥": ">=", "≠": "!=", "−": "-", "⋅": "·", "⊤": "ᵀ", "sqrt": "√", "⁺": "+", "Σ": "sum", "∑": "sum"}
_PRIMES = {"'": 1, "′": 1, "″": 2, "‴": 3}
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_INDENT = re.compile(r"[ \t]*")
_ANY_INDENT = re.compile(rf"[ \t\r\f{_OTHER_SPACE}]*")
_CLOSING = re.compile(r"[)\]⟩]+")
# A line that cannot continue an open bracket: it begins a statement, or gives a value to a name.
_BEGINS_STATEMENT = re.compile(
    r"[ \t]*(?:(?:program|network|param|data|scalar|matrix|vector|train|def|return|for|output)(?!\w)"
    r"|(?P<target>[^#\n]*?):=|[^\W\d][\w\u0300-\u036f]*[ \t]*\([^()\n]*\)[ \t]*=(?!=))"
)


@dataclass(slots=True)
class _Open:
    """An open bracket: how the text spells it and what its closing makes of the names before it."""

    token: Token
    closing: str
    applicable: bool


class Tokenizer:
    """Reads one source; `lines`, `comments` and the indentations with `tabs` are its results."""

    def __init__(self, source: Source):
        self.source = source
        self.text = source.text
        self.lines: list[Line] = []
        self.comments: list[ast.Comment] = []
        self.line: Line | None = None
        self.brackets: list[_Open] = []
        self.tabs: list[Span] = []
        self._fresh = True  # nothing of this physical line was seen, and no bracket is open over its beginning
        self._raw: list[lark.Token] = []
        self._at = 0  # of the next raw token

    def run(self) -> None:
        """Make the lines of the whole text."""
        self._raw = raw_tokens(self.text)
        while self._at < len(self._raw):
            raw = self._raw[self._at]
            self._at += 1
            kind, start = raw.type, raw.start_pos or 0
            end = start + len(raw)
            if kind == "NEWLINE":
                self._newline(end)
                continue
            if kind == "COMMENT":
                self._comment(start, end)
                continue
            if raw == "\ufeff" and start == 0:
                continue
            if self._fresh:
                self._begin_line(start)
            self._token(kind, str(raw), start, end)
        self._end_line(at_end_of_text=True)

    def _token(self, kind: str, spelling: str, start: int, end: int) -> None:
        """What a raw token, which is no line end and no comment, adds to the line."""
        match kind:
            case "NAME":
                self._put("NAME", normalise(spelling), start, end)
            case "LPAR" | "LIST_L" | "ANGLE_L":
                self._open(spelling, start, end)
            case "RPAR" | "RSQB" | "ANGLE_R":
                self._close(spelling, start, end)
            case "LESS" if self._previous() not in ENDS_VALUE:
                self._open(spelling, start, end)
            case "GREATER" if self.brackets and self.brackets[-1].token.text == "<":
                self._close(spelling, start, end)
            case "LESS" | "GREATER":
                self._put("CMP", spelling, start, end)
            case "INCLUDE":
                what = spelling.removeprefix("include").strip()
                self._put(kind, f"include {what}", start, end)
            case "NUMBER":
                self._number(spelling, start, end)
            case "PRIME":
                self._primes(spelling, start, end)
            case "SUPER":
                self._superscript(spelling, start, end)
            case "TRANSPOSE":
                self._put(kind, "ᵀ", start, end)
            case "SQRT" if spelling == "sqrt" and self._previous() == "SQRT":
                self._put("NAME", spelling, start, end)
            case "MISNUMBER":
                self._misnumber(spelling, start, end)
            case "FOREIGN":
                self._foreign(spelling, start, end)
            case "OTHER":
                self._bad_character(spelling, start, end)
            case _:
                self._put(kind, _PLAIN.get(spelling, spelling), start, end)

    # --- lines ---

    def _begin_line(self, at: int) -> None:
        """Remember the indentation of the physical line, outside brackets, whose first token stands at `at`."""
        self._fresh = False
        begin = self.text.rfind("\n", 0, at) + 1
        if begin == 0 and self.text.startswith("\ufeff"):
            begin = 1
        found = _INDENT.match(self.text, begin)
        assert found is not None
        indent, end = found.group(), found.end()
        self.line = Line(self.source, len(indent.expandtabs(4)), end)
        if "\t" in indent:
            self.line.odd_indent = True
            self.tabs.append(Span(self.source, begin, end))
        elif (rest := self.text[end]) in _OTHER_SPACE:
            self.line.odd_indent = True
            spaces = _ANY_INDENT.match(self.text, end)
            stop = spaces.end() if spaces else end
            edit = self._edit(end, stop, " " * (stop - end), safe=True)
            self._fault(rules.other_blank(self._span(end, end + 1), characters.describe(rest), edit))

    def _newline(self, end: int) -> None:
        if self.brackets:
            if not self._begins_statement(end):
                return
            self._unclosed()
        self._end_line()

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
        self._fresh = True
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

    def _number(self, spelling: str, at: int, end: int) -> None:
        if len(spelling) > _MAX_DIGITS or float(spelling) == float("inf"):
            said = f"`{spelling}` is" if len(spelling) <= 15 else "this number is"
            self._fault(rules.too_large(self._span(at, end), said))
        self._put("NUMBER", "0" + spelling if spelling.startswith(".") else spelling, at, end)

    def _misnumber(self, spelling: str, at: int, end: int) -> None:
        """`1_000`, `1.` and the like."""
        points = spelling.count(".")
        meant = spelling.replace("_", "") if not points else f"{spelling}0" if points == 1 else ""
        self._fault(rules.not_a_number(self._span(at, end), meant))
        self._put("NUMBER", "0", at, end)

    def _primes(self, spelling: str, at: int, end: int) -> None:
        count = sum(_PRIMES[c] for c in spelling)
        if count > _MAX_PRIMES:
            self._fault(rules.too_many_primes(self._span(at, end), count, _MAX_PRIMES))
        self._put("PRIME", "'" * count, at, end)

    def _superscript(self, spelling: str, at: int, end: int) -> None:
        digits = spelling.translate(_SUPERSCRIPTS)
        if len(digits) > _MAX_DIGITS:
            self._fault(rules.too_large(self._span(at, end), "this number is"))
        self._put("SUPER", digits, at, end)

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
            self._fault(rules.nested_brackets(self._span(at, end), MAX_NESTING))

    def _close(self, spelling: str, at: int, end: int) -> None:
        type = CLOSES[spelling]
        if not self.brackets:
            edit = self._edit(at, _CLOSING.match(self.text, at).end(), "")  # type: ignore[union-attr]
            self._bracket_fault(rules.closes_nothing(self._span(at, end), edit))
        elif self.brackets[-1].closing != spelling:
            opened = self.brackets.pop()
            bracket = opened.token
            self._bracket_fault(
                rules.closed_by_another(self._span(at, end), bracket.span, bracket.text, opened.closing)
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
        edit = self._edit(end, end, closing) if closing else None
        self._bracket_fault(rules.unclosed(opened.span, opened.text, count, edit))

    # --- faults ---

    def _fault(self, fault: Diagnostic) -> None:
        assert fault.span is not None
        if self.line is None:
            self.line = Line(self.source, 0, fault.span.start)
        before = self.line.faults
        if len(before) < _MAX_FAULTS_A_LINE and not any(d.code == "E107" for d in before):
            before.append(fault)

    def _span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def _edit(self, start: int, end: int, text: str, safe: bool = False) -> Edit:
        return Edit(Span(self.source, start, end), text, safe)

    def _bad_character(self, character: str, at: int, end: int) -> None:
        """Report a run of equal characters that belong to nothing."""
        while self._at < len(self._raw) and self._raw[self._at] == self._raw[self._at - 1]:
            if self._raw[self._at].start_pos != end:
                break
            end += 1
            self._at += 1
        label, hint = "", ""
        edit: Edit | None = None
        instead = characters.meant(character)
        if instead:
            hint = f"write `{instead}`"
            edit = self._edit(at, end, instead, characters.is_safe(character))
        elif character == "\\" and end - at == 2:
            message = "`\\\\` ends a line in LaTeX; here the line ends by itself"
            self._fault(rules.bad_character(message, self._span(at, end), "", "remove it", self._edit(at, end, "")))
            return
        elif character == "\\":
            hint = "a line goes on in the next one while a bracket is open: put the expression in `( )`"
            if self._at < len(self._raw) and self._raw[self._at].type == "NEWLINE":
                self._at += 1  # so that what follows is read as it was meant
                message = "`\\` does not continue a line"
                self._fault(rules.bad_character(message, self._span(at, end), "", hint, None))
                return
        elif instead is None and character in "₀₁₂₃₄₅₆₇₈₉":
            hint = "a subscript digit continues a name: `h₁`"
        elif character == "∞":
            hint = "write a large number, such as `1e6`"
        else:
            hint = "remove it"
            edit = self._edit(at, end, "")
        if character in "{}":
            label = "brackets are `( )`, and `[ ]` for indices and lists"
        message = f"{characters.describe(character)} has no meaning here"
        self._fault(rules.bad_character(message, self._span(at, end), label, hint, edit))

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
        self._fault(rules.foreign_operator(self._span(at, end), spelling, hint, notes, edit))


def tokenize(source: Source) -> Tokenizer:
    """The lines, comments and faults of a text."""
    tokenizer = Tokenizer(source)
    tokenizer.run()
    for line in tokenizer.lines:
        for token in line.tokens:
            if token.type == "INDEX_R":
                token.type = "RSQB"
    return tokenizer
