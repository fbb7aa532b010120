"""Modules that make matrices of activations and weights, each `name(n)` with its example in EXAMPLES."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from examples import Examples
from torch import nn
from torch_modules import Of, scaled

EXAMPLES = example = Examples()


def with_heads(n: int, forward: Any, names: str = "qkv") -> nn.Module:
    parts = {name: nn.Linear(n, n) for name in names}
    return scaled(Of(forward, u=nn.Linear(3, n), o=nn.Linear(n, 1), **parts))


@example(1, 4, 3)
def linear_attention(n: int) -> nn.Module:
    """φ(q) Σ φ(k) vᵀ, divided by φ(q) Σ φ(k) (Katharopoulos et al. 2020)."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        q, k, v = F.elu(m.q(h)) + 1, F.elu(m.k(h)) + 1, m.v(h)
        memory = torch.einsum("btd,bte->bde", k, v) / n
        scale = torch.einsum("btd,bd->bt", q, k.sum(1)) / n
        return m.o((torch.einsum("btd,bde->bte", q, memory) / scale[..., None]).mean(1))

    return with_heads(n, forward)


@example(1, 3, 3)
def delta_rule(n: int) -> nn.Module:
    """Fast weights that are corrected towards v (Schlag et al. 2021)."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        weights, out = torch.zeros(len(x), n, n, dtype=x.dtype), []
        for t in range(x.shape[1]):
            k = torch.tanh(m.k(h[:, t]))
            error = m.v(h[:, t]) - torch.einsum("bij,bj->bi", weights, k) / n
            weights = weights + torch.einsum("bi,bj->bij", error, k)
            out.append(torch.einsum("bij,bj->bi", weights, m.q(h[:, t])) / n)
        return m.o(torch.stack(out, 1).mean(1) + h.mean(1))

    return with_heads(n, forward)


@example(1, 3, 3)
def gated_memory(n: int) -> nn.Module:
    """Linear attention that forgets row by row and, by a number, column by column (Yang et al. 2023)."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h, memory, out = m.u(x), 0, []
        for t in range(x.shape[1]):
            k, v, gate = torch.tanh(m.k(h[:, t])), m.v(h[:, t]), torch.sigmoid(m.g(h[:, t]))
            fade = 1 / (1 + (k * k).mean(-1))
            memory = gate[:, :, None] * memory * fade[:, None, None] + k[:, :, None] * v[:, None, :] / (
                1 + gate[:, None, :]
            )
            out.append((m.q(h[:, t])[:, None, :] @ memory / n).squeeze(1))
        return m.o(torch.stack(out, 1).mean(1))

    return with_heads(n, forward, "qkvg")


@example(1, 3)
def second_order_pooling(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(m.u(x))
        covariance = h[:, :, None] * h[:, None, :] / n
        return m.o((covariance @ m.q(h)[:, :, None])[:, :, 0] + (covariance.transpose(1, 2) * 2).mean(2))

    return with_heads(n, forward, "q")


@example(1, 3)
def merged_weights(n: int) -> nn.Module:
    """W + B A as one matrix, a symmetric matrix, and a product of matrices that is taken first."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(m.u(x))
        h = torch.tanh(F.linear(h, m.w.weight + m.b.weight @ m.a.weight / 2))
        return m.o(torch.tanh(h @ ((m.s.weight + m.s.weight.T) / 2)) + h @ (m.a.weight.T @ m.s.weight.T))

    return with_heads(n, forward, "wabs")


@example(1, 3)
def standardized_weights(n: int) -> nn.Module:
    """Rows of W less their mean, columns scaled by a style (Qiao et al. 2019, Karras et al. 2020)."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(m.u(x))
        h = torch.tanh(F.linear(h, m.w.weight - m.w.weight.mean(1, keepdim=True)))
        styled = m.w.weight[None] * (1 + torch.tanh(m.s(h)))[:, None, :]
        return m.o(F.softshrink((styled @ h[:, :, None]).squeeze(-1), 0.1))

    return with_heads(n, forward, "ws")


@example(1, 3)
def maxout(n: int) -> nn.Module:
    """The largest of blocks (Goodfellow et al. 2013), and of neighbouring units."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.a(x).view(-1, 3, n).amax(1)
        return m.o(m.b(h).view(-1, n, 2).amax(-1))

    return scaled(Of(forward, a=nn.Linear(3, 3 * n), b=nn.Linear(n, 2 * n), o=nn.Linear(n, 1)))


@example(1, 3, 3)
def rotary_neighbours(n: int) -> nn.Module:
    """Rotary positions over neighbouring pairs of two heads (Su et al. 2021)."""

    def rotated(x: torch.Tensor) -> torch.Tensor:
        angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * 0.5
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1).flatten(-2)

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        q, k, v = (f(h).view(len(x), -1, 2, 2 * n).transpose(1, 2) for f in (m.q, m.k, m.v))
        y = torch.softmax(rotated(q) @ rotated(k).transpose(-1, -2) / (4 * n), -1) @ v
        return m.o(y.transpose(1, 2).flatten(2).mean(1) + h.mean(1))

    parts = {name: nn.Linear(4 * n, 4 * n) for name in "qkv"}
    return scaled(Of(forward, u=nn.Linear(3, 4 * n), o=nn.Linear(4 * n, 1), **parts))
