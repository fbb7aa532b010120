"""The module run by torch and the imported network run by netsor, with the same weights at the same width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import torch_modules as modules  # noqa: E402

import netsor  # noqa: E402
from netsor.diagnostics import Source  # noqa: E402
from netsor.finite import run  # noqa: E402

WIDTH = 24


def imported(name: str) -> Any:
    return netsor.from_torch(getattr(modules, name), _example(name))


def _example(name: str) -> Any:
    shape = modules.EXAMPLES[name]
    return shape[0] if isinstance(shape[0], torch.Tensor) else list(shape) if isinstance(shape[0], tuple) else shape


def draw(name: str) -> list[Any]:
    example = _example(name)
    shapes = example if isinstance(example, list) else [example]
    generator = torch.Generator().manual_seed(7)
    return [
        torch.randint(0, 4, s.shape, generator=generator)
        if isinstance(s, torch.Tensor)
        else torch.randn(s, dtype=torch.float64, generator=generator)
        for s in shapes
    ]


# An import takes seconds, most of them torch.export's.
QUICK = {"mlp", "tied", "einsum"}
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(modules.EXAMPLES)]


@pytest.mark.parametrize("name", NAMES)
def test_outputs(name: str) -> None:
    torch.set_num_threads(1)
    document = imported(name)
    assert [d for d in document.check().diagnostics if d.is_error] == []
    assert netsor.format_source(Source("x", document.text)) == document.text
    torch.manual_seed(11)
    module = getattr(modules, name)(WIDTH).double()
    for path, p in module.named_parameters():
        if path.split(".")[-1] == "bias" and p.numel() < WIDTH:  # biases of outputs are left out
            torch.nn.init.zeros_(p)
    x = draw(name)
    expected = module(*x).detach().numpy().reshape(-1)
    weights = document.weights(module)
    n = next(w.shape[0] for w in weights.values())
    program = document.program
    result = run(program, n, given=weights, inputs=document.inputs(x))
    values = np.array([result.values[o.name][0] for o in program.readouts])
    assert np.allclose(values, expected, rtol=0, atol=1e-10)
