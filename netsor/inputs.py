"""Values that come from outside a program, from `--set` and `--data`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netsor.arrays import NotNumbers, Shape, Values, nested
from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue import files


def read_settings(settings: Iterable[str] | Mapping[str, Any]) -> dict[str, int | float]:
    """The values of `k=v` pairs, where v is a number or an arithmetic expression; raises NetsorError (E020)."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(settings, Mapping):
        pairs = list(settings.items())
    else:
        for text in settings:
            name, equals, value = text.partition("=")
            if not equals or not name.strip() or not value.strip():
                raise NetsorError(files.not_a_setting(text))
            pairs.append((name.strip(), value.strip()))
    return {normalised(name): _number(name, value) for name, value in pairs}


def normalised(name: str) -> str:
    """A name in the form used by the language: NFC, subscript digits as digits, and one letter for φ and ϕ."""
    from netsor.syntax.names import normalise

    return normalise(name)


def _number(name: str, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        try:
            value = value.item()  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError):
            raise NetsorError(files.not_finite(name, value)) from None
    if isinstance(value, str):
        from netsor.check.constants import constant_value

        try:
            value = constant_value(Source(f"--set {name}", value))
        except NetsorError as fault:
            why = fault.diagnostics[0].message
            raise NetsorError(files.not_a_number(name, value, why)) from None
    try:
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise NetsorError(files.not_finite(name, value))
    except OverflowError:  # an integer beyond the doubles
        raise NetsorError(files.not_finite(name, "an integer beyond 1.8e308")) from None
    return value


def read_data(items: Iterable[str] | Mapping[str, Any]) -> dict[str, tuple[Values, Shape]]:
    """The data of `k=file` pairs or of arrays, as (nested tuples, shape); raises NetsorError (E021, E022, E403)."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(items, Mapping):
        pairs = list(items.items())
    else:
        for text in items:
            name, equals, path = text.partition("=")
            if not equals or not name.strip() or not path.strip():
                raise NetsorError(files.not_data(text))
            pairs.append((name.strip(), path.strip()))
    return {normalised(name): read_array(value, name) for name, value in pairs}


def read_array(value: Any, name: str) -> tuple[Values, Shape]:
    """Numbers from a .npy, .csv or .json file, or from an array or nested lists.

    Raises NetsorError: E022 where there is anything but numbers, E403 where they make no full array, E001 where there
    does not exist.
    """
    if isinstance(value, (str, Path)):
        path = Path(value)
        if not _exists(path):
            from netsor.syntax.reading import read_source

            read_source(path)  # reports the missing file and a similar name
        from netsor.datafiles import read_array_file

        return read_array_file(path, name)
    try:
        return nested(value, name)
    except NotNumbers as error:
        raise NetsorError(files.not_an_array(name, error)) from None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except ValueError:  # a name that no file can have
        return False
    except OSError:  # a folder that may not be looked into
        return True
