"""The module run by torch and the imported network run by netsor, with the same weights at the same width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import at_the_same_weights as same  # noqa: E402
import torch_modules as modules  # noqa: E402

import netsor  # noqa: E402
from netsor.diagnostics import Source  # noqa: E402

WIDTH = 24
# An import takes seconds, most of them torch.export's.
QUICK = {"mlp_default", "tied", "einsum"}
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(modules.EXAMPLES)]
# torch computes 1/6 in single precision in the derivative of hardsigmoid.
ROUNDED = {"act_hardsigmoid": 1e-8}


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients(name: str) -> None:
    torch.set_num_threads(1)
    document = netsor.from_torch(getattr(modules, name), modules.example_of(name))
    assert [d for d in document.check().diagnostics if d.is_error] == []
    assert netsor.format_source(Source("x", document.text)) == document.text
    torch.manual_seed(11)
    module = same.moved(document, getattr(modules, name)(WIDTH).double())
    x = modules.draw(name)
    found, expected = same.outputs(document, module, x)
    assert np.allclose(found, expected, rtol=0, atol=1e-10)
    for parameter, (ours, theirs) in same.gradients(document, module, x).items():
        assert np.allclose(ours, theirs, rtol=1e-10, atol=ROUNDED.get(name, 1e-10)), parameter
        assert np.abs(theirs).max() > 0, parameter


def test_biases_of_outputs_have_their_share() -> None:
    """f = vᵀ tanh(U ξ)/√n + c with c ~ N(0, 1/4): in the NTK parametrization the shares of c are 1/4 and 1."""

    class Biased(torch.nn.Module):
        def __init__(self, n: int, biased: bool):
            super().__init__()
            self.u = torch.nn.Parameter(torch.randn(n, 3))
            self.v = torch.nn.Parameter(torch.randn(2, n))
            self.c = torch.nn.Parameter(torch.randn(2) / 2) if biased else None
            self.n = n

        def forward(self, x: Any) -> Any:
            f = torch.tanh(x @ self.u.T) @ self.v.T / self.n**0.5
            return f if self.c is None else f + 3 * self.c

    x = [[0.2, -1.0, 0.5], [1.0, 0.3, 0.0]]
    without, biased = (netsor.from_torch(lambda n, b=b: Biased(n, b), (1, 3)) for b in (False, True))
    assert "scalar c[1..2] ~ N(0, 0.25)" in biased.text and "+ 3 * c[i]" in biased.text
    own = np.eye(2)
    assert np.allclose(biased.nngp(x).value, without.nngp(x).value + 9 / 4 * own, atol=1e-12)
    assert np.allclose(biased.ntk(x).ntk.value, without.ntk(x).ntk.value + 9 * own, atol=1e-12)
