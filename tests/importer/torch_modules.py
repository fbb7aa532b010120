"""Modules for the tests of the importer: each is `name(n)`, with the shape of its example in EXAMPLES."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from examples import Examples
from torch import nn

EXAMPLES = example = Examples()


def example_of(shape: tuple[Any, ...]) -> Any:
    """An entry of EXAMPLES as `netsor.from_torch` takes it."""
    return shape[0] if isinstance(shape[0], torch.Tensor) else list(shape) if isinstance(shape[0], tuple) else shape


def draw(shape: tuple[Any, ...], seed: int = 7) -> list[Any]:
    """An example with random numbers, or random tokens, for an entry of EXAMPLES."""
    example = example_of(shape)
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 4, s.shape, generator=generator)
        if isinstance(s, torch.Tensor)
        else torch.randn(s, dtype=torch.float64, generator=generator)
        for s in (example if isinstance(example, list) else [example])
    ]


def scaled(module: nn.Module) -> nn.Module:
    """Weights N(0, 1/fan-in) and biases 0."""
    for m in module.modules():
        if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            nn.init.normal_(m.weight, std=1 / math.sqrt(m.weight[0].numel()))
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    return module


class Of(nn.Module):
    """Parts and a function of them and the input."""

    def __init__(self, forward: Any, **parts: Any):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.function = forward

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.function(self, *x)


@example(1, 3)
def mlp(n: int) -> nn.Module:
    layers = [nn.Linear(3, n), nn.Tanh()]
    for _ in range(4):
        layers += [nn.Linear(n, n), nn.Tanh()]
    return scaled(nn.Sequential(*layers, nn.Linear(n, 2)))


@example(1, 3)
def mlp_default(n: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, n), nn.ReLU(), nn.Linear(n, n), nn.GELU(), nn.Linear(n, 1, bias=False))


def _activation(f: Any) -> Any:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        return m.o(f(m.w(f(m.u(x)))))

    return lambda n: scaled(Of(forward, u=nn.Linear(3, n), w=nn.Linear(n, n), o=nn.Linear(n, 1)))


ACTIVATIONS = {
    "relu": F.relu, "leaky": lambda x: F.leaky_relu(x, 0.2), "elu": F.elu, "elu2": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "mish": F.mish,
    "softplus": F.softplus, "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "hardtanh": F.hardtanh,
    "relu6": F.relu6, "sigmoid": torch.sigmoid, "erf": torch.erf, "sin": torch.sin, "cos": torch.cos, "abs": torch.abs,
    "squared_relu": lambda x: F.relu(x) ** 2, "snake": lambda x: x + torch.sin(x) ** 2, "softsign": F.softsign,
    "tanhshrink": F.tanhshrink, "logsigmoid": F.logsigmoid, "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "atan": torch.atan, "exp": lambda x: torch.exp(-(x**2)), "clamp": lambda x: x.clamp(-1, 2), "celu": F.celu,
    "max": lambda x: torch.maximum(x, torch.tanh(x)),
}  # fmt: skip
for _name, _f in ACTIVATIONS.items():
    globals()[f"act_{_name}"] = _activation(_f)
    EXAMPLES[f"act_{_name}"] = (1, 3)


class Recurrent(nn.Module):
    def __init__(self, cls: Any, n: int, layers: int = 1, **options: Any):
        super().__init__()
        self.rnn = cls(2, n, layers, batch_first=True, **options)
        for name, p in self.rnn.named_parameters():
            if name.startswith("weight_ih_l0"):
                nn.init.normal_(p, std=2**-0.5)
        self.out = nn.Linear(n * (2 if options.get("bidirectional") else 1), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x)[0][:, -1])


@example(1, 4, 2)
def rnn(n: int) -> nn.Module:
    return Recurrent(nn.RNN, n)


@example(1, 4, 2)
def rnn_two_layers(n: int) -> nn.Module:
    return Recurrent(nn.RNN, n, 2, nonlinearity="relu")


@example(1, 3, 2)
def gru(n: int) -> nn.Module:
    return Recurrent(nn.GRU, n)


@example(1, 3, 2)
def lstm(n: int) -> nn.Module:
    return Recurrent(nn.LSTM, n)


@example(1, 3, 2)
def bidirectional(n: int) -> nn.Module:
    return Recurrent(nn.GRU, n, bidirectional=True)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool, scale: float | None = 1.0):
        super().__init__()
        self.heads, self.causal, self.scale = heads, causal, scale
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        q, k, v = (f(x).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        scale = None if self.scale is None else self.scale / (d // self.heads)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, scale=scale)
        return self.o(y.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool = False, scale: float | None = 1.0):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads, causal, scale)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.proj(F.gelu(self.fc(self.ln2(x))))


class Stack(nn.Module):
    def __init__(self, n: int, layers: int, scale: float | None = 1.0):
        super().__init__()
        self.emb = nn.Linear(4, 2 * n)
        self.pos = nn.Parameter(torch.randn(3, 2 * n))
        self.blocks = nn.ModuleList(Block(2 * n, 2, True, scale) for _ in range(layers))
        self.ln = nn.LayerNorm(2 * n)
        self.head = nn.Linear(2 * n, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.emb(x) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


@example(1, 3, 4)
def block(n: int) -> nn.Module:
    parts = {"emb": nn.Linear(4, 2 * n), "block": Block(2 * n, 2), "head": nn.Linear(2 * n, 1)}
    return scaled(Of(lambda m, x: m.head(m.block(m.emb(x)).mean(1)), **parts))


@example(1, 3, 4)
def stack(n: int) -> nn.Module:
    return scaled(Stack(n, 3))


@example(1, 3)
def tied(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(m.w(torch.tanh(m.u(x))))
        return m.o(F.linear(y, m.w.weight.t()))

    return scaled(Of(forward, u=nn.Linear(3, n), w=nn.Linear(n, n, bias=False), o=nn.Linear(n, 1)))


@example(1, 3)
def shared(n: int) -> nn.Module:
    w = nn.Linear(n, n)
    layers = [nn.Linear(3, n), nn.Tanh(), w, nn.Tanh(), w, nn.Tanh(), w, nn.Tanh(), nn.Linear(n, 1)]
    return scaled(nn.Sequential(*layers))


@example(1, 2, 4, 4)
def cnn(n: int) -> nn.Module:
    layers = [nn.Conv2d(2, n, 3, padding=1), nn.ReLU(), nn.Conv2d(n, n, 3, padding=1, stride=2), nn.GroupNorm(1, n)]
    return scaled(nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 3)))


@example(1, 1, 6, 6)
def cnn_flattened(n: int) -> nn.Module:
    layers = [nn.Conv2d(1, n, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * n, 1)]
    return scaled(nn.Sequential(*layers))


@example(1, 2, 6)
def conv_groups(n: int) -> nn.Module:
    layers = [nn.Conv1d(2, 4 * n, 3, padding=2, dilation=2), nn.Tanh(), nn.Conv1d(4 * n, 2 * n, 3, groups=2), nn.Tanh()]
    return scaled(nn.Sequential(*layers, nn.AvgPool1d(2), nn.Flatten(), nn.Linear(4 * n, 1)))


@example(1, 2, 5)
def depthwise(n: int) -> nn.Module:
    layers = [nn.Conv1d(2, n, 1), nn.Tanh(), nn.Conv1d(n, n, 3, padding=1, groups=n), nn.Tanh(), nn.Conv1d(n, n, 1)]
    return scaled(nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(n, 1)))


@example(torch.zeros(1, 4, dtype=torch.long))
def tokens(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.e(x) + m.p(torch.arange(x.shape[1]))
        return m.o(torch.tanh(m.w(h)).mean(1))

    return scaled(Of(forward, e=nn.Embedding(5, n), p=nn.Embedding(4, n), w=nn.Linear(n, n), o=nn.Linear(n, 1)))


@example(1, 3)
def swiglu(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.norm(m.u(x))
        return m.o(h + m.down(F.silu(m.gate(h)) * m.up(h)))

    parts = {"gate": nn.Linear(n, 3 * n), "up": nn.Linear(n, 3 * n), "down": nn.Linear(3 * n, n)}
    return scaled(Of(forward, u=nn.Linear(3, n), norm=nn.RMSNorm(n), o=nn.Linear(n, 1), **parts))


@example(1, 3)
def glu(n: int) -> nn.Module:
    layers = [nn.Linear(3, 2 * n), nn.GLU(), nn.Linear(n, 2 * n), nn.GLU(), nn.Linear(n, 1)]
    return scaled(nn.Sequential(*layers))


@example(4, 3)
def batch_norm(n: int) -> nn.Module:
    return scaled(nn.Sequential(nn.Linear(3, n), nn.BatchNorm1d(n), nn.ReLU(), nn.Linear(n, 1)))


@example((1, 3), (1, 2, 2))
def two_inputs(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        h = torch.cat([m.a(x), torch.tanh(m.b(y)).mean(1)], -1)
        return m.o(torch.tanh(m.w(h)))

    return scaled(Of(forward, a=nn.Linear(3, n), b=nn.Linear(2, n), w=nn.Linear(2 * n, n), o=nn.Linear(n, 1)))


@example(1, 3)
def ntk_parametrization(n: int) -> nn.Module:
    parts = {
        "u": nn.Parameter(torch.randn(n, 3)), "w": nn.Parameter(torch.randn(n, n)), "b": nn.Parameter(torch.randn(n)),
        "v": nn.Parameter(torch.randn(1, n)),
    }  # fmt: skip

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(x @ m.u.T / 3**0.5)
        return torch.relu(h @ m.w.T * n**-0.5 + 0.1 * m.b) @ m.v.T / n**0.5

    return Of(forward, **parts)


@example(1, 3, 2)
def einsum(n: int) -> nn.Module:
    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(torch.einsum("btd,nd->btn", x, m.u))
        scores = torch.einsum("btn,bsn->bts", h, h) / n
        h = torch.einsum("bts,bsn->btn", scores.softmax(-1), torch.einsum("btn,mn->btm", h, m.w))
        return torch.einsum("btn,kn->bk", h, m.v)

    parts = {"u": torch.randn(n, 2), "w": torch.randn(n, n) / n**0.5, "v": torch.randn(2, n) / n**0.5}
    return Of(forward, **{k: nn.Parameter(p) for k, p in parts.items()})


@example(1, 3)
def fixed_deviation_normalized(n: int) -> nn.Module:
    """A fixed standard deviation at every width, which a layer norm undoes."""
    module = nn.Sequential(nn.Linear(3, n), nn.Tanh(), nn.Linear(n, n), nn.LayerNorm(n), nn.Tanh(), nn.Linear(n, 1))
    scaled(module)
    nn.init.normal_(module[2].weight, std=0.02)
    return module


@example(1, 3, 4)
def multihead(n: int) -> nn.Module:
    """nn.MultiheadAttention, whose query is scaled to divide scores by d."""

    def forward(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.emb(x)
        d = h.shape[-1] // 2
        return m.head(m.att(h / d**0.5, h, h, need_weights=False)[0][:, 0])

    att = nn.MultiheadAttention(2 * n, 2, batch_first=True)
    return scaled(Of(forward, emb=nn.Linear(4, 2 * n), att=att, head=nn.Linear(2 * n, 1)))
