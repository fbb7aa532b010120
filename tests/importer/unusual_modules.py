"""Modules that are written otherwise than those of `torch_modules`, each `name(n)` with its example in EXAMPLES."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from examples import Examples
from torch import nn
from torch_modules import Of, scaled

EXAMPLES = example = Examples()


def layers(n: int, **parts: Any) -> dict[str, Any]:
    return {"u": nn.Linear(3, n), "o": nn.Linear(n, 1), **parts}


@example(1, 3)
def gated_mlp(n: int) -> nn.Module:
    """A gate by relu with a residual."""
    parts = layers(n, a=nn.Linear(n, 2 * n), b=nn.Linear(n, 2 * n), c=nn.Linear(2 * n, n))
    return scaled(Of(lambda m, x: m.o(m.u(x) + m.c(F.relu(m.a(m.u(x))) * m.b(m.u(x)))), **parts))


@example(1, 3, 4)
def attention_by_einsum(n: int) -> nn.Module:
    """Heads as an axis of the weights, scores by einsum, a causal mask added, 1/d."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Linear(4, n)
            self.qkv = nn.Parameter(torch.randn(3, 2, n, n) / n**0.5)
            self.out = nn.Parameter(torch.randn(2, n, n) / (2 * n) ** 0.5)
            self.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
            self.head = nn.Linear(n, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.emb(x)
            q, k, v = torch.einsum("btd,chde->cbhte", h, self.qkv)
            scores = torch.einsum("bhte,bhse->bhts", q, k) / q.shape[-1] + self.mask
            y = torch.einsum("bhts,bhse,hed->btd", scores.softmax(-1), v, self.out)
            return self.head(h + y)[:, -1]

    return scaled(Attention())


@example(1, 3, 4)
def encoder_layer(n: int) -> nn.Module:
    """nn.TransformerEncoderLayer, whose queries and keys are smaller by n^(1/4), so that scores are divided by d."""
    layer = nn.TransformerEncoderLayer(2 * n, 2, 4 * n, dropout=0.0, batch_first=True, norm_first=True)
    parts = {"emb": nn.Linear(4, 2 * n), "layer": layer, "head": nn.Linear(2 * n, 1)}
    module = scaled(Of(lambda m, x: m.head(m.layer(m.emb(x)).mean(1)), **parts))
    nn.init.normal_(layer.self_attn.in_proj_weight, std=n**-0.75)
    return module


@example(1, 4, 2, 2)
def squeeze_excitation(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.conv(x)
        gate = torch.sigmoid(m.up(F.relu(m.down(h.mean((2, 3))))))
        return m.o((h * gate[:, :, None, None]).amax((-1, -2)))

    parts = {"conv": nn.Conv2d(4, 2 * n, 1), "down": nn.Linear(2 * n, n), "up": nn.Linear(n, 2 * n)}
    return scaled(Of(forward, o=nn.Linear(2 * n, 1), **parts))


@example(1, 3, 4, 4)
def group_norm(n: int) -> nn.Module:
    stages = [nn.Conv2d(3, 4 * n, 2, stride=2), nn.GroupNorm(2, 4 * n), nn.Hardswish(), nn.Conv2d(4 * n, n, 1)]
    return scaled(nn.Sequential(*stages, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(n, 2)))


@example(1, 3)
def bilinear(n: int) -> nn.Module:
    """A bilinear form of the embedding with trained vectors: a product of two linear maps."""
    parts = layers(n, a=nn.Linear(n, n, bias=False), b=nn.Linear(n, n, bias=False))
    return scaled(Of(lambda m, x: m.o(m.a(torch.tanh(m.u(x))) * m.b(m.u(x))), **parts))


@example(1, 3)
def prelu(n: int) -> nn.Module:
    return scaled(nn.Sequential(nn.Linear(3, n), nn.PReLU(), nn.Linear(n, n), nn.PReLU(n, 0.1), nn.Linear(n, 1)))


@example(1, 3)
def rezero(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        h = h + m.alpha * torch.relu(m.a(h))
        return m.o(h + m.beta * torch.relu(m.b(h)))

    parts = layers(n, a=nn.Linear(n, n), b=nn.Linear(n, n))
    parts |= {"alpha": nn.Parameter(torch.zeros(())), "beta": nn.Parameter(torch.full((1,), 0.5))}
    return scaled(Of(forward, **parts))


@example(1, 3)
def layer_scale(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        return m.o(h + m.gamma * m.a(F.softplus(h)))

    return scaled(Of(forward, **layers(n, a=nn.Linear(n, n), gamma=nn.Parameter(1e-1 * torch.ones(n)))))


@example(1, 3)
def softplus_beta(n: int) -> nn.Module:
    act = nn.Softplus(beta=2.0)
    return scaled(nn.Sequential(nn.Linear(3, n), act, nn.Linear(n, n), nn.Softplus(threshold=5.0), nn.Linear(n, 1)))


@example((1, 3), (1, 2))
def two_inputs_two_outputs(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor, y: torch.Tensor) -> Any:
        a, b = torch.tanh(m.u(x)), torch.sin(m.w(y))
        return {"first": m.o(a * b), "second": (m.p(a + b), m.o(a))}

    return scaled(Of(forward, u=nn.Linear(3, n), w=nn.Linear(2, n), o=nn.Linear(n, 2), p=nn.Linear(n, 1)))


@example(1, 3)
def parameter_list(n: int) -> nn.Module:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.u = nn.Parameter(torch.randn(3, n))
            self.ws = nn.ParameterList([torch.randn(n, n) / n**0.5 for _ in range(3)])
            self.bs = nn.ParameterDict({"a": torch.zeros(n), "b": torch.randn(n)})
            self.v = nn.Parameter(torch.randn(n) / n**0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x @ self.u
            for w in self.ws:
                h = torch.tanh(h @ w + self.bs["a"]) + 0.5 * self.bs["b"]
            return h @ self.v

    return Listed()


@example(1, 3)
def by_index(n: int) -> nn.Module:
    class Indexed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, n), nn.Tanh(), nn.Linear(n, n), nn.Dropout(0.3), nn.Linear(n, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.net[1](self.net[0](x))
            return self.net[-1](h + self.net[3](self.net[2](h)))

    return scaled(Indexed()).eval()


@example(1, 3)
def functional(n: int) -> nn.Module:
    """A module called with its own weights, transformed."""

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.u, self.inner, self.o = nn.Linear(3, n), nn.Linear(n, n), nn.Linear(n, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weights = {"weight": 0.5 * self.inner.weight, "bias": self.inner.bias}
            return self.o(torch.tanh(torch.func.functional_call(self.inner, weights, (torch.tanh(self.u(x)),))))

    return scaled(Functional())


@example(1, 3)
def initializers(n: int) -> nn.Module:
    """Every initializer of torch.nn.init that draws iid entries."""
    module = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(n, n), nn.Tanh())))
    nn.init.xavier_normal_(module[0].weight)
    nn.init.xavier_uniform_(module[2].weight, gain=nn.init.calculate_gain("tanh"))
    nn.init.kaiming_normal_(module[4].weight, nonlinearity="relu")
    nn.init.kaiming_uniform_(module[6].weight, a=math.sqrt(5))
    nn.init.normal_(module[8].weight, 0.0, n**-0.5)
    nn.init.uniform_(module[10].weight, -((3 / n) ** 0.5), (3 / n) ** 0.5)
    nn.init.constant_(module[0].bias, 0.5)
    nn.init.ones_(module[2].bias)
    nn.init.zeros_(module[4].bias)
    with torch.no_grad():
        module[6].bias.copy_(torch.randn(n) * 0.3)
        module[8].weight.mul_(1.5)
        module[10].bias.normal_().div_(2).add_(1)
    return nn.Sequential(nn.Linear(3, n), module, nn.Linear(n, 1))


@example(1, 3, 2)
def positions(n: int) -> nn.Module:
    """Learned positions, a class token, and a mean over tokens by a mask."""

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.w, self.o = nn.Linear(2, n), nn.Linear(n, n), nn.Linear(n, 1)
            self.cls, self.pos = nn.Parameter(torch.randn(1, 1, n)), nn.Parameter(torch.randn(1, 4, n) / 2)
            self.register_buffer("mask", torch.tensor([1.0, 1.0, 0.0, 1.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.cat([self.cls.expand(x.shape[0], -1, -1), self.emb(x)], 1) + self.pos
            h = torch.tanh(self.w(h)) * self.mask[None, :, None]
            return self.o(h.sum(1) / self.mask.sum())

    return scaled(Positions())


@example(1, 5)
def conv_transposed(n: int) -> nn.Module:
    parts = {"c": nn.Conv1d(1, n, 3), "t": nn.ConvTranspose1d(n, n, 2), "o": nn.Conv1d(n, 1, 1)}
    nn.init.normal_(parts["t"].weight, std=n**-0.5)
    return scaled(Of(lambda m, x: m.o(torch.tanh(m.t(torch.tanh(m.c(x[:, None]))))).flatten(1)[:, ::2], **parts))


@example(1, 4, 3)
def attention_pooling(n: int) -> nn.Module:
    """Weights by a learned query of unit scale, divided by the width; norms by hand."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        h = h / (h.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        weights = torch.softmax((m.k(h) * m.k(h[:, :1])).mean(-1), 1)
        return m.o(torch.bmm(weights[:, None], h).squeeze(1))

    return scaled(Of(forward, **layers(n, k=nn.Linear(n, n))))


@example(1, 3)
def several_activations(n: int) -> nn.Module:
    """Snake, squared relu, hard functions, quick gelu and a threshold, in the spellings of their papers."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        h = h + torch.sin(2 * h).square() / 2
        h = m.a(h * torch.sigmoid(1.702 * h)) + torch.clamp(h, min=-1.0, max=1.0)
        h = m.b(torch.relu(h) ** 2) * torch.rsqrt(1 + h * h) + F.hardsigmoid(h) - F.threshold(h, 0.0, 0.0)
        return m.o(torch.where(h < 1, h, 1 + torch.log(h.clamp(min=1.0))))

    return scaled(Of(forward, **layers(n, a=nn.Linear(n, n), b=nn.Linear(n, n))))


@example(1, 3)
def tied_autoencoder(n: int) -> nn.Module:
    """A matrix used forward and transposed, an autoencoder with tied weights and a skip scaled by √2."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x)
        return m.o((h + torch.tanh(torch.tanh(h @ m.w.T + m.b) @ m.w)) / math.sqrt(2))

    return scaled(Of(forward, **layers(n, w=nn.Parameter(torch.randn(n, n) / n**0.5), b=nn.Parameter(torch.zeros(n)))))


@example(1, 4)
def laws_of_columns(n: int) -> nn.Module:
    """Columns of one matrix that are drawn from two laws."""
    module = Of(lambda m, x: m.o(torch.tanh(m.u(x))), u=nn.Linear(4, n), o=nn.Linear(n, 1))
    scaled(module)
    nn.init.normal_(module.u.weight.data[:, 2:], std=2.0)
    return module


@example(1, 4)
def scaled_weights(n: int) -> nn.Module:
    """Weights of unit size, divided where they are used (Karras et al. 2018): columns, matrices, biases, readouts."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(F.linear(x, m.u / 2, 3 * m.b))
        h = torch.tanh(F.linear(h, m.w * n**-0.5))
        return (h * (m.o / n**0.5)).sum(-1) + h @ (m.o * 0.5 / n**0.5)

    shapes = {"u": (n, 4), "b": (n,), "w": (n, n), "o": (n,)}
    return Of(forward, **{k: nn.Parameter(torch.randn(*shape)) for k, shape in shapes.items()})


@example(1, 2, 6, 4)
def patches(n: int) -> nn.Module:
    """Patches of an image as tokens, with learned positions."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.u(x).flatten(2).transpose(1, 2) + m.p
        return m.o(torch.tanh(m.w(torch.tanh(h))).mean(1))

    parts = {"u": nn.Conv2d(2, n, 2, stride=2), "w": nn.Linear(n, n), "p": nn.Parameter(torch.randn(6, n))}
    return scaled(Of(forward, o=nn.Linear(n, 1), **parts))
