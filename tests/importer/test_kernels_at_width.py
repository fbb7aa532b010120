"""NNGP and NTK of imported networks beside those of the modules themselves at two widths, by autograd over draws."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch_modules  # noqa: E402
import unusual_modules  # noqa: E402
from at_the_same_weights import flattened  # noqa: E402
from torch_modules import Of, Stack, draw, example_of, scaled  # noqa: E402

import netsor  # noqa: E402

WIDTHS = (48, 192)
QUICK = {"rezero"}
NAMES = [
    "mlp", "mlp_default", "act_relu", "act_gelu_tanh", "act_softplus", "act_snake", "tied", "shared", "rnn", "tokens",
    "ntk_parametrization", "einsum", "depthwise", "conv_groups", "two_inputs", "batch_norm", "rezero", "prelu",
    "layer_scale", "initializers", "positions", "by_index", "functional", "parameter_list", "block", "multihead",
]  # fmt: skip


def gradient(module: Any, v: Any, trained: set[str]) -> Any:
    """∂f/∂θ for the parameters of the module whose share of the kernel does not vanish like 1/n."""
    # A shared parameter has several names, and an import keeps one of them.
    named = module.named_parameters(remove_duplicate=False)
    parameters = list({id(p): p for name, p in named if name in trained}.values())
    found = torch.autograd.grad(v, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([g.reshape(-1) for g in found if g is not None])


def kernels_of(factory: Any, width: int, xs: list[Any], draws: int, trained: set[str]) -> tuple[Any, Any]:
    """f f' and Σ ∂f/∂θ ∂f'/∂θ of the first output on all pairs of examples, for each draw."""
    nngp, ntk = [], []
    for seed in range(draws):
        torch.manual_seed(1000 * width + seed)
        module = factory(width).double()
        f = [flattened(module(*x))[0] for x in xs]
        g = torch.stack([gradient(module, v, trained) for v in f])
        v = torch.stack(f).detach()
        nngp.append(torch.outer(v, v).numpy())
        ntk.append((g @ g.T).detach().numpy())
    return np.array(nngp), np.array(ntk)


def first_output(kernel: Any) -> Any:
    value = np.asarray(kernel.value)
    return value[..., 0, 0] if value.ndim == 4 else value


def apart(samples: Any, limit: Any) -> float:
    """How many standard errors the mean over draws is from the limit, at most."""
    error = samples.std(0, ddof=1) / np.sqrt(len(samples))
    return float((np.abs(samples.mean(0) - limit) / error).max())


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_kernels(name: str) -> None:
    torch.set_num_threads(1)
    modules = torch_modules if name in torch_modules.EXAMPLES else unusual_modules
    factory, shape = getattr(modules, name), modules.EXAMPLES[name]
    document = netsor.from_torch(factory, example_of(shape))
    xs = [draw(shape, seed) for seed in (3, 4)]
    inputs = [document.inputs(x) for x in xs]
    stacked = {k: np.stack([i[k] for i in inputs]) for k in inputs[0]}
    found = document.ntk(stacked if len(stacked) > 1 else next(iter(stacked.values())), tol=1e-5, budget=60)
    note = next(note for note in document.notes if note.startswith("the NTK is the limit"))
    power = re.search(r"divided by n(?:\^(\d+))?$", note)
    exponent = 0 if power is None else int(power[1] or 1)
    trained = {document.paths[t.name] for t in document.program.train}
    for width in WIDTHS:
        nngp, ntk = kernels_of(factory, width, xs, 60, trained)
        n = next(iter(document.weights(factory(width)).values())).shape[0]
        assert apart(nngp, first_output(found.nngp)) < 4
        # Beside the noise the mean at a width is from the limit by terms like 1/n.
        scale = np.abs(first_output(found.ntk)).max()
        distance = np.abs(ntk.mean(0) / n**exponent - first_output(found.ntk))
        noise = ntk.std(0, ddof=1) / np.sqrt(len(ntk)) / n**exponent
        assert (distance < 4 * noise + 4 * scale / n).all(), (distance / noise, scale / n)


def spread(factory: Any, width: int, x: Any, f: Any, draws: int = 40) -> Any:
    out = []
    for seed in range(draws):
        torch.manual_seed(seed)
        module = factory(width).double()
        out.append(float(f(module, x).detach()))
    return np.std(out)


def test_attention_by_the_root_of_d_stays_random() -> None:
    """The refusal says so: scores qᵀk/√d have a spread that does not shrink, those of qᵀk/d have one of order 1/√d."""
    x = torch.randn(1, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def score(module: Any, x: Any) -> Any:
        attention, h = module.blocks[0].attn, module.blocks[0].ln1(module.emb(x) + module.pos)
        q, k = attention.q(h)[0, 0], attention.k(h)[0, 1]
        return (q @ k).detach() / len(q) ** 0.5

    at = [spread(lambda n: scaled(Stack(n, 1)), width, x, score) for width in (32, 256)]
    assert 0.6 < at[1] / at[0] < 1.6 and at[1] > 0.2


def test_what_is_said_to_vanish_vanishes() -> None:
    """The hidden state of nn.RNN as it is initialized, whose data are refused as vanishing, loses its input."""
    x = torch.ones(1, 3, 2, dtype=torch.float64)

    def seen(module: Any, x: Any) -> Any:
        return (module(x)[0] - module(-x)[0]).pow(2).mean().sqrt().detach()

    sizes = [np.mean([seen(torch.nn.RNN(2, n, batch_first=True).double(), x) for _ in range(10)]) for n in (32, 512)]
    assert sizes[1] < sizes[0] / 2.5  # like 1/√n


def test_a_gate_of_one_unit_stays_random() -> None:
    x = torch.ones(1, 3, dtype=torch.float64)

    def factory(n: int) -> Any:
        return scaled(Of(lambda m, x: torch.sigmoid(m.g(m.u(x))), u=torch.nn.Linear(3, n), g=torch.nn.Linear(n, 1)))

    at = [spread(factory, width, x, lambda m, x: m(x)) for width in (32, 1024)]
    assert 0.6 < at[1] / at[0] < 1.6 and at[1] > 0.05
