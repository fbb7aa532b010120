"""The files of `editors/`: what the script makes of the grammar, and what TextMate's expressions and Vim mark."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from netsor.check.scope import builtin
from netsor.check.values import Builtin, Special
from netsor.resources import gallery
from netsor.syntax.grammar import raw_tokens
from netsor.syntax.names import KEYWORDS

EDITORS = Path(__file__).parents[1] / "editors"


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", EDITORS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generate()


def scopes(line: str) -> list[str]:
    """The scope of each character of a line, '' for none: the first expression that fits counts, as in TextMate."""
    grammar = json.loads((EDITORS / generate.TEXTMATE).read_text(encoding="utf-8"))
    rules = [(rule["name"], re.compile(rule["match"])) for rule in grammar["patterns"]]
    marks, at = [""] * len(line), 0
    while at < len(line):
        found = [(m.start(), i, m.end()) for i, (_, rule) in enumerate(rules) if (m := rule.search(line, at))]
        if not found:
            break
        start, i, end = min(found)
        marks[start:end] = [rules[i][0]] * (end - start)
        at = max(end, start + 1)
    return marks


def marked(line: str) -> list[tuple[str, str]]:
    """The words of a line with the beginning of their scopes, those without a scope left out."""
    marks, out, at = scopes(line), [], 0
    while at < len(line):
        end = at + 1
        while end < len(line) and marks[end] == marks[at] and line[at].isalnum() == line[end].isalnum():
            end += 1
        if marks[at] and line[at:end].strip():
            out.append((line[at:end].strip(), marks[at].removesuffix(".netsor")))
        at = end
    return out


@pytest.mark.parametrize("path", [generate.TEXTMATE, generate.VIM])
def test_the_files_are_what_the_script_makes(path: str) -> None:
    assert (EDITORS / path).read_text(encoding="utf-8") == generate.files()[path], "run python editors/generate.py"


def test_every_keyword_and_every_function_is_there() -> None:
    assert {*generate.KINDS, *generate.statements()} == KEYWORDS
    assert all(isinstance(builtin(name), Builtin | Special) for name in generate.functions())
    assert {"tanh", "relu", "mean"} <= set(generate.functions()) and generate.labels()[0] == "INIT"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("matrix W  # n", [("matrix", "storage.type"), ("W", "variable.other"), ("#", "comment.line.number-sign"),
                           ("n", "comment.line.number-sign")]),
        ("output x1", [("output", "keyword.control"), ("x1", "variable.other")]),
        ("NONLIN+: z", [("NONLIN", "entity.name.tag.label"), ("+", "entity.name.tag.label"), ("z", "variable.other")]),
        ("NONLIN := 1", [("NONLIN", "variable.other"), (":=", "keyword.operator"), ("1", "constant.numeric")]),
        ("tanh'(x)", [("tanh", "support.function"), ("'", "keyword.operator"), ("x", "variable.other")]),
        ("tanhx y", [("tanhx", "variable.other"), ("y", "variable.other")]),
        ("in₂ vectory", [("in₂", "variable.other"), ("vectory", "variable.other")]),
        ("φ(u) = 2.5e-3", [("φ", "entity.name.function"), ("u", "variable.other"), ("=", "keyword.operator"),
                           ("2", "constant.numeric"), (".", "constant.numeric"), ("5e", "constant.numeric"),
                           ("-", "constant.numeric"), ("3", "constant.numeric")]),
        ("Wᵀ x/n", [("W", "variable.other"), ("ᵀ", "keyword.operator"), ("x", "variable.other"),
                    ("/", "keyword.operator"), ("n", "constant.language")]),
        ("include std", [("include", "keyword.control.include"), ("std", "keyword.control.include")]),
        ("Σ(t in 1..T: h)", [("Σ", "keyword.control"), ("t", "variable.other"), ("in", "keyword.control"),
                             ("1", "constant.numeric"), ("..", "keyword.operator"), ("T", "variable.other"),
                             ("h", "variable.other")]),
    ],
)  # fmt: skip
def test_a_line_is_marked(line: str, expected: list[tuple[str, str]]) -> None:
    assert marked(line) == expected


_SCOPES = {
    "COMMENT": ("comment",), "NUMBER": ("constant.numeric",), "SUM": ("keyword.control",),
    "PRIME": ("keyword.operator",),
    "TRANSPOSE": ("keyword.operator",), "DEFINE": ("keyword.operator",), "INCLUDE": ("keyword.control.include",),
    "RESERVED": ("constant.language",),
    "NAME": ("variable.other", "support.function", "entity.name", "constant.language"),
    **dict.fromkeys((word.upper() for word in KEYWORDS), ("keyword.control",)),
    **dict.fromkeys((word.upper() for word in generate.KINDS), ("storage.type",)),
}  # fmt: skip


def test_the_gallery_is_marked_as_the_lexer_reads_it() -> None:
    seen = 0
    for path in gallery():
        text = path.read_text(encoding="utf-8")
        marks = [mark for line in text.split("\n") for mark in (*scopes(line), "")]
        for token in raw_tokens(text):
            if token.type in _SCOPES:
                start, seen = token.start_pos or 0, seen + 1
                of_token = set(marks[start : start + len(token)])
                assert len(of_token) == 1 and of_token.pop().startswith(_SCOPES[token.type]), (path.name, token)
    assert seen > 4000


@pytest.mark.skipif(shutil.which("vim") is None, reason="Vim is missing")
def test_vim_marks_a_program(tmp_path: Path) -> None:
    program = tmp_path / "p.netsor"
    program.write_text(
        "matrix W, x1  # n\nNONLIN+: h := tanh'(x1) + .5\nψ(u) = u\noutput mean(h^2)/n\n", encoding="utf-8"
    )
    places = {(1, 1): "Kind", (1, 8): "", (1, 11): "", (1, 12): "", (1, 17): "Comment", (2, 1): "Label",
              (2, 7): "Label", (2, 10): "", (2, 12): "Operator", (2, 15): "Function", (2, 19): "Operator", (2, 22): "",
              (2, 27): "Number", (3, 1): "Definition", (4, 1): "Statement", (4, 8): "Function", (4, 15): "Number",
              (4, 18): "Constant"}  # fmt: skip
    asked = "\n".join(f"call add(g:out, synIDattr(synID({l}, {c}, 1), 'name'))" for l, c in places)
    script = tmp_path / "ask.vim"
    script.write_text(f"let g:out = []\n{asked}\ncall writefile(g:out, 'out.txt')\nqall!\n")
    command = [
        "vim",
        "-N",
        "-u",
        "NONE",
        "-i",
        "NONE",
        "-n",
        "-es",
        "--cmd",
        f"set rtp^={EDITORS / 'vim'} encoding=utf-8",
    ]
    command += ["-c", "filetype plugin on", "-c", "syntax on", "-c", "edit p.netsor", "-S", "ask.vim"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    if not (tmp_path / "out.txt").exists():
        pytest.skip(f"this Vim has no syntax highlighting: {done.stderr!r}")
    names = [name.removeprefix("netsor") for name in (tmp_path / "out.txt").read_text().split("\n")]
    if not any(names):
        pytest.skip("this Vim has no syntax highlighting")
    assert dict(zip(places, names)) == places
