"""Highlighting for editors, from the grammar and the table of functions; `python editors/generate.py` writes it.

TextMate's grammar and Vim's syntax mark the same things, each by the expressions that its engine has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import lark

from netsor.expr.functions import PUBLIC
from netsor.syntax import ast
from netsor.syntax.grammar import grammar
from netsor.syntax.names import KEYWORDS, PATTERN, RESERVED

FOLDER = Path(__file__).parent
TEXTMATE = "vscode/syntaxes/netsor.tmLanguage.json"
VIM = "vim/syntax/netsor.vim"

# The keywords that declare something of a kind. All others belong to a statement or an expression.
KINDS = ("param", "data", "scalar", "matrix", "vector", "network", "program")
# Functions that the checker reads itself: they reduce a vector, count rows of data, or are of constants alone.
READ_BY_THE_CHECKER = ("mean", "rows", "floor")
CONSTANTS = (*sorted(RESERVED), "π")


def labels() -> list[str]:
    """The labels of instructions, as the tree of a program has them; NONLIN also stands with a ⁺."""
    return [label for label in get_args(ast.LabelKind) if not label.endswith("+")]


def statements() -> list[str]:
    """The keywords that are no kinds, in the order of the grammar."""
    words = [t.pattern.value for t in grammar().terminals if isinstance(t.pattern, lark.lexer.PatternStr)]
    return [word for word in words if word in KEYWORDS and word not in KINDS]


def functions() -> list[str]:
    """All functions that a program may use without defining them."""
    return sorted({*PUBLIC, *READ_BY_THE_CHECKER})


def expression(terminal: str) -> str:
    """The expression of a terminal of the grammar, as it stands there."""
    (pattern,) = (t.pattern for t in grammar().terminals if t.name == terminal)
    return str(pattern.to_regexp())


# Oniguruma does not count subscript digits among the characters of a word, as Python does.
_NAME = PATTERN.removesuffix(")*") + "|[₀-₉])*"
_OF_NAMES = r"[\w₀-₉\u0300-\u036f]"


def _word(words: list[str] | tuple[str, ...]) -> str:
    """One of these words, and not a part of a longer name."""
    return rf"(?<!{_OF_NAMES})(?:{'|'.join(words)})(?!{_OF_NAMES})"


def textmate_patterns() -> Iterator[tuple[str, str]]:
    """Scopes and their expressions, the first that fits at a place counts; read by Oniguruma and by Python alike."""
    yield "comment.line.number-sign.netsor", expression("COMMENT")
    yield "keyword.control.include.netsor", expression("INCLUDE").replace(r"(?:[#\n]|\Z)", "(?:#|$)")
    yield "entity.name.tag.label.netsor", rf"^\s*(?:{'|'.join(labels())})[+⁺]?(?=\s*:(?!=))"
    yield "storage.type.netsor", _word(KINDS)
    yield "keyword.control.netsor", rf"{_word(statements())}|{expression('SUM')}"
    yield "constant.language.netsor", _word(CONSTANTS)
    # A built-in name is a function where it is applied or differentiated; elsewhere it may be a name of the program's.
    yield "support.function.netsor", rf"{_word(functions())}(?=\s*[\[('′″‴])"
    yield "entity.name.function.netsor", rf"{_NAME}(?=\s*\([^()]*\)\s*(?:=(?!=)|:\s*(?:#|$)))"
    yield "constant.numeric.netsor", expression("NUMBER")
    yield (
        "keyword.operator.netsor",
        rf"{expression('PRIME')}|[ᵀ⊤]|\^[ \t]*T(?!\w)|:=|\.\.|[<>=!]=|[-+*/@^~=<>≤≥≠−⊙·⋅√⟨⟩]",
    )
    yield "variable.other.netsor", _NAME


def textmate() -> str:
    """The TextMate grammar, which VS Code, Sublime Text, Zed's importer and others read."""
    content: dict[str, Any] = {
        "name": "netsor",
        "scopeName": "source.netsor",
        "fileTypes": ["netsor"],
        "patterns": [{"name": name, "match": match} for name, match in textmate_patterns()],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


_VIM = r"""" Vim syntax of netsor, written by editors/generate.py.
if exists("b:current_syntax")
  finish
endif
syntax iskeyword @,48-57,_,192-255

syntax keyword netsorKind {kinds}
syntax keyword netsorStatement {statements}
syntax keyword netsorConstant {constants}
syntax match netsorName "\<\K\k*" contains=netsorKind,netsorStatement,netsorConstant transparent
syntax match netsorFunction "\<\%({functions}\)\>\ze\s*[\[('′″‴]"
syntax match netsorStatement "\%(\<sum\|[Σ∑]\)\ze\s*(\s*\K\k*\s\+in\>"
syntax match netsorDefinition "^\s*\%(def\s\+\)\?\zs\K\k*\ze\s*([^()]*)\s*\%(=[^=]\|:\s*\%(#\|$\)\)"
syntax match netsorNumber "\<\d\+\%(\.\d\+\)\?\%([eE][-+]\?\d\+\)\?"
syntax match netsorNumber "\%(\k\|[.)\]⟩'′″‴]\)\@<!\.\d\+\%([eE][-+]\?\d\+\)\?"
syntax match netsorOperator ":=\|\.\.\|[<>=!]=\|[-+*/@^~=<>≤≥≠−⊙·⋅√⟨⟩ᵀ⊤'′″‴]"
syntax match netsorLabel "^\s*\%({labels}\)[+⁺]\?\ze\s*:=\@!"
syntax match netsorInclude "\<include\%(\s*\"[^\"]*\"\|\s\+std\ze\s*\%(#\|$\)\)"
syntax match netsorComment "#.*$" contains=@Spell

highlight default link netsorKind Type
highlight default link netsorStatement Statement
highlight default link netsorConstant Constant
highlight default link netsorFunction Function
highlight default link netsorDefinition Identifier
highlight default link netsorNumber Number
highlight default link netsorOperator Operator
highlight default link netsorLabel Label
highlight default link netsorInclude Include
highlight default link netsorComment Comment

let b:current_syntax = "netsor"
"""


def vim() -> str:
    """The syntax file of Vim and Neovim."""
    words = {
        "{kinds}": " ".join(KINDS),
        "{statements}": " ".join(statements()),
        "{constants}": " ".join(CONSTANTS),
        "{functions}": r"\|".join(functions()),
        "{labels}": r"\|".join(labels()),
    }
    return re.sub("|".join(map(re.escape, words)), lambda m: words[m[0]], _VIM)


def files() -> dict[str, str]:
    """The content of each generated file, by its path in this folder."""
    return {TEXTMATE: textmate(), VIM: vim()}


if __name__ == "__main__":
    for path, text in files().items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text, encoding="utf-8")
