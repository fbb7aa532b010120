"""Files of numbers that nobody vouches for: each is read right or refused at once with E022 or E403."""

from __future__ import annotations

import io
import json
import math
import os
import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from netsor.datafiles import read_array_file
from netsor.diagnostics import NetsorError
from netsor.inputs import read_array

MB = 1 << 20


def code(path: Path) -> str:
    with pytest.raises(NetsorError) as caught:
        read_array(path, "X")
    return caught.value.diagnostics[0].code


def npy(header: str, body: bytes = b"") -> bytes:
    """A file with this header, whatever follows."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def header(shape: str, dtype: str = "'<f8'", order: str = "False") -> str:
    return f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"


def archive() -> bytes:
    out = io.BytesIO()
    np.savez(out, X=np.eye(2))
    return out.getvalue()


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


BAD = {
    "more than the file holds": ("npy", npy(header("(1000000000000,)"), bytes(40)), "E022"),
    "two billion rows of nothing": ("npy", npy(header("(2000000000, 0)")), "E403"),
    "nothing times a negative": ("npy", npy(header("(-1, 0)")), "E022"),
    "a negative size": ("npy", npy(header("(-2,)"), bytes(16)), "E022"),
    "sizes beyond the machine": ("npy", npy(header("(2**70,)".replace("2**70", str(2**70)))), "E022"),
    "a shape of truth values": ("npy", npy(header("(True, True)"), bytes(8)), "E022"),
    "more bytes than the array": ("npy", saved(np.eye(2)) + b"more", "E022"),
    "fewer bytes than the array": ("npy", saved(np.eye(2))[:-1], "E022"),
    "an archive": ("npy", archive(), "E022"),
    "objects": ("npy", saved(np.array([1, "a"], object)), "E022"),
    "complex numbers": ("npy", saved(np.array([1j])), "E022"),
    "truth values": ("npy", saved(np.array([True])), "E022"),
    "texts": ("npy", saved(np.array(["1"])), "E022"),
    "records": ("npy", saved(np.zeros(2, [("a", float)])), "E022"),
    "beyond a double": ("npy", saved(np.array([np.longdouble("1e4000")])), "E022"),
    "a header of brackets": ("npy", npy("(" * 9000), "E022"),
    "a header of signs": ("npy", npy("-" * 9000 + "1"), "E022"),
    "half a header": ("npy", b"\x93NUMPY\x01\x00\xff\xff{'descr'", "E022"),
    "an empty npy": ("npy", b"", "E022"),
    "an integer beyond a double": ("json", b"[1" + b"0" * 400 + b"]", "E022"),
    "an integer of ten thousand digits": ("json", b"[" + b"9" * 10_000 + b"]", "E022"),
    "a float beyond a double": ("json", b"[1e999]", "E022"),
    "a thousand levels": ("json", b"[" * 1000 + b"1" + b"]" * 1000, "E022"),
    "a hundred thousand levels": ("json", b"[" * 100_000 + b"]" * 100_000, "E022"),
    "nine hundred levels": ("json", b"[" * 900 + b"1" + b"]" * 900, "E022"),
    "an object": ("json", b'{"a": [1]}', "E022"),
    "a text among numbers": ("json", b'[1, "2"]', "E022"),
    "a truth value": ("json", b"[true]", "E022"),
    "null": ("json", b"[null]", "E022"),
    "no JSON": ("json", b"[1,", "E022"),
    "an empty json": ("json", b"", "E022"),
    "no numbers in json": ("json", b"[[], []]", "E403"),
    "ragged json": ("json", b"[[1, 2], [3]]", "E403"),
    "JSON that is not UTF-8": ("json", b"[\xff]", "E022"),
    "a field beyond the reader's limit": ("csv", b"1" * 200_000, "E022"),
    "an underscore": ("csv", b"1_0,2", "E022"),
    "digits of another script": ("csv", "١,2".encode(), "E022"),
    "a heading": ("csv", b"a,b\n1,2", "E022"),
    "semicolons": ("csv", b"1;2", "E022"),
    "hexadecimal": ("csv", b"0x10", "E022"),
    "an empty field": ("csv", b"1,,2", "E022"),
    "a csv number beyond a double": ("csv", b"1e400", "E022"),
    "a quote that stays open": ("csv", b'1,"2\n3,4', "E022"),
    "zeros": ("csv", bytes(10), "E022"),
    "CSV that is not UTF-8": ("csv", b"\xff\xfe1,2", "E022"),
    "an empty csv": ("csv", b"\n\n", "E403"),
    "ragged csv": ("csv", b"1,2\n3", "E403"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_array_of_numbers(what: str, tmp_path: Path) -> None:
    suffix, content, expected = BAD[what]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert code(path) == expected
        assert tracemalloc.get_traced_memory()[1] < 4 * MB + 20 * len(content)
    finally:
        tracemalloc.stop()


GOOD = {
    "float32": ("npy", saved(np.array([[1.5, 2]], np.float32)), ((1.5, 2.0),)),
    "integers, in columns": ("npy", saved(np.asfortranarray([[1, 2], [3, 4]])), ((1.0, 2.0), (3.0, 4.0))),
    "the other end first": ("npy", saved(np.array([1, 2], ">f8")), (1.0, 2.0)),
    "one number": ("npy", saved(np.array(7)), 7.0),
    "csv of a spreadsheet": ("csv", b'\xef\xbb\xbf1,"2.5"\r\n-.5,1e-3\r\n\r\n', ((1.0, 2.5), (-0.5, 0.001))),
    "csv of an old machine": ("csv", b"1\r2\r", ((1.0,), (2.0,))),
    "json": ("json", b"[[1, 2.5e0], [-0.0, 3]]", ((1.0, 2.5), (0.0, 3.0))),
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_what_is_one(what: str, tmp_path: Path) -> None:
    suffix, content, expected = GOOD[what]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    assert read_array(path, "X")[0] == expected


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    assert code(tmp_path / "folder.npy") == "E022"
    assert code(tmp_path / "nobody.csv") == "E001"
    assert code(tmp_path / "nobody.xlsx") == "E001"
    assert code(Path("\0.csv")) == "E002"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")  # reading it would wait for ever
        assert code(tmp_path / "pipe.csv") == "E022"


@pytest.mark.parametrize("value", ["[1]", {"a": 1}, None, True, [[1], 2], [1j], [10**400], np.empty((2**40, 0)), []])
def test_python_values_that_are_no_array(value: object) -> None:
    with pytest.raises(NetsorError):
        read_array(value, "X")


def test_lists_in_themselves() -> None:
    endless: list = []
    endless.append(endless)
    with pytest.raises(NetsorError, match="levels deep"):
        read_array(endless, "X")


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content with some bytes changed, cut, repeated or put in."""
    out = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(5):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del out[at : at + rng.choice([1, 2, 8, 64])]
            case 2:
                out[at:at] = bytes(rng.choice(TOKENS))
            case 3:
                out[at:at] = out[at : at + rng.choice([1, 4, 32])] * rng.choice([1, 2, 50])
            case _:
                del out[at:]
    return bytes(out)


TOKENS = [
    t.encode()
    for t in (
        "[", "]", ",", "\n", "\r", '"', "-", "e", "9" * 30, "0", ".", "_", "nan", "Infinity", "1e999", "NaN", "null",
        "(", "0,", "'<f8'", "'|O'", "'<c16'", "True", "{", "}", "\0", " ", "[" * 40, "2000000000, 0", "é",
    )
]  # fmt: skip
SEEDS = {
    "npy": [saved(np.arange(6.0).reshape(2, 3)), saved(np.arange(4, dtype=np.int8)), archive(), npy(header("(0, 3)"))],
    "csv": [b"1,2\n3,4\n", b'-1.5e3,"2"\r\n.5,6\r\n', b"0.1\n0.2\n0.3\n"],
    "json": [b"[[1, 2], [3, 4]]", b"[0.5, -1e-3, 7]", b"[[[1], [2]], [[3], [4]]]"],
}  # fmt: skip


def attack(suffix: str, count: int, path: Path, seed: int) -> int:
    """How many of the mutated files were read; each of the others is refused with a diagnostic."""
    rng = random.Random(f"{suffix} {seed}")
    read = 0
    for _ in range(count):
        content = mutated(rng.choice(SEEDS[suffix]), rng)
        path.write_bytes(content)
        try:
            values, shape = read_array(path, "X")
        except NetsorError as fault:
            assert {d.code for d in fault.diagnostics} <= {"E022", "E403"}, content
            assert all(len(d.message) < 300 for d in fault.diagnostics), content
            continue
        read += 1
        flat = np.array(values)
        assert flat.dtype == np.float64 and flat.shape == shape and 0 < flat.size <= len(content), content
        if suffix == "npy":
            assert np.array_equal(flat, np.load(path).astype(float), equal_nan=True), content
        elif suffix == "json":
            assert np.array_equal(flat, np.array(json.loads(content), float), equal_nan=True), content
        else:
            assert flat.ndim == 2 and not math.isinf(np.nanmax(np.abs(flat), initial=0)) or b"nf" in content.lower()
    return read


@pytest.mark.parametrize("suffix", SEEDS)
def test_mutated_files(suffix: str, tmp_path: Path) -> None:
    assert 0 < attack(suffix, 400, tmp_path / f"x.{suffix}", 0) < 400


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SEEDS)
def test_many_mutated_files(suffix: str, tmp_path: Path) -> None:
    assert attack(suffix, 20_000, tmp_path / f"x.{suffix}", 1)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a,b\n1,2\n", "line 1: `a, b` is a heading"),
        (b'\xef\xbb\xbf\n"a","b"\n1,2\n', "line 2: `a, b` is a heading"),
        (b",0,1\n0,1.5,2\n", "line 1: it is a heading above a column of row labels"),
        (b"1;2\n3;4\n", "line 1: the numbers of `1;2` are apart by semicolons"),
        (b"1,2\n\nx,4\n", "line 3: `x` is not a number"),
    ],
)
def test_tables_of_pandas_and_spreadsheets_are_told_with_the_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "X.csv"
    path.write_bytes(content)
    with pytest.raises(NetsorError) as error:
        read_array_file(path, "X")
    assert told in error.value.diagnostics[0].message
    path.write_bytes(b'\xef\xbb\xbf"1.5","2"\r\n\r\n3,4\r\n')
    assert read_array_file(path, "X") == (((1.5, 2.0), (3.0, 4.0)), (2, 2))
