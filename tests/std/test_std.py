"""The standard library at a finite width, with the same weights, against numpy and torch; and limits in closed form."""

import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import netsor
from netsor import loads, resources
from netsor.finite.run import run_vectors

N = 16
sigmoid = special.expit


def values(text: str, *names: str) -> dict[str, np.ndarray]:
    """Variables of one draw at width N of a program that includes the library."""
    return run_vectors(loads(f"include std\n{text}").program, N, 3, names)


# --- activations ------------------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "mish(u)": lambda u: u * np.tanh(np.log1p(np.exp(u))),
    "relu6(u)": lambda u: np.minimum(np.maximum(u, 0), 6),
    "hardsigmoid(u)": lambda u: np.clip((u + 3) / 6, 0, 1),
    "hardswish(u)": lambda u: u * np.clip(u + 3, 0, 6) / 6,
    "squared_relu(u)": lambda u: np.where(u > 0, u * u, 0),
    "softsign(u)": lambda u: u / (1 + np.abs(u)),
    "logsigmoid(u)": lambda u: np.log(sigmoid(u)),
    "tanhshrink(u)": lambda u: u - np.tanh(u),
    "softshrink(u; 0.7)": lambda u: np.sign(u) * np.maximum(np.abs(u) - 0.7, 0),
    "celu(u; 1.5)": lambda u: np.maximum(u, 0) + np.minimum(0, 1.5 * np.expm1(u / 1.5)),
    "quick_gelu(u)": lambda u: u * sigmoid(1.702 * u),
    "gelu_tanh(u)": lambda u: 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3))),
    "swish(u; 1.3)": lambda u: u * sigmoid(1.3 * u),
    "glu(u, w)": lambda u, w: u * sigmoid(w),
    "geglu(u, w)": lambda u, w: u * w * special.ndtr(w),
    "swiglu(u, w)": lambda u, w: u * w * sigmoid(w),
}


@functools.lru_cache
def activations() -> dict[str, np.ndarray]:
    lines = "".join(f"y{k} := {call}\noutput mean(y{k})\n" for k, call in enumerate(ACTIVATIONS))
    names = [f"y{k}" for k in range(len(ACTIVATIONS))]
    return values("vector u, w ~ N([0, 1], [[9, 1], [1, 4]])\n" + lines, "u", "w", *names)


@pytest.mark.parametrize("call", ACTIVATIONS)
def test_activations(call: str) -> None:
    found = activations()
    args = [found[a] for a in re.findall(r"\b[uw]\b", call.partition(";")[0].partition("(")[2])]
    got = found[f"y{list(ACTIVATIONS).index(call)}"]
    np.testing.assert_allclose(got, ACTIVATIONS[call](*args), rtol=1e-13, atol=1e-14)


TORCH_ACTIVATIONS = {
    "mish(u)": ("mish", {}), "relu6(u)": ("relu6", {}), "hardsigmoid(u)": ("hardsigmoid", {}),
    "hardswish(u)": ("hardswish", {}), "softsign(u)": ("softsign", {}), "logsigmoid(u)": ("logsigmoid", {}),
    "tanhshrink(u)": ("tanhshrink", {}), "softshrink(u; 0.7)": ("softshrink", {"lambd": 0.7}),
    "celu(u; 1.5)": ("celu", {"alpha": 1.5}), "gelu_tanh(u)": ("gelu", {"approximate": "tanh"}),
}  # fmt: skip


@pytest.mark.parametrize("call", TORCH_ACTIVATIONS)
def test_activations_are_those_of_torch(call: str) -> None:
    torch = pytest.importorskip("torch")
    name, options = TORCH_ACTIVATIONS[call]
    found = activations()
    theirs = getattr(torch.nn.functional, name)(torch.tensor(found["u"]), **options).numpy()
    np.testing.assert_allclose(found[f"y{list(ACTIVATIONS).index(call)}"], theirs, rtol=1e-12, atol=1e-14)


# --- layers -----------------------------------------------------------------------------------------------------------


def norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


LAYERS = {
    "dense(x[1], W[1], b[1])": lambda v: v["W[1]"] @ v["x[1]"] + v["b[1]"],
    "residual(x[1], W[1], W[2], tanh)": lambda v: v["x[1]"] + v["W[2]"] @ np.tanh(v["W[1]"] @ v["x[1]"]),
    "residual(x[1], W[1], W[2], softsign)": lambda v: (
        v["x[1]"] + v["W[2]"] @ ((h := v["W[1]"] @ v["x[1]"]) / (1 + abs(h)))
    ),
    "layernorm(x[1])": lambda v: norm(v["x[1]"]),
    "rmsnorm(x[1])": lambda v: v["x[1]"] / np.sqrt(np.mean(v["x[1]"] ** 2) + 1e-5),
    "batchnorm(x; 2, 4)": lambda v: (v["x[2]"] - stack(v).mean(0)) / np.sqrt(stack(v).var(0) + 1e-5),
    "softmax(x; 3, 4)": lambda v: special.softmax(stack(v), axis=0)[2],
    "attention(x, k, x; 2, 4)": lambda v: attend(v, 2, 4),
    "attention(x, k, x; 3, 3)": lambda v: attend(v, 3, 3),
    "rnn_cell(x[1], x[2], W[1], W[2], b[1])": lambda v: np.tanh(
        v["W[1]"] @ v["x[1]"] + v["W[2]"] @ v["x[2]"] + v["b[1]"]
    ),
    "gru_cell(x[1], x[2], W, V, b)": lambda v: gru(v),
    "lstm_memory(x[1], x[2], x[3], W, V, b)": lambda v: lstm(v)[1],
    "lstm_state(x[1], x[2], lstm_memory(x[1], x[2], x[3], W, V, b), W, V, b)": lambda v: lstm(v)[0],
    "conv1d(x, K; 1, 4, 1)": lambda v: v["K[0]"] @ v["x[1]"] + v["K[1]"] @ v["x[2]"],
    "conv1d(x, K; 2, 4, 1)": lambda v: sum(v[f"K[{j}]"] @ v[f"x[{2 + j}]"] for j in (-1, 0, 1)),
    "conv1d(y[1], K; 2, 2, 1)": lambda v: v["K[-1]"] @ v["y[1,1]"] + v["K[0]"] @ v["y[1,2]"],
    "conv1d_circular(x, K; 4, 4, 1)": lambda v: v["K[-1]"] @ v["x[3]"] + v["K[0]"] @ v["x[4]"] + v["K[1]"] @ v["x[1]"],
    "causal_conv1d(x, K; 4, 1, 2)": lambda v: v["K[0]"] @ v["x[4]"] + v["K[1]"] @ v["x[2]"],
    "causal_conv1d(x, K; 2, 1, 2)": lambda v: v["K[0]"] @ v["x[2]"],
    "conv2d(y, F; 2, 1, 2, 2, 1)": lambda v: sum(
        v[f"F[{i},{j}]"] @ v[f"y[{2 + i},{1 + j}]"] for i in (-1, 0) for j in (0, 1)
    ),
    "global_average_pool(x; 4)": lambda v: stack(v).mean(0),
    "global_average_pool2d(y; 2, 2)": lambda v: np.mean([v[f"y[{p},{q}]"] for p in (1, 2) for q in (1, 2)], axis=0),
    "average_pool(x; 2, 2)": lambda v: (v["x[3]"] + v["x[4]"]) / 2,
    "max_pool(x; 2, 2)": lambda v: np.maximum(v["x[3]"], v["x[4]"]),
    "max_pool(x; 1, 4)": lambda v: stack(v).max(0),
    "neighbours(x, A; 1, 4)": lambda v: v["x[2]"] + v["x[4]"],
    "degree(A; 4, 4) * x[1]": lambda v: 3 * v["x[1]"],
    "graph_convolution(x, A; 2, 4)": lambda v: (graph_operator() @ stack(v))[1],
}
DECLARED = """data A : (4, 4) = [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]]
matrix W[1..4], V[1..4], K[-1..1], F[-1..1, -1..1]
vector x[1..4], b[1..4], k[1..4] ~ N(0.2, 1)
vector y[1..2, 1..2] ~ N(0, 1)
"""
NAMES = [f"{s}[{i}]" for s in "WVxbk" for i in range(1, 5)] + [f"K[{j}]" for j in (-1, 0, 1)]
NAMES += [f"F[{i},{j}]" for i in (-1, 0, 1) for j in (-1, 0, 1)] + [f"y[{p},{q}]" for p in (1, 2) for q in (1, 2)]


def stack(v: dict) -> np.ndarray:
    return np.stack([v[f"x[{i}]"] for i in range(1, 5)])


def attend(v: dict, t: int, upto: int) -> np.ndarray:
    scores = np.array([v[f"x[{t}]"] @ v[f"k[{u}]"] / N for u in range(1, upto + 1)])
    return special.softmax(scores) @ stack(v)[:upto]


def gru(v: dict) -> np.ndarray:
    x, h = v["x[1]"], v["x[2]"]
    r = sigmoid(v["W[1]"] @ x + v["V[1]"] @ h + v["b[1]"])
    z = sigmoid(v["W[2]"] @ x + v["V[2]"] @ h + v["b[2]"])
    c = np.tanh(v["W[3]"] @ x + v["b[3]"] + r * (v["V[3]"] @ h + v["b[4]"]))
    return c + z * (h - c)


def lstm(v: dict) -> tuple[np.ndarray, np.ndarray]:
    i, f, g, o = (v[f"W[{k}]"] @ v["x[1]"] + v[f"V[{k}]"] @ v["x[2]"] + v[f"b[{k}]"] for k in range(1, 5))
    c = sigmoid(f) * v["x[3]"] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def graph_operator() -> np.ndarray:
    a = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 1, 0]]) + np.eye(4)
    d = a.sum(1)
    return a / np.sqrt(np.outer(d, d))


@functools.lru_cache
def layers() -> dict[str, np.ndarray]:
    lines = "".join(f"made{k} := {call}\noutput mean(made{k}^2)\n" for k, call in enumerate(LAYERS))
    return values(DECLARED + lines, *NAMES, *(f"made{k}" for k in range(len(LAYERS))))


@pytest.mark.parametrize("call", LAYERS)
def test_layers(call: str) -> None:
    found = layers()
    got = found[f"made{list(LAYERS).index(call)}"]
    np.testing.assert_allclose(got, LAYERS[call](found), rtol=1e-11, atol=1e-12)


def made(call: str) -> np.ndarray:
    return layers()[f"made{list(LAYERS).index(call)}"]


def test_layers_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    v = {k: torch.tensor(np.asarray(a)) for k, a in layers().items()}
    functional = torch.nn.functional
    x = torch.stack([v[f"x[{i}]"] for i in range(1, 5)])
    close = functools.partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-12)
    close(made("layernorm(x[1])"), functional.layer_norm(x[0], (N,)).numpy())
    close(made("rmsnorm(x[1])"), functional.rms_norm(x[0], (N,), eps=1e-5).numpy())
    close(made("batchnorm(x; 2, 4)"), functional.batch_norm(x, None, None, training=True)[1].numpy())
    keys = torch.stack([v[f"k[{i}]"] for i in range(1, 5)])
    # torch divides by √d, the language by d.
    read = functional.scaled_dot_product_attention(x[None], keys[None], x[None], scale=1 / N)[0]
    close(made("attention(x, k, x; 2, 4)"), read[1].numpy())
    read = functional.scaled_dot_product_attention(x[None], keys[None], x[None], scale=1 / N, is_causal=True)[0]
    close(made("attention(x, k, x; 3, 3)"), read[2].numpy())
    image = torch.stack([v[f"y[{p},{q}]"] for p in (1, 2) for q in (1, 2)]).T.reshape(1, N, 2, 2)
    rows = [torch.stack([v[f"F[{i},{j}]"] for j in (-1, 0, 1)], -1) for i in (-1, 0, 1)]
    filtered = functional.conv2d(image, torch.stack(rows, -2), padding=1)
    close(made("conv2d(y, F; 2, 1, 2, 2, 1)"), filtered[0, :, 1, 0].numpy())
    filters = torch.stack([v[f"K[{j}]"] for j in (-1, 0, 1)], -1)
    close(made("conv1d(x, K; 2, 4, 1)"), functional.conv1d(x.T[None], filters, padding=1)[0, :, 1].numpy())
    # torch's filters run backwards in time, and its zeros stand on both sides.
    dilated = functional.conv1d(x.T[None], filters[..., [2, 1]], padding=2, dilation=2)[0, :, :4]
    close(made("causal_conv1d(x, K; 4, 1, 2)"), dilated[:, 3].numpy())
    close(made("causal_conv1d(x, K; 2, 1, 2)"), dilated[:, 1].numpy())
    close(made("max_pool(x; 2, 2)"), functional.max_pool1d(x.T[None], 2)[0, :, 1].numpy())
    close(made("average_pool(x; 2, 2)"), functional.avg_pool1d(x.T[None], 2)[0, :, 1].numpy())


def test_cells_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    v = {k: torch.tensor(np.asarray(a)) for k, a in layers().items()}
    zero = torch.zeros(N, dtype=torch.float64)

    def cell(kind: str, gates: int, inner: list, outer: list):  # noqa: ANN202
        made = getattr(torch.nn, kind)(N, N, dtype=torch.float64)
        made.load_state_dict({
            "weight_ih": torch.cat([v[f"W[{k}]"] for k in range(1, gates + 1)]),
            "weight_hh": torch.cat([v[f"V[{k}]"] for k in range(1, gates + 1)]),
            "bias_ih": torch.cat(outer), "bias_hh": torch.cat(inner),
        })  # fmt: skip
        return made

    b = [v[f"b[{k}]"] for k in range(1, 5)]
    close = functools.partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-12)
    with torch.no_grad():
        gru_cell = cell("GRUCell", 3, [zero, zero, b[3]], b[:3])
        close(made("gru_cell(x[1], x[2], W, V, b)"), gru_cell(v["x[1]"], v["x[2]"]).numpy())
        lstm_cell = cell("LSTMCell", 4, [zero] * 4, b)
        h, c = lstm_cell(v["x[1]"], (v["x[2]"], v["x[3]"]))
    close(made("lstm_memory(x[1], x[2], x[3], W, V, b)"), c.numpy())
    close(made("lstm_state(x[1], x[2], lstm_memory(x[1], x[2], x[3], W, V, b), W, V, b)"), h.numpy())


# --- limits -----------------------------------------------------------------------------------------------------------

LIMITS = {
    # E relu(Z)² = 1/2, so the scale is √(1/2 + ε).
    "vector x ~ N(0, 1)\noutput m := mean(rmsnorm(relu(x))^2)": 0.5 / (0.5 + 1e-5),
    "vector x ~ N(3, 4)\ny := layernorm(x)\noutput m := mean(y^2)": 4 / (4 + 1e-5),
    # Keys and queries are independent: scores vanish, and the attention is uniform.
    "vector x[1..3] ~ N(0, 1)\nmatrix Q, K\nfor t in 1..3:\n    q[t] := Q x[t]\n    k[t] := K x[t]\n"
    "a := attention(q, k, x; 1, 3)\noutput m := mean(a * x[2])": 1 / 3,
    # Shared keys and queries: the score of a token with itself is 1, of others 0.
    "vector x[1..2] ~ N(0, 1)\nmatrix K\nfor t in 1..2:\n    k[t] := K x[t]\n"
    "a := attention(k, k, x; 1, 2)\noutput m := mean(a * x[1])": math.e / (math.e + 1),
    # The larger of two standard normal variables.
    "vector x[1..2] ~ N(0, 1)\noutput m := mean(max_pool(x; 1, 2))": 1 / math.sqrt(math.pi),
    "vector x[1..4] ~ N(0, 1)\nmatrix K[-1..1] ~ N(0, 1/3/n)\noutput m := mean(conv1d(x, K; 1, 4, 1)^2)": 2 / 3,
    "vector x[1..4] ~ N(0, 1)\nmatrix K[-1..1] ~ N(0, 1/3/n)\noutput m := mean(conv1d_circular(x, K; 1, 4, 1)^2)": 1,
    "vector x[1..5] ~ N(0, 1)\nmatrix K[0..2] ~ N(0, 1/3/n)\noutput m := mean(causal_conv1d(x, K; 4, 2, 2)^2)": 2 / 3,
    "vector x[1..4] ~ N(0, 1)\noutput m := mean(global_average_pool(x; 4)^2)": 1 / 4,
    # x/d + neighbours/√(d d'): degrees 3 and 2, 2 of nodes 2 and 4.
    "data A : (3, 3) = [[0, 1, 1], [1, 0, 0], [1, 0, 0]]\nvector x[1..3] ~ N(0, 1)\n"
    "output m := mean(graph_convolution(x, A; 1, 3)^2)": 1 / 9 + 1 / 6 + 1 / 6,
    "vector x ~ N(0, 1)\nmatrix V ~ N(0, 1/n)\nmatrix W ~ N(0, 3/n)\noutput m := mean(residual(x, V, W, erf)^2)": (
        1 + 3 * 2 / math.pi * math.asin(2 / 3)
    ),
}


@pytest.mark.parametrize("text", LIMITS)
def test_limits(text: str) -> None:
    found = loads(f"include std\n{text}\n").limit()["m"]
    assert found.value == pytest.approx(LIMITS[text], abs=1e-12 + 2 * (found.error or 0))


# --- the library as a file --------------------------------------------------------------------------------------------

LIBRARY = resources.standard_library()
DEFINED = re.findall(r"^(?:def )?(\w+)\(", LIBRARY.read_text(encoding="utf-8"), flags=re.M)


def test_every_definition_is_tested_and_documented() -> None:
    called = " ".join((*ACTIVATIONS, *LAYERS))
    page = (Path(netsor.__file__).parent.parent / "docs" / "std.md").read_text(encoding="utf-8")
    assert [name for name in DEFINED if f"{name}(" not in called] == []
    assert [name for name in DEFINED if f"`{name}(" not in page] == []


def test_the_library_is_in_canonical_form_and_has_no_faults() -> None:
    from netsor.syntax.format import format_source

    text = LIBRARY.read_text(encoding="utf-8")
    assert format_source(text) == text
    assert [d.code for d in loads(text).check().diagnostics if d.is_error] == []
