"""The grammar, the standard library and the gallery, in a checkout or in an installed wheel, and the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from netsor.files import replace_file

_PACKAGE = Path(__file__).resolve().parent


def folder(kind: str) -> Path:
    """The folder `grammar` or `programs`: inside the package where a wheel put it, else beside the package."""
    shipped = _PACKAGE / "_shipped" / kind
    return shipped if shipped.is_dir() else _PACKAGE.parent / kind


def grammar_text() -> str:
    """The text of `netsor.lark`."""
    return (folder("grammar") / "netsor.lark").read_text(encoding="utf-8")


def standard_library() -> Path:
    """The file that `include std` includes."""
    return _PACKAGE / "std" / "std.netsor"


def gallery() -> list[Path]:
    """The programs that come with the package, sorted by path."""
    return sorted(folder("programs").rglob("*.netsor"))


def cache_folder() -> Path:
    """The folder for results that can be computed again: `$NETSOR_CACHE`, else in the user's cache folder."""
    chosen = os.environ.get("NETSOR_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "netsor"


def cached(stem: str, key: str, make: Callable[[], str]) -> str:
    """`make()`, or its stored result for this key; a cache that cannot be read or written is ignored."""
    try:
        path = cache_folder() / f"{stem}-{hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"
    except RuntimeError:  # no home folder
        return make()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError:
        pass
    return text
