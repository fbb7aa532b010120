"""Values that come from outside a program, from `--set` and `--data`."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netsor.diagnostics import Diagnostic, NetsorError, Source

Values = float | tuple


def read_settings(settings: Iterable[str] | Mapping[str, Any]) -> dict[str, int | float]:
    """The values of `k=v` pairs, where v is a number or an arithmetic expression; raises NetsorError (E020)."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(settings, Mapping):
        pairs = list(settings.items())
    else:
        for text in settings:
            name, equals, value = text.partition("=")
            if not equals or not name.strip() or not value.strip():
                raise NetsorError(
                    Diagnostic("E020", f"`--set {text}` is not of the form NAME=VALUE", hint="write `--set L=3`")
                )
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
        except AttributeError:
            raise _not_a_number(name, value) from None
    if isinstance(value, str):
        from netsor.check.constants import constant_value

        try:
            value = constant_value(Source(f"--set {name}", value))
        except NetsorError as fault:
            why = fault.diagnostics[0].message
            raise NetsorError(
                Diagnostic("E020", f"`--set {name}={value}` is not a number: {why}", hint=f"write `--set {name}=3`")
            ) from None
    if not math.isfinite(value):
        raise _not_a_number(name, value)
    return value


def _not_a_number(name: str, value: Any) -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E020", f"`{name}` was set to {value!r}, which is not a finite number", hint=f"write `--set {name}=3`"
        )
    )


def read_data(items: Iterable[str] | Mapping[str, Any]) -> dict[str, tuple[Values, tuple[int, ...]]]:
    """The data of `k=file` pairs or of arrays, as (nested tuples, shape); raises NetsorError (E021, E022, E403)."""
    pairs: list[tuple[str, Any]] = []
    if isinstance(items, Mapping):
        pairs = list(items.items())
    else:
        for text in items:
            name, equals, path = text.partition("=")
            if not equals or not name.strip() or not path.strip():
                raise NetsorError(
                    Diagnostic(
                        "E021", f"`--data {text}` is not of the form NAME=FILE", hint="write `--data X=inputs.npy`"
                    )
                )
            pairs.append((name.strip(), path.strip()))
    return {normalised(name): read_array(value, name) for name, value in pairs}


def read_array(value: Any, name: str) -> tuple[Values, tuple[int, ...]]:
    """Numbers from a .npy, .csv or .json file, or from an array or nested lists; raises NetsorError (E022, E403)."""
    if isinstance(value, (str, Path)):
        value = _read_file(Path(value), name)
    if hasattr(value, "tolist"):
        value = value.tolist()
    return _nested(value, name)


def _read_file(path: Path, name: str) -> Any:
    what = f"the file `{path}` for `{name}`"
    if not path.exists():
        from netsor.syntax.reading import read_source

        read_source(path)  # reports the missing file and a similar name
    try:
        match path.suffix.lower():
            case ".npy":
                import numpy as np

                array = np.load(path, allow_pickle=False)
                if array.dtype.kind not in "fiub":
                    raise ValueError(f"it holds {array.dtype}, not numbers")
                return array
            case ".csv":
                with path.open(newline="", encoding="utf-8-sig") as file:
                    return [[float(x) for x in row] for row in csv.reader(file) if row]
            case ".json":
                with path.open(encoding="utf-8") as file:
                    return json.load(file)
    except OSError as error:
        raise NetsorError(Diagnostic("E022", f"{what} cannot be read: {error.strerror or error}")) from None
    except (ValueError, UnicodeDecodeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is damaged"
        raise NetsorError(
            Diagnostic(
                "E022",
                f"{what} holds no numbers that can be read: {reason}",
                hint="save an array as .npy, or numbers as .csv or .json",
            )
        ) from None
    raise NetsorError(
        Diagnostic("E022", f"{what} is of an unknown type `{path.suffix}`", hint="give a .npy, .csv or .json file")
    )


def _nested(value: Any, name: str) -> tuple[Values, tuple[int, ...]]:
    if isinstance(value, (list, tuple)):
        parts = [_nested(v, name) for v in value]
        shapes = {shape for _, shape in parts}
        if len(shapes) > 1:
            raise NetsorError(
                Diagnostic(
                    "E403",
                    f"the rows of `{name}` have different lengths",
                    hint="give every row the same number of entries",
                )
            )
        inner = shapes.pop() if shapes else ()
        return tuple(v for v, _ in parts), (len(parts), *inner)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NetsorError(
            Diagnostic("E022", f"`{name}` holds {value!r}, which is not a number", hint="give numbers only")
        )
    return float(value), ()
