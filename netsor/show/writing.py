"""Writing what was made to the file that the user named, and finding what the user named in a program."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue import files
from netsor.files import replace_file
from netsor.syntax.names import normalise


def suffix_of(path: str, known: Sequence[str]) -> str:
    """The type that a file's name asks for, without its dot; E030 unless it is known."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix in known:
        return suffix
    raise NetsorError(files.no_type(path, suffix, known))


def verify_writable(path: str) -> None:
    """E031 where the path is a folder, or the system will not let the file be written, before any long work."""
    target = Path(path)
    if target.is_dir():
        raise NetsorError(files.output_is_folder(path))
    if not target.parent.is_dir():
        raise NetsorError(files.no_folder(path, str(target.parent)))
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise NetsorError(unwritten(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES))))


def write(path: str, content: bytes) -> None:
    """The whole file or none of it; E031 where the system refuses."""
    verify_writable(path)
    try:
        replace_file(path, content)
    except (OSError, ValueError) as fault:
        raise NetsorError(unwritten(path, fault)) from None


def unwritten(path: str, fault: Exception) -> Diagnostic:
    """The diagnostic of a file that the system did not take."""
    why = getattr(fault, "strerror", None) or "the name is not one that a file can have"
    return files.unwritten(path, why.lower())


def variables_of(program: Program, names: Sequence[str], vectors: bool = False) -> list[str]:
    """The variables (or only vectors) that names mean, outputs by their own names too; else E033, with a near name."""
    initial = [*program.group_of, *program.embedding]
    known = [*initial, *program.constant, *program.by_name]
    if vectors:
        known = [k for k in known if program.kind_of(k) in ("G-var", "X-var")]
    ends = {} if vectors else {o.name: o.scalar for o in program.outputs}
    out = []
    for name in names:
        wanted = normalise(name.strip().replace(" ", ""))
        if wanted in known or wanted in ends:
            out.append(wanted if wanted in known else ends[wanted])
            continue
        near = get_close_matches(wanted, [*known, *ends], 1, 0.5)
        family = [k for k in known if k.startswith(f"{wanted}[")]
        what = "vector" if vectors else "variable"
        raise NetsorError(files.no_variable(name, what, program.name, next(iter([*family, *near]), "")))
    return out


def split_names(texts: Sequence[str]) -> list[str]:
    """Names separated by commas, where the commas of indices do not separate: `x[1,2],y` is two. An empty one stays."""
    out: list[str] = []
    for text in texts:
        depth, word = 0, ""
        for c in text:
            depth += (c == "[") - (c == "]")
            if c == "," and depth == 0:
                out.append(word)
                word = ""
            else:
                word += c
        out.append(word)
    return [w.strip() for w in out]
