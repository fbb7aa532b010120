"""Modules as they are written today: rotary positions, experts, low-rank factors, masks in every spelling."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from examples import Examples
from torch import nn
from torch_modules import scaled

EXAMPLES = example = Examples()


class Attention(nn.Module):
    """Heads of queries, keys and values about `score`, which makes the weights of a head from them."""

    def __init__(self, n: int, heads: int, score: Any) -> None:
        super().__init__()
        self.heads, self.score = heads, score
        self.emb, self.head = nn.Linear(3, heads * n), nn.Linear(heads * n, 1)
        self.q, self.k, self.v = (nn.Linear(heads * n, heads * n, bias=False) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.emb(x)
        b, t, d = h.shape
        q, k, v = (f(h).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        return self.head(self.score(q, k, v).transpose(1, 2).reshape(b, t, d).mean(1))


def rotated(x: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * 0.5
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


@example(1, 3, 3)
def rotary_positions(n: int) -> nn.Module:
    def score(q: Any, k: Any, v: Any) -> Any:
        return torch.softmax(rotated(q) @ rotated(k).transpose(-1, -2) / q.shape[-1], -1) @ v

    return scaled(Attention(n, 2, score))


@example(1, 3, 3)
def mask_of_booleans(n: int) -> nn.Module:
    def score(q: Any, k: Any, v: Any) -> Any:
        keep = torch.tril(torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keep, scale=1 / q.shape[-1])

    return scaled(Attention(n, 1, score))


@example(1, 3, 3)
def mask_of_numbers(n: int) -> nn.Module:
    def score(q: Any, k: Any, v: Any) -> Any:
        keep = torch.tril(torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool))
        mask = torch.zeros(keep.shape).masked_fill(~keep, float("-inf"))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1 / q.shape[-1])

    return scaled(Attention(n, 1, score))


@example(1, 3, 3)
def mask_by_name(n: int) -> nn.Module:
    def score(q: Any, k: Any, v: Any) -> Any:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / q.shape[-1])

    return scaled(Attention(n, 1, score))


@example(1, 3, 3)
def constants_in_the_forward_pass(n: int) -> nn.Module:
    """Tokens mixed by a table of numbers that is made, without a type, where it is used."""

    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.norm = nn.Linear(3, n), nn.LayerNorm(n)
            self.up, self.down, self.head = nn.Linear(n, 2 * n), nn.Linear(2 * n, n), nn.Linear(n, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.emb(x)
            mix = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
            x = x + F.gelu(torch.einsum("ij,bjd->bid", mix, self.norm(x)))
            return self.head((x + self.down(F.gelu(self.up(self.norm(x))))).mean(1))

    return scaled(Mixer())


@example(1, 3)
def experts(n: int) -> nn.Module:
    """A mixture of experts, whose gates start at zero as n → ∞."""

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.head = nn.Linear(3, n), nn.Linear(n, 1)
            self.experts = nn.ModuleList(nn.Linear(n, n) for _ in range(3))
            self.gate = nn.Parameter(torch.randn(3, n) / n)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(self.emb(x))
            gates = torch.softmax(x @ self.gate.T, -1)
            return self.head(sum(gates[:, i : i + 1] * F.relu(e(x)) for i, e in enumerate(self.experts)))

    return scaled(Experts())


@example(1, 3)
def low_rank_factors(n: int) -> nn.Module:
    class LowRank(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.w, self.head = nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 1)
            self.down, self.up = nn.Parameter(torch.randn(2, n) / n), nn.Parameter(torch.randn(n, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.relu(self.emb(x))
            return self.head(F.relu(self.w(x) + x @ self.down.T @ self.up.T))

    return scaled(LowRank())


@example(1, 2, 3)
def gated_by_silu(n: int) -> nn.Module:
    """The feed-forward block of Llama, with RMSNorm; two outputs of the last token."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.head = nn.Linear(3, n), nn.Linear(n, 2)
            self.before, self.after = nn.RMSNorm(n), nn.RMSNorm(n)
            self.gate, self.up = (nn.Linear(n, 2 * n, bias=False) for _ in range(2))
            self.down = nn.Linear(2 * n, n, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.emb(x)
            y = self.before(x)
            x = x + self.down(F.silu(self.gate(y)) * self.up(y))
            return self.head(self.after(x)[:, -1])

    return scaled(Gated())


@example(1, 1, 4)
def up_and_down(n: int) -> nn.Module:
    """A U-net of one level."""

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv1d(1, n, 3, padding=1), nn.Conv1d(n, n, 3, padding=1, stride=2)
            self.up = nn.ConvTranspose1d(n, n, 2, stride=2)
            self.c, self.head = nn.Conv1d(2 * n, n, 3, padding=1), nn.Conv1d(n, 1, 1)
            nn.init.normal_(self.up.weight, std=n**-0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = F.relu(self.a(x))
            b = F.relu(self.b(a))
            return self.head(F.relu(self.c(torch.cat([a, self.up(b)], 1))))[:, 0]

    return scaled(UNet())
