"""Reading a file from disk into a source."""

from __future__ import annotations

import codecs
from pathlib import Path

from netsor.diagnostics.catalogue import files
from netsor.diagnostics.data import NetsorError, Source

LARGEST = 50_000_000  # bytes; a program of this size is something else


def read_source(path: str | Path) -> Source:
    """The text of a file, line ends unified and without a byte order mark; raises `NetsorError`."""
    return decode(str(path), read_bytes(path))


def read_bytes(path: str | Path) -> bytes:
    """What a file holds; raises `NetsorError` where it cannot be read."""
    name = str(path)
    try:
        return _read(Path(path))
    except FileNotFoundError:
        raise NetsorError(files.no_file(name, _similar(Path(path)))) from None
    except IsADirectoryError:
        raise NetsorError(files.folder(name)) from None
    except PermissionError:
        raise NetsorError(files.may_not_be_read(name)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not one that a file can have"
        raise NetsorError(files.cannot_be_read(_visible(name), reason)) from None


def decode(name: str, data: bytes) -> Source:
    """The text that bytes are, line ends unified and without a byte order mark; raises `NetsorError`."""
    if len(data) > LARGEST:
        raise NetsorError(files.too_large(name, len(data), LARGEST))
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NetsorError(files.not_utf8(name, " but UTF-16"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NetsorError(files.not_utf8(name, f": line {line} holds the byte 0x{data[error.start]:02X}")) from None
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise IsADirectoryError
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _similar(path: Path) -> str:
    """A file of nearly this name beside where it should be."""
    from difflib import get_close_matches

    try:
        beside = [p.name for p in path.parent.iterdir() if p.is_file()][:1000]
    except (OSError, ValueError):
        return f"there is no folder `{_visible(str(path.parent))}` either"
    near = get_close_matches(path.name, beside, 1)
    return f"did you mean `{path.with_name(near[0])}`?" if near else ""


def _visible(name: str) -> str:
    return name.encode("unicode_escape").decode() if not name.isprintable() else name
