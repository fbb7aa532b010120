"""A text and the files that it includes, read into one tree.

An included file is read once, however many lines include it. What is wrong with an include is told at its line; what is
wrong inside the included file is told there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from netsor import resources
from netsor.diagnostics.catalogue import includes
from netsor.diagnostics.data import Diagnostic, NetsorError, Source, Span
from netsor.syntax import ast
from netsor.syntax.parser import Parsed, mentioned_names, parse_all
from netsor.syntax.reading import decode, read_bytes

MOST_NESTED = 50
_MARKS = (".git", ".hg", "pyproject.toml")


def read_document(source: Source) -> Parsed:
    """The syntax tree of a text with all that it includes; every fault of the syntax of all these files."""
    parsed = parse_all(source)
    if parsed.file is None or not parsed.file.includes:
        return parsed
    return _Reader().document(parsed.file, parsed)


def project(folder: Path) -> Path:
    """The folder above which nothing is included.

    It is the nearest one at or above `folder` that holds `.git`, `.hg` or `pyproject.toml`; where there is none, the
    folder that netsor was started in if `folder` lies in it, and else `folder` itself.
    """
    for place in (folder, *folder.parents):
        if any((place / mark).exists() for mark in _MARKS):
            return place
    here = Path.cwd().resolve()
    return here if folder.is_relative_to(here) else folder


class _Refused(Exception):
    """An include that cannot be followed, with its diagnostic."""

    def __init__(self, diagnostic: Diagnostic):
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class _Reader:
    """Reads the files of a document, each once."""

    def __init__(self) -> None:
        self.files: dict[Path, ast.File] = {}
        # The files that are being read, the outermost first, with the lines that include them; the outermost has none.
        self.open: list[tuple[Path, Span | None]] = []
        self.faults: list[Diagnostic] = []
        self.lost: set[str] = set()
        self.partial: set[str] = set()
        self.root: Path | None = None  # the project

    def document(self, file: ast.File, parsed: Parsed) -> Parsed:
        """The outermost file with what it includes."""
        if file.source.folder is not None:
            self.open.append((Path(file.source.name).resolve(), None))
        whole = self._with_includes(file)
        faults = sorted((*parsed.faults, *self.faults), key=lambda d: d.span.order if d.span else ())
        return Parsed(whole, tuple(faults), parsed.lost | self.lost, parsed.partial | self.partial)

    def _with_includes(self, file: ast.File) -> ast.File:
        if not file.includes:
            return file
        read = []
        for line in file.includes:
            try:
                read.append(replace(line, file=self._standard(line) if line.standard else self._file(line)))
            except _Refused as refused:
                self.faults.append(refused.diagnostic)
                self.lost |= mentioned_names(file)  # any of them may be what was to be brought in
        return replace(file, includes=tuple(read))

    def _standard(self, line: ast.Include) -> ast.File:
        path = resources.standard_library()
        if path not in self.files:
            text = path.read_text(encoding="utf-8")
            file = parse_all(Source(str(path), text, included=line.span, standard=True)).file
            assert file is not None
            self.files[path] = file
        return self.files[path]

    def _file(self, line: ast.Include) -> ast.File:
        path = self._path(line)
        if path in self.files:
            return self.files[path]
        if any(path == p for p, _ in self.open):
            raise _Refused(includes.cyclic(line.span, line.path, self._cycle(path), path != self.open[-1][0]))
        if len(self.open) > MOST_NESTED:
            raise _Refused(includes.too_deep(line.span, MOST_NESTED))
        name = os.path.normpath(Path(line.span.source.name).parent / line.path)
        source = replace(self._read(line, path, name), included=line.span)
        parsed = parse_all(source)
        self.faults += parsed.faults
        self.lost |= parsed.lost
        self.partial |= parsed.partial
        if parsed.file is None:
            self.lost |= _names_of(source.text)
            self.files[path] = ast.File(None, (), span=Span(source, 0, len(source.text)))
            return self.files[path]
        self.open.append((path, line.span))
        file = self._definitions(line, self._with_includes(parsed.file))
        self.open.pop()
        self.files[path] = file
        return file

    def _definitions(self, line: ast.Include, file: ast.File) -> ast.File:
        """The file without what may not be included, which is told."""
        kept = tuple(s for s in file.statements if isinstance(s, (ast.Param, ast.FunctionDef, ast.Def)))
        others = [s for s in file.statements if not isinstance(s, (ast.Param, ast.FunctionDef, ast.Def))]
        if file.header is not None:
            kind = "network" if isinstance(file.header, ast.NetworkHeader) else "program"
            self.faults.append(includes.not_definitions(line.span, line.path, file.header.span, f"a {kind}"))
        elif others:
            first = others[0].span
            word = first.text.split(None, 1)[0]
            what = f"`{word} …`" if word.isalpha() and word.islower() else "a line with `:=`"
            self.faults.append(includes.not_definitions(line.span, line.path, first, what, len(others)))
        for s in others:
            self.lost |= {x.name for x in ast.walk(s) if isinstance(x, (ast.Target, ast.Declarator, ast.Name))}
        return replace(file, header=None, statements=kept)

    # --- from the words of an include to a file ---

    def _path(self, line: ast.Include) -> Path:
        """The file that an include names; raises _Refused where it may not be that."""
        folder = line.span.source.folder
        if not line.path.strip():
            raise _Refused(includes.no_path(line.span))
        if folder is None:
            raise _Refused(includes.no_folder(line.span, line.path, line.span.source.name))
        folder = folder.resolve()
        if self.root is None:
            self.root = project(folder)
        if line.path.startswith("~") or Path(line.path).is_absolute() or PureWindowsPath(line.path).drive:
            raise _Refused(includes.absolute(line.span, line.path, self._relative(Path(line.path), folder)))
        if "\\" in line.path and not (folder / line.path).exists():
            raise _Refused(includes.backslashes(line.span, line.path))
        try:
            path = (folder / line.path).resolve()
        except (OSError, ValueError, RuntimeError):
            raise _Refused(includes.unreadable(line.span, line.path, "its name is not one of a file")) from None
        if not path.is_relative_to(self.root):
            raise _Refused(includes.above(line.span, line.path, str(self.root)))
        return path

    def _relative(self, path: Path, folder: Path) -> str:
        """An absolute path as it is seen from a folder, '' where it does not lie in the project."""
        assert self.root is not None
        try:
            path = path.expanduser().resolve()
            inside = path.is_file() and path.is_relative_to(self.root)
        except (OSError, ValueError, RuntimeError):
            return ""
        return Path(os.path.relpath(path, folder)).as_posix() if inside else ""

    def _read(self, line: ast.Include, path: Path, name: str) -> Source:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # Reading a pipe that nobody writes to does not end.
            raise _Refused(includes.unreadable(line.span, line.path, "it is not an ordinary file"))
        try:
            return decode(name, read_bytes(path))
        except NetsorError as fault:
            if fault.diagnostics[0].code == "E001":
                near = next(_near(path, line.path), "")
                raise _Refused(includes.missing(line.span, line.path, name, near)) from None
            message = fault.diagnostics[0].message.replace(f"`{path}`", "it")
            raise _Refused(includes.unreadable(line.span, line.path, message)) from None

    def _cycle(self, path: Path) -> list[Span]:
        """The lines by which a file includes itself, the first of them the one that includes it."""
        at = next(i for i, (p, _) in enumerate(self.open) if p == path)
        return [span for _, span in self.open[at:] if span is not None]


def _near(path: Path, written: str) -> Iterator[str]:
    """What may have been meant by a path at which there is no file, as it would be written."""
    if written == "std" or written == "std.netsor":
        yield "std"
    if path.with_name(path.name + ".netsor").is_file():
        yield f'"{written}.netsor"'
    try:
        beside = [p.name for p in path.parent.iterdir() if p.is_file()][:1000]
    except OSError:
        return
    from difflib import get_close_matches  # a program without faults starts faster

    for name in get_close_matches(path.name, beside, 1):
        yield f'"{written.removesuffix(path.name)}{name}"'


def _names_of(text: str) -> set[str]:
    """What may be a name in a text that does not parse."""
    return set(re.findall(r"[^\W\d]\w*", text))


__all__ = ["MOST_NESTED", "project", "read_document"]
