"""The module run by torch and the imported network run by netsor, with the same weights at the same width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import at_the_same_weights as same  # noqa: E402
import current_modules  # noqa: E402
import operator_modules  # noqa: E402
import torch_modules  # noqa: E402
import unusual_modules  # noqa: E402

import netsor  # noqa: E402

# An import takes seconds, most of them torch.export's.
QUICK = {
    "mlp_default", "tied", "einsum", "rezero", "parameter_list", "two_inputs_two_outputs", "rotary_positions",
    "laws_of_columns", "scaled_weights", "patches", "linear_attention",
}  # fmt: skip
CASES = [
    (m, n) for m in (torch_modules, unusual_modules, current_modules, operator_modules) for n in sorted(m.EXAMPLES)
]
# torch computes 1/6 in single precision in the derivative of hardsigmoid.
ROUNDED = {"act_hardsigmoid": 1e-8, "several_activations": 1e-8}


@pytest.mark.parametrize(
    ("module", "name"), [pytest.param(m, n, id=n, marks=[pytest.mark.slow] * (n not in QUICK)) for m, n in CASES]
)
def test_outputs_and_gradients(module: Any, name: str) -> None:
    same.verify(getattr(module, name), module.EXAMPLES[name], gradients_to=ROUNDED.get(name, 1e-10))


def test_biases_of_outputs_have_their_share() -> None:
    """f = vᵀ tanh(U ξ)/√n + 3 c with c ~ N(0, 1/4): in the NTK parametrization the shares of 3 c are 9/4 and 9."""

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


def test_numbers_that_stay_where_they_start_are_told() -> None:
    document = netsor.from_torch(unusual_modules.rezero, (1, 3))
    assert any("numbers that stay where they start" in note and "alpha, beta" in note for note in document.notes)


def test_what_moves_through_a_mean_is_left_out_of_the_kernel() -> None:
    """The gates' share has the order of the others', and no vector of the language is trained so fast."""
    found = netsor.from_torch(current_modules.experts, (torch.zeros(1, 3),))
    assert "divided by n\n" in found.text and "not trained here, though their share" in found.text
    assert "train e" in found.text.replace("experts", "e") and "train gate" not in found.text


def test_numbers_that_enter_together_are_one_row() -> None:
    """Patches of an image: 49 rows of 768 numbers, in one term each, and a note on their order."""

    def make(n: int) -> Any:
        conv, head = torch.nn.Conv2d(3, n, 16, 16), torch.nn.Linear(n, 1)
        torch.nn.init.normal_(head.weight, std=n**-0.5)
        return torch.nn.Sequential(conv, torch.nn.Tanh(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), head)

    found = netsor.from_torch(make, (1, 3, 112, 112))
    assert "ξ[1..49] : 768" in found.text and "tanh(W0 ξ[r] +" in found.text
    assert any("ξ[1] holds the numbers 1, 2, 3, 4, …" in note for note in found.notes)
    image = np.arange(3 * 112 * 112.0).reshape(1, 3, 112, 112)
    assert (found.inputs(image)["ξ"][8] == image[0, :, 16:32, 16:32].reshape(-1)).all()


def test_the_last_block_is_in_the_loop() -> None:
    """Its line is used once, in a mean over tokens, and is written as those of the blocks before it."""

    def make(n: int) -> Any:
        return torch_modules.scaled(
            torch_modules.Of(
                forward, u=torch.nn.Linear(2, n), o=torch.nn.Linear(n, 1),
                w=torch.nn.ModuleList(torch.nn.Linear(n, n) for _ in range(4)),
            )
        )  # fmt: skip

    def forward(m: Any, x: Any) -> Any:
        h = m.u(x)
        for w in m.w:
            h = h + w(torch.tanh(h))
        return m.o(h.mean(1))

    text = netsor.from_torch(make, (1, 3, 2)).text
    assert "for l in 1..4:" in text and text.count("tanh") == 1
    assert "x[l, i] := x[l-1, i] + w[l] tanh(x[l-1, i]) + bias[l]" in text
