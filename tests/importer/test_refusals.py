"""What has no limit is refused, with the module's path, the line of its source and the reason."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn  # noqa: E402
from torch_modules import Of, Recurrent, Stack, scaled  # noqa: E402

import netsor  # noqa: E402


def simple(f: Any, n: int, **parts: Any) -> Any:
    return scaled(Of(f, u=nn.Linear(3, n), o=nn.Linear(n, 1), **parts))


def fixed(n: int) -> Any:
    m = simple(lambda m, x: m.o(torch.tanh(m.w(torch.tanh(m.u(x))))), n, w=nn.Linear(n, n))
    nn.init.normal_(m.w.weight, std=0.02)
    return m


def orthogonal(n: int) -> Any:
    m = simple(lambda m, x: m.o(torch.tanh(m.w(m.u(x)))), n, w=nn.Linear(n, n))
    nn.init.orthogonal_(m.w.weight)
    return m


def copied(n: int) -> Any:
    """Layers as nn.TransformerEncoder makes them, by deepcopy."""
    layer = nn.Linear(n, n)
    layers = [nn.Linear(3, n), layer, nn.Tanh(), copy.deepcopy(layer), nn.Tanh(), nn.Linear(n, 1)]
    return nn.Sequential(*layers)


class TiedEmbedding(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.emb, self.w = nn.Embedding(4, n), nn.Linear(n, n, bias=False)
        nn.init.normal_(self.w.weight, std=n**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.w(self.emb(x))).mean(1) @ self.emb.weight.t() / self.emb.weight.shape[1] ** 0.5


class RandomNumber(nn.Module):
    """A random number that every unit meets."""

    def __init__(self, n: int):
        super().__init__()
        self.u, self.o, self.a = nn.Linear(3, n), nn.Linear(n, 1), nn.Parameter(torch.randn(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(torch.tanh(self.a * self.u(x)))


class Default(nn.Module):
    def __init__(self, n: int):
        super().__init__()
        self.rnn, self.o = nn.RNN(2, n, batch_first=True), nn.Linear(n, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.o(self.rnn(x)[0][:, -1])


CASES: dict[str, tuple[Any, Any, str]] = {
    "attention": (lambda n: scaled(Stack(n, 1, None)), (1, 3, 4), "divided by √n enters `exp`"),
    "sum": (
        lambda n: simple(lambda m, x: m.o(m.u(x) / (1 + m.u(x).abs().sum(-1, keepdim=True)).tanh()), n),
        (1, 3), "grows"
    ),
    "rnn": (Default, (1, 3, 2), "the data vanish"),
    "fixed": (fixed, (1, 3), "grows like n\\^1/2"),
    "gate": (
        lambda n: simple(lambda m, x: m.o(torch.sigmoid(m.g(m.u(x))) * m.u(x)), n, g=nn.Linear(n, 1)),
        (1, 3), "divided by √n",
    ),
    "readout inside": (lambda n: simple(lambda m, x: torch.tanh(m.o(torch.tanh(m.u(x)))), n), (1, 3), "divided by √n"),
    "softmax over the width": (
        lambda n: simple(lambda m, x: m.o(torch.softmax(m.u(x), -1)), n), (1, 3), "output vanishes like"
    ),
    "branch": (
        lambda n: simple(lambda m, x: m.o(m.u(x)) if x.sum() > 0 else m.o(-m.u(x)), n),
        (1, 3), "branches on the values"
    ),
    "dropout": (lambda n: simple(lambda m, x: m.o(m.d(m.u(x))), n, d=nn.Dropout(0.5)), (1, 3), "dropout with rate 0.5"),
    "batch norm": (
        lambda n: simple(lambda m, x: m.o(m.b(m.u(x))), n, b=nn.BatchNorm1d(n)),
        (1, 3), "more than 1 value|single number"
    ),
    "n + 2": (
        lambda n: scaled(nn.Sequential(nn.Linear(3, n + 2), nn.Tanh(), nn.Linear(n + 2, n), nn.Linear(n, 1))),
        (1, 3), "multiple of the width"
    ),
    "layers": (
        lambda n: nn.Sequential(nn.Linear(3, n), *(nn.Linear(n, n) for _ in range(n // 12)), nn.Linear(n, 1)),
        (1, 3), "other parameters",
    ),
    "finite": (
        lambda n: scaled(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, n), nn.Linear(n, 1))),
        (1, 3), "stay random"
    ),
    "no width": (lambda n: nn.Linear(3, 1), (1, 3), "no parameter has an axis"),
    "orthogonal": (orthogonal, (1, 3), "the law of `w.weight` is not known"),
    "tied embedding": (TiedEmbedding, torch.zeros(1, 3, dtype=torch.long), "meets the example and is used once more"),
    "random number": (RandomNumber, (1, 3), "random number that every unit meets"),
    "copies": (copied, (1, 3), "is a copy of"),
}  # fmt: skip
QUICK = {"n + 2", "no width", "layers", "fixed", "tied embedding", "random number"}


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_refused(name: str) -> None:
    factory, example, expected = CASES[name]
    with pytest.raises(netsor.NetsorError, match=expected) as caught:
        netsor.from_torch(factory, example)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E690"
    if name in ("attention", "rnn", "fixed", "gate", "readout inside", "dropout", "softmax over the width"):
        assert "torch_modules.py" in diagnostic.notes[0] or "test_refusals.py" in diagnostic.notes[0]


def test_a_law_may_be_given() -> None:
    document = netsor.from_torch(orthogonal, (1, 3), init={"w.weight": "N(0, 2/n)"})
    assert "matrix w ~ N(0, 2/n)" in document.text
    assert any("was given" in note for note in document.notes)


def test_recurrent_weights_are_shared_over_time() -> None:
    text = netsor.from_torch(lambda n: Recurrent(nn.RNN, n), (1, 4, 2)).text
    assert "matrix weight_hh_l0 ~ N(0, 1 / 3 / n)" in text
    assert "ξ[1..4] : 2" in text


def test_a_file_takes_no_place_among_the_modules(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsor.importer.files import import_file

    (tmp_path / "json.py").write_text(
        "from dataclasses import dataclass\nfrom torch import nn\n\n@dataclass\nclass Size:\n    d: int = 3\n\n"
        "def make(n):\n    return nn.Sequential(nn.Linear(Size().d, n), nn.Tanh(), nn.Linear(n, 1))\n"
    )
    monkeypatch.setattr("sys.path", list(sys.path))
    assert "network json(ξ : 3)" in import_file(f"{tmp_path}/json.py:make", ["1,3"], []).text
    assert sys.modules["json"] is json


_MAKE = "from torch import nn\ndef make(n):\n    return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, 1))\n"
# What stands in m.py, the arguments behind `m.py:`, and a piece of what is told; the code of wrong usage is E010.
HOSTILE = {
    "ends in its file": ("import sys\nsys.exit(3)\n", "make --example 1,3", "m.py failed: SystemExit"),
    "ends in its factory": ("def make(n):\n    raise SystemExit(5)\n", "make --example 1,3", "failed at width"),
    "recursion": ("def make(n):\n    return make(n)\n", "make --example 1,3", "RecursionError"),
    "no module": ("def make(n):\n    return 3\n", "make --example 1,3", "and not an nn.Module"),
    "no arguments": ("def make():\n    return 3\n", "make --example 1,3", "TypeError"),
    "no function": ("make = 5\n", "make --example 1,3", "has no function `make`"),
    "no Python": ("syntax error(\n", "make --example 1,3", "SyntaxError"),
    "NUL": ("\0", "make --example 1,3", "m.py failed"),
    "another name": (_MAKE, "nobody --example 1,3", "has no function `nobody`"),
    "no name": (_MAKE, " --example 1,3", "does not name a factory"),
    "another shape": (_MAKE, "make --example 1,4", "failed at width"),
    "a shape of nothing": (_MAKE, "make --example 0", "is not a shape"),
    "a shape beyond memory": (_MAKE, "make --example 1,99999999999999", "99,999,999,999,999 numbers"),
    "too many rows": (_MAKE, "make --example 1000000000,3", "3,000,000,000 numbers"),
    "too many inputs": (_MAKE, f"make{' --example 100000,3' * 2}", "600,000 numbers"),
    "too many tokens": (_MAKE, "make --example int:1000000000", "1,000,000,000 numbers"),
    "a shape beyond all": (_MAKE, "make --example int:9999999999,9999999999,9999999999", "numbers"),
    "two inputs": (_MAKE, "make --example 1,3 --example 1,3", "failed at width"),
    "tokens": (_MAKE, "make --example int:1,3", "otherwise than in an embedding"),
    "a law of nobody": (_MAKE, "make --example 1,3 --init nobody=N(0,1)", "is not a parameter"),
    "no law": (_MAKE, "make --example 1,3 --init 0.weight=N(0", "is not a law"),
    "a law without a name": (_MAKE, "make --example 1,3 --init N(0,1)", "gives no law"),
    "a folder that is not there": (_MAKE, "make --example 1,3 -o no/m.netsor", "there is no folder"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_calls(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from netsor.cli.main import main

    text, arguments, expected = HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "m.py").write_text(text)
    assert main(["import", *f"m.py:{arguments}".split(" ")]) in (1, 2)
    out, err = capsys.readouterr()
    assert not out and expected in " ".join(err.split()) and "E012" not in err and "Traceback" not in err


def test_the_function_stays_a_function() -> None:
    import netsor.importer

    assert callable(netsor.from_torch) and callable(netsor.importer.from_torch)
