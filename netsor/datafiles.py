"""Arrays of numbers in .npy, .csv and .json files that nobody vouches for.

Nothing is allocated that the file does not hold: what a header claims is compared with the file's size first.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from netsor.arrays import DEEPEST, NotNumbers, Shape, Values, as_tuples, nested, no_numbers, ragged, shortened
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files

Read = TypeVar("Read")
# As the language writes numbers, so that `1_0` is no ten here either; and what `numpy.savetxt` writes for the others.
_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf|infinity)", re.IGNORECASE)


def read_array_file(path: Path, name: str) -> tuple[Values, Shape]:
    """The array in a file, as nested tuples and its shape.

    Raises NetsorError: E022 where the file cannot be read or holds anything but numbers, E403 where rows have
    different lengths or there is no number at all.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise NetsorError(files.numbers_of_unknown_type(_what(path, name), path.suffix))
    return read_ordinary_file(path, name, lambda file: reader(file, name))


def _what(path: Path, name: str) -> str:
    return f"the file `{shortened(str(path))}` for `{name}`"


def read_ordinary_file(path: Path, name: str, reader: Callable[[IO[bytes]], Read]) -> Read:
    """What a reader makes of a file that is open; raises NetsorError (E022) where it cannot be read, or NotNumbers."""
    what = _what(path, name)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise NetsorError(files.folder_of_numbers(what))
        if not stat.S_ISREG(mode):
            raise NetsorError(files.not_ordinary(what))
        with path.open("rb") as file:
            return reader(file)
    except NotNumbers as error:
        raise NetsorError(files.no_numbers_in(what, error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not one that a file can have"
        raise NetsorError(files.numbers_unread(what, reason)) from None


# --- .npy ------------------------------------------------------------------------------------------------------


def _read_npy(file: IO[bytes], name: str) -> tuple[Values, Shape]:
    array = read_npy(file, name)
    return as_tuples(array.tolist()), array.shape


def read_npy(file: IO[bytes], name: str) -> Any:
    """The array of numbers in a .npy file; raises NotNumbers, or NetsorError (E403) where it is empty."""
    import numpy as np
    from numpy.lib import format as npy

    if file.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
        raise NotNumbers("it is an archive of arrays (.npz) under another name")
    file.seek(0)
    try:
        # Headers of old versions are read with a warning, which is nothing to the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = npy.read_magic(file)
            read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            shape, fortran, dtype = read_header(file)
    # The header is a Python literal, and whatever is wrong with a literal may be raised here.
    except Exception:
        raise NotNumbers("it is not a .npy file, or its header is damaged") from None
    if dtype.kind not in "fiu":
        kinds = {"c": "complex numbers", "O": "Python objects", "b": "truth values", "V": "records"}
        raise NotNumbers(f"it holds {kinds.get(dtype.kind, str(dtype))}, not real numbers")
    if any(not isinstance(k, int) or isinstance(k, bool) or k < 0 for k in shape) or len(shape) > DEEPEST:
        raise NotNumbers("its header is damaged")
    start = file.tell()
    held, claimed = file.seek(0, 2) - start, math.prod(shape) * dtype.itemsize
    if held != claimed:
        found = f"its header promises {claimed:,} bytes of numbers, and {held:,} follow"
        raise NotNumbers(found if claimed < 10**15 else f"its header promises more than the {held:,} bytes that follow")
    if 0 in shape:
        raise no_numbers(name, shape)
    file.seek(start)
    array = np.frombuffer(file.read(claimed), dtype).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore", invalid="ignore"):
        doubles = array.astype(np.float64)
    if np.any(np.isinf(doubles) & np.isfinite(array)):
        raise NotNumbers("a number in it is beyond 1.8e308, the largest number")
    return doubles


# --- .csv ------------------------------------------------------------------------------------------------------


def _read_csv(file: IO[bytes], name: str) -> tuple[Values, Shape]:
    lines = csv.reader(io.StringIO(text_of(file.read())))
    rows: list[Values] = []
    width = 0
    try:
        for fields in lines:
            if not any(field.strip() for field in fields) and len(fields) <= 1:
                continue
            if not rows and (why := _of_a_table(fields)):
                raise NotNumbers(f"line {lines.line_num}: {why}")
            row = tuple(number_in_line(field, lines.line_num) for field in fields)
            if rows and len(row) != width:
                raise ragged(name, lines.line_num)
            width = len(row)
            rows.append(row)
    except csv.Error as error:
        raise NotNumbers(f"line {lines.line_num}: {error}") from None
    if not rows:
        raise no_numbers(name, (0,))
    return tuple(rows), (len(rows), width)


def _of_a_table(fields: list[str]) -> str:
    """What the first line of a spreadsheet or of a data frame has that a file of numbers has not; '' for nothing."""
    texts = [field.strip() for field in fields]
    if len(texts) == 1 and ";" in texts[0]:
        return f"the numbers of `{shortened(texts[0])}` are apart by semicolons, and commas are expected"
    if len(texts) > 1 and not texts[0] and all(texts[1:]):
        both = "pandas leaves both out by to_csv(index=False, header=False)"
        return f"it is a heading above a column of row labels; {both}"
    if len(texts) > 1 and all(text and not _NUMBER.fullmatch(text) and text[0].isalpha() for text in texts):
        heading = shortened(", ".join(texts))
        return f"`{heading}` is a heading, and a file holds numbers alone; pandas leaves it out by to_csv(header=False)"
    return ""


def number_in_line(field: str, line: int) -> float:
    """The number in a field of a line, in the spelling of the language; raises NotNumbers."""
    text = field.strip(" \t\r\n")
    if not _NUMBER.fullmatch(text):
        raise NotNumbers(f"line {line}: `{shortened(text)}` is not a number")
    value = float(text)
    if math.isinf(value) and text[-1].isdigit():
        raise NotNumbers(f"line {line}: `{shortened(text)}` is beyond 1.8e308, the largest number")
    return value


# --- .json -----------------------------------------------------------------------------------------------------


def _read_json(file: IO[bytes], name: str) -> tuple[Values, Shape]:
    try:
        # Integers are read as doubles: Python's own may have more digits than it is willing to read.
        value = json.loads(text_of(file.read()), parse_int=_json_number, parse_float=_json_number)
    except RecursionError:
        raise NotNumbers("its lists are nested too deeply") from None
    except NotNumbers:
        raise
    except ValueError as error:
        raise NotNumbers(shortened(str(error), 120)) from None
    return nested(value, name)


def _json_number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotNumbers(f"`{shortened(text)}` is beyond 1.8e308, the largest number")
    return value


def text_of(content: bytes) -> str:
    """The text of a file, its lines ended by line feeds; raises NotNumbers where it is not UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotNumbers("it is not UTF-8 text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


_READERS: dict[str, Callable[[IO[bytes], str], tuple[Values, Shape]]] = {
    ".npy": _read_npy,
    ".csv": _read_csv,
    ".json": _read_json,
}
