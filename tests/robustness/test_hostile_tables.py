"""Files of rows that hold something else: single numbers, damaged archives, text in the wrong place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from attack import Call, faults

NETWORK = b"""\
network m(\xce\xbe : 2)
matrix U : (n, 2) ~ N(0, 1/2)
vector v ~ N(0, 1)
train U, v
x := relu(U \xce\xbe)
output f := v^T x / sqrt(n)
"""
COMMANDS = [
    "predict m.netsor --inputs {0} --targets y.csv --test {0}",
    "predict m.netsor --inputs y.csv --targets {0} --test y.csv --json",
    "predict m.netsor --inputs {0} --target-column b --test {0}",
    "ntk m.netsor --inputs {0} --json",
    "train m.netsor --inputs {0} --targets {0} --test {0} --steps 1 --width 8",
    "sgd m.netsor --inputs {0} --targets y.csv --steps 1",
    "backward m.netsor --inputs {0}",
    "check m.netsor --exact --inputs {0}",
]


def _npy(array: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), allow_pickle=True)
    return out.getvalue()


def _npz(damaged: bool = False) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, X=np.arange(400.0).reshape(200, 2) ** 0.5)
    content = bytearray(out.getvalue())
    if damaged:
        middle = len(content) // 2
        content[middle : middle + 40] = bytes(range(215, 255))
    return bytes(content)


FILES = {
    "number.npy": _npy(5.0), "number.json": b"5", "infinite.json": b"Infinity", "nothing.npy": _npy(np.zeros((0, 2))),
    "text.npy": _npy([["a", "b"]]), "objects.npy": _npy(np.array([[None, 1]], dtype=object)),
    "complex.npy": _npy([[1j, 2]]), "times.npy": _npy(np.zeros((2, 2), "M8[s]")), "damaged.npz": _npz(damaged=True),
    "cut.npz": _npz()[:300], "none.npz": b"PK\x05\x06" + bytes(18), "cut.npy": _npy(np.ones((2, 2)))[:-3],
    "heading.csv": b"a,b\n", "same.csv": b"b,b\n1,2\n", "ragged.csv": b"1,2\n3\n", "nul.csv": b"1,2\x00\n3,4",
    "huge.csv": b"1e400,2\n3,4\n", "empty.csv": b"", "page.parquet": b"PAR1" + bytes(40) + b"PAR1",
    "object.json": b'{"a": 1}', "null.json": b"[[null, 1]]", "subnormal.npy": _npy(np.full((2, 2), 1e-310)),
    "largest.npy": _npy(np.full((2, 2), 1e308)),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_no_rows_is_told(name: str) -> None:
    for command in COMMANDS:
        call = Call(tuple(command.format(name).split()), {"m.netsor": NETWORK, name: FILES[name], "y.csv": b"1\n-1\n"})
        assert faults(call) == [], command


def test_the_damaged_archive_is_damaged_inside(tmp_path: Path) -> None:
    """A checksum alone would have been found by the reader of archives."""
    import zipfile
    import zlib

    (tmp_path / "d.npz").write_bytes(FILES["damaged.npz"])
    with pytest.raises((zlib.error, zipfile.BadZipFile)), zipfile.ZipFile(tmp_path / "d.npz") as archive:
        archive.read("X.npy")
