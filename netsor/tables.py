"""Rows of data as people have them: tables with named columns (.csv, .parquet), archives of arrays (.npz), arrays."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.arrays import NotNumbers, no_numbers, ragged, shortened
from netsor.datafiles import number_in_line, read_npy, read_ordinary_file, text_of
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived, files
from netsor.inputs import read_array

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Table:
    """Rows of numbers, with the names of the columns where the file has them."""

    values: np.ndarray
    names: tuple[str, ...] | None = None
    source: str = ""

    def split(self, names: Sequence[str]) -> tuple[Table, Table]:
        """The columns without and with these names; raises NetsorError (E665)."""
        if self.names is None:
            raise NetsorError(derived.no_heading(names[0], self.source))
        places = [self._place(name) for name in names]
        rest = [k for k in range(len(self.names)) if k not in places]
        return self._columns(rest), self._columns(places)

    def like(self, other: Table) -> Table:
        """These rows with the columns of another table in its order; as they are where either names none (E665)."""
        if self.names is None or other.names is None:
            return self
        unknown = [name for name in self.names if name not in other.names]
        if unknown:
            raise _no_column(unknown[0], other.names, other.source)
        return self._columns([self._place(name) for name in other.names])

    def has(self, name: str) -> bool:
        return self.names is not None and name in self.names

    def _columns(self, places: Sequence[int]) -> Table:
        names = None if self.names is None else tuple(self.names[k] for k in places)
        return Table(self.values[:, list(places)], names, self.source)

    def _place(self, name: str) -> int:
        assert self.names is not None
        if name not in self.names:
            raise _no_column(name, self.names, self.source)
        return self.names.index(name)


def _no_column(name: str, names: Sequence[str], source: str) -> NetsorError:
    from difflib import get_close_matches

    near = next(iter(get_close_matches(name, names, 1)), "")
    return NetsorError(derived.no_column(name, source, names, near))


def read_table(text: str, name: str) -> Table:
    """The rows in a file: .csv with or without a heading, .parquet, .npz (`FILE.npz:NAME` of several), .npy, .json.

    A first line of a .csv file in which no field is a number is its heading, and where its first field is empty the
    first column has row labels, which are left out. Fields may be apart by semicolons; a decimal may then have a comma.
    Raises NetsorError as `read_array`.
    """
    import numpy as np

    file, colon, member = text.rpartition(":")
    if not (colon and file.lower().endswith(".npz")):
        file, member = text, ""
    path = Path(file)
    if path.exists():
        match path.suffix.lower():
            case ".csv":
                return read_ordinary_file(path, name, lambda f: _read_csv(f.read(), name, file))
            case ".npz":
                return Table(read_ordinary_file(path, name, lambda f: _read_npz(f, name, member)), None, file)
            case ".npy":
                return Table(read_ordinary_file(path, name, lambda f: read_npy(f, name)), None, file)
            case ".parquet":
                return read_ordinary_file(path, name, lambda f: _read_parquet(f, name, file))
    return Table(np.array(read_array(file, name)[0], float), None, file)


def _read_csv(content: bytes, name: str, source: str) -> Table:
    import numpy as np

    text = text_of(content)
    lines, decimal = _fields(text)
    names: tuple[str, ...] | None = None
    rows: list[list[float]] = []
    labelled = False
    try:
        for fields in lines:
            if not any(field.strip() for field in fields) and len(fields) <= 1:
                continue
            if decimal:
                fields = [field if "." in field else field.replace(",", ".", 1) for field in fields]
            if not rows and names is None:
                # Data frames are written with an empty field above their column of row labels.
                labelled = len(fields) > 1 and not fields[0].strip() and all(map(str.strip, fields[1:]))
            fields = fields[1:] if labelled else fields
            if not rows and names is None and (labelled or not any(_is_number(field) for field in fields)):
                names = _heading(fields)
                continue
            if len(fields) != len(names or (rows[0] if rows else fields)):
                raise ragged(name, lines.line_num)
            rows.append([_entry(field, lines.line_num, names, k) for k, field in enumerate(fields)])
    except csv.Error as error:
        raise NotNumbers(f"line {lines.line_num}: {error}") from None
    if not rows and names is not None:
        raise NotNumbers(f"line 1: `{shortened(names[0])}` is not a number, and no line of numbers follows")
    if not rows:
        raise no_numbers(name, (0,))
    return Table(np.array(rows, float), names, source)


def _fields(text: str) -> tuple[Any, bool]:
    """A reader of the lines of a file, and whether its fields are apart by semicolons and decimals have commas."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if ";" in first and len(next(csv.reader([first], delimiter=";"))) > 1:
        return csv.reader(io.StringIO(text), delimiter=";"), True
    return csv.reader(io.StringIO(text)), False


def _is_number(field: str) -> bool:
    try:
        number_in_line(field, 1)
    except NotNumbers:
        return False
    return True


def _heading(fields: list[str]) -> tuple[str, ...]:
    names = tuple(field.strip() for field in fields)
    twice = next((n for k, n in enumerate(names) if n in names[:k]), None)
    if twice is not None:
        raise NotNumbers(f"its heading has two columns `{shortened(twice)}`")
    return names


def _entry(field: str, line: int, names: tuple[str, ...] | None, column: int) -> float:
    if names is not None and not _is_number(field):
        what = f"`{shortened(field)}` is not a number" if field.strip() else "the entry is missing"
        raise NotNumbers(f"line {line}, column `{shortened(names[column])}`: {what}")
    return number_in_line(field, line)


def _read_npz(file: Any, name: str, member: str) -> np.ndarray:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            if not member and len(names) == 1:
                member = names[0]
            if member not in names:
                listed = ", ".join(f"`{shortened(n)}`" for n in names[:12]) or "none"
                what = f"it has no array `{shortened(member)}`" if member else "it holds several arrays"
                raise NotNumbers(f"{what}; its arrays are {listed}, and FILE.npz:NAME names one")
            found: np.ndarray = read_npy(io.BytesIO(archive.read(f"{member}.npy")), name)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise NotNumbers("it is not a .npz file, or it is damaged") from None


def _read_parquet(file: Any, name: str, source: str) -> Table:
    import numpy as np

    try:
        from pyarrow import parquet
    except ImportError:
        raise NetsorError(files.needs_pyarrow(source)) from None
    try:
        # In this thread: where memory does not suffice for those of a pool, pyarrow waits for them without an end.
        table = parquet.ParquetFile(file, pre_buffer=False).read(use_threads=False)
    except MemoryError:
        raise
    except Exception as error:
        raise NotNumbers(shortened(str(error), 120)) from None
    if not table.num_rows or not table.num_columns:
        raise no_numbers(name, (table.num_rows, table.num_columns))
    columns = []
    for key in table.column_names:
        column = table.column(key).to_numpy()
        if column.dtype.kind not in "fiu":
            raise NotNumbers(f"its column `{shortened(key)}` holds {table.column(key).type}, not numbers")
        columns.append(column.astype(float))
    return Table(np.stack(columns, axis=1), tuple(table.column_names), source)
