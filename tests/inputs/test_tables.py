"""Rows of data as people have them: headings, columns of targets, archives, images."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from netsor.api import loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.tables import read_table

MLP = "network mlp(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := relu(U ξ)\noutput f := vᵀ x / √n\n"
TABLE = "size,price, age\n1,5,2\n0.5,4,-1\n3,1,0\n"
PIXELS = "network p(ξ[1..6] : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\nx := relu(U ξ[1]) + erf(U ξ[6])\n"
PIXELS += "output f := vᵀ x / √n\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mlp.netsor").write_text(MLP, encoding="utf-8")
    (tmp_path / "d.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "t.csv").write_text("age,size\n1,0.5\n", encoding="utf-8")
    np.savez(tmp_path / "d.npz", X=np.eye(2), y=[1.0, 2.0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_headings(folder):
    table = read_table("d.csv", "--inputs")
    assert table.names == ("size", "price", "age") and table.values.tolist() == [[1, 5, 2], [0.5, 4, -1], [3, 1, 0]]
    (folder / "plain.csv").write_text("1,2\n3,4\n")
    assert read_table("plain.csv", "--inputs").names is None
    assert read_table("d.npz:y", "--targets").values.tolist() == [1.0, 2.0]


AS_WRITTEN = {
    # by pandas with its row labels, numbers or words, and where a decimal has a comma
    ",size,age\n0,1.5,2\n1,3.0,-4\n": ("size", "age"),
    ",size,age\nanna,1.5,2\nbob,3.0,-4\n": ("size", "age"),
    ";size;age\n0;1,5;2\n1;3,0;-4\n": ("size", "age"),
    # by a spreadsheet, with quotes, blank lines and a mark of the encoding
    '\ufeff"size";"age"\r\n"1,5";"2"\r\n\r\n3;-4\r\n': ("size", "age"),
    "1.5;2\n3;-4\n\n": None,
    '"1.5","2"\n"3","-4"\n': None,
}


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_files_as_pandas_and_spreadsheets_write_them(folder, text):
    (folder / "made.csv").write_text(text, encoding="utf-8", newline="")
    table = read_table("made.csv", "--inputs")
    assert table.values.tolist() == [[1.5, 2], [3, -4]] and table.names == AS_WRITTEN[text]


def test_a_row_of_another_length_is_told_with_its_line(folder):
    (folder / "ragged.csv").write_text("a,b\n1,2\n\n3\n")
    with pytest.raises(NetsorError, match="E403") as caught:
        read_table("ragged.csv", "--inputs")
    assert "line 4" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b\n1,x\n", "line 2, column `b`: `x` is not a number"), ("a,b\n1,\n", "column `b`: the entry is missing"),
        ("a,a\n1,2\n", "two columns `a`"), ("a;b\n", "line 1: `a` is not a number"),
        ("1,b\n2,3\n", "`b` is not a number"),
    ],
)  # fmt: skip
def test_text_where_numbers_should_be(folder, text, message):
    (folder / "bad.csv").write_text(text)
    with pytest.raises(NetsorError, match="E022") as caught:
        read_table("bad.csv", "--inputs")
    assert message in caught.value.diagnostics[0].message


def test_archives(folder):
    with pytest.raises(NetsorError) as caught:
        read_table("d.npz", "--inputs")
    assert "several arrays; its arrays are `X`, `y`" in caught.value.diagnostics[0].message
    (folder / "broken.npz").write_bytes((folder / "d.npz").read_bytes()[:-40])
    with pytest.raises(NetsorError, match="E022"):
        read_table("broken.npz:X", "--inputs")


def test_parquet(folder):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"a": [1.0, 2.0], "b": [3, 4]}), "d.parquet")
    table = read_table("d.parquet", "--inputs")
    assert table.names == ("a", "b") and table.values.tolist() == [[1, 3], [2, 4]]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are listed in /proc")
def test_parquet_is_read_without_a_pool_of_threads(folder):
    """pyarrow waits without an end for threads that memory does not suffice for; those of its allocator aside."""
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.table({"a": [1.0, 2.0], "b": [3, 4]}), "d.parquet")
    code = "from pathlib import Path\nfrom netsor.tables import read_table\nread_table('d.parquet', '--inputs')\n"
    code += "print(*(p.read_text().strip() for p in Path('/proc/self/task').glob('*/comm')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len([name for name in found if not name.startswith("jemalloc")]) == 1


def test_a_column_of_targets(folder, capsys):
    line = ["predict", "mlp.netsor", "--inputs", "d.csv", "--target-column", "price", "--noise", "0.1"]
    assert main([*line, "--test", "t.csv", "--standardize", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    x = np.array([[1, 2], [0.5, -1], [3, 0]])
    mean, std = x.mean(axis=0), x.std(axis=0)
    assert result["standardized"] == {"mean": pytest.approx(mean.tolist()), "std": pytest.approx(std.tolist())}
    found = loads(MLP).predict((x - mean) / std, [5, 4, 1], (np.array([[0.5, 1]]) - mean) / std, noise=0.1)
    assert result["mean"] == found.mean.tolist()
    # Test rows that have the column are compared with it.
    assert main([*line, "--test", "d.csv"]) == 0
    assert "mean squared error" in capsys.readouterr().out
    assert main([*line, "--test", "t.csv", "--standardize"]) == 0
    text = capsys.readouterr().out
    assert "age" in text and "over their standard deviation" in text


def test_columns_that_are_not_there(folder, capsys):
    line = ["predict", "mlp.netsor", "--inputs", "d.csv", "--test", "t.csv"]
    assert main([*line, "--target-column", "prise"]) == 2
    assert "[E665]" in (err := capsys.readouterr().err) and "did you mean `price`?" in err
    (folder / "t.csv").write_text("weight,size\n1,0.5\n")
    assert main([*line, "--target-column", "price"]) == 2
    assert "no column `weight`" in capsys.readouterr().err
    (folder / "d.csv").write_text("1,2,3\n")
    assert main([*line, "--target-column", "price"]) == 2
    assert "has no heading" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*line])
    assert "--target-column" in capsys.readouterr().err


def test_images_of_pixels():
    network = loads(PIXELS)
    images = np.random.default_rng(0).standard_normal((3, 2, 3, 2))
    flat = images.reshape(3, 6, 2)
    assert (network.nngp(images).value == network.nngp(flat).value).all()
    assert (network.nngp(images.tolist()).value == network.nngp(flat).value).all()
    with pytest.raises(NetsorError, match="E654"):
        network.nngp(images.reshape(3, 2, 2, 3))
    grey = loads(PIXELS.replace(" : 2)\n", " : 1)\n", 1).replace("(n, 2)", "(n, 1)"))
    assert (grey.nngp(images[..., 0]).value == grey.nngp(images[..., :1].reshape(3, 6, 1)).value).all()


def test_a_grid_of_inputs_is_an_image_row_by_row(folder):
    """x[p, q] reads the pixel of row p and column q, whatever the shape in which the rows come."""
    grid = "network g(ξ[1..2, 1..3] : 2)\nmatrix U, V : (n, 2)\nvector v ~ N(0, 1)\ntrain U, V, v\n"
    grid += "output f := vᵀ relu(U ξ[1, 3] + V ξ[2, 1]) / √n\n"
    flat = grid.replace("1..2, 1..3", "1..6").replace("[1, 3]", "[3]").replace("[2, 1]", "[4]")
    images = np.random.default_rng(2).standard_normal((2, 2, 3, 2))
    one, other = loads(grid), loads(flat)
    assert one.program == other.program
    for rows in (images, images.reshape(2, 6, 2)):
        assert np.array_equal(one.ntk(rows).ntk.value, other.ntk(images.reshape(2, 6, 2)).ntk.value)
    assert loads(one.listing()).program == one.program


NO_GRIDS = {"ξ[1..2, 1..2, 1..2] : 2": "E403", "ξ[1..0, 1..2] : 2": "E414", "ξ[1..2000, 1..2000] : 2": "E411"}


@pytest.mark.parametrize("header", NO_GRIDS)
def test_grids_that_are_none(header):
    text = f"network g({header})\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\noutput f := vᵀ tanh(U ξ[1, 1]) / √n\n"
    found = loads(text).check().diagnostics[0]
    assert found.code == NO_GRIDS[header] and "ξ" in found.message + found.span.text
