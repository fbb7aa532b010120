"""Blocks of torchvision and transformers as they are published, none of them changed, in miniature configurations."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import at_the_same_weights as same  # noqa: E402
from torch import nn  # noqa: E402

import netsor  # noqa: E402

pytestmark = pytest.mark.slow


def between(block: Any, n: int, out: int | None = None) -> nn.Module:
    """A block of images with a first convolution, pooling and a head, in evaluation mode."""
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(out or n, 2)]
    return nn.Sequential(nn.Conv2d(3, n, 1), block, *tail).eval()


class First(nn.Module):
    """The first of the tensors that a module returns."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x)[0]


def vision(name: str, n: int) -> nn.Module:
    tv = pytest.importorskip("torchvision", reason="torchvision is not installed")
    from torchvision.models import densenet, efficientnet, mobilenetv2, resnet, shufflenetv2, squeezenet, vgg
    from torchvision.models.googlenet import Inception

    if name == "vgg":
        return nn.Sequential(vgg.make_layers([n, "M", 2 * n]), nn.Flatten(), nn.Linear(2 * n, 2))
    blocks = {
        "basic_block": lambda: resnet.BasicBlock(n, n),
        "bottleneck": lambda: resnet.Bottleneck(4 * n, n),
        "inverted_residual": lambda: mobilenetv2.InvertedResidual(n, n, 1, 2),
        "squeeze_excitation": lambda: tv.ops.SqueezeExcitation(n, n),
        "dense_layer": lambda: densenet._DenseLayer(n, n, 2, 0.0),
        "inception": lambda: Inception(*[n] * 7),
        "fire": lambda: squeezenet.Fire(2 * n, n, n, n),
        "shuffle": lambda: shufflenetv2.InvertedResidual(2 * n, 2 * n, 1),
        "mbconv": lambda: efficientnet.MBConv(efficientnet.MBConvConfig(2, 3, 1, n, n, 1), 0.0, nn.BatchNorm2d),
    }
    inner = {"bottleneck": 4 * n, "fire": 2 * n, "shuffle": 2 * n}.get(name, n)
    outer = {"inception": 4 * n}.get(name, inner)
    return between(blocks[name](), inner, outer)


VISION = {
    "basic_block": 3, "bottleneck": 2, "inverted_residual": 3, "squeeze_excitation": 2, "dense_layer": 2,
    "inception": 2, "fire": 3, "shuffle": 3, "mbconv": 3, "vgg": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", VISION)
def test_torchvision(name: str) -> None:
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    size = VISION[name]
    same.verify(lambda n: vision(name, n), (1, 3, size, size))


def language(name: str, n: int) -> nn.Module:
    t = pytest.importorskip("transformers", reason="transformers is not installed")
    from transformers.models.convnext.modeling_convnext import ConvNextLayer
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
    from transformers.models.llama.modeling_llama import LlamaMLP
    from transformers.models.poolformer.modeling_poolformer import PoolFormerLayer
    from transformers.models.resnet.modeling_resnet import ResNetBasicLayer
    from transformers.models.t5.modeling_t5 import T5LayerFF

    if name == "convnext_layer":
        return between(ConvNextLayer(t.ConvNextConfig(), n), n)
    if name == "resnet_layer":
        return between(ResNetBasicLayer(n, n), n)
    if name == "poolformer_layer":
        return between(First(PoolFormerLayer(t.PoolFormerConfig(), n, 3, n, 2 * n, 0.0)), n)
    if name == "llama_mlp":
        config = t.LlamaConfig(hidden_size=n, intermediate_size=3 * n, num_attention_heads=2)
        return nn.Sequential(nn.Linear(3, n), LlamaMLP(config), nn.Linear(n, 2))
    if name == "t5_feed_forward":
        config = t.T5Config(d_model=n, d_ff=4 * n, feed_forward_proj="gated-gelu")
        return nn.Sequential(nn.Linear(3, n), T5LayerFF(config), nn.Linear(n, 2)).eval()
    mlp = GPT2MLP(4 * n, t.GPT2Config(n_embd=n))
    for p in mlp.parameters():
        if p.dim() > 1:
            nn.init.normal_(p, std=p.shape[0] ** -0.5)
    return nn.Sequential(nn.Linear(3, n), nn.LayerNorm(n), mlp, nn.Linear(n, 2)).eval()


LANGUAGE = {
    "convnext_layer": (1, 3, 3, 3), "resnet_layer": (1, 3, 3, 3), "poolformer_layer": (1, 3, 2, 2), "llama_mlp": (1, 3),
    "t5_feed_forward": (1, 3), "gpt2_mlp": (1, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", LANGUAGE)
def test_transformers(name: str) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    # The layer norm of T5 computes in single precision.
    precision = 1e-6 if name == "t5_feed_forward" else 1e-10
    same.verify(lambda n: language(name, n), LANGUAGE[name], outputs_to=precision, gradients_to=precision)


def test_what_is_refused_is_refused_for_its_reason() -> None:
    t = pytest.importorskip("transformers", reason="transformers is not installed")
    tv = pytest.importorskip("torchvision", reason="torchvision is not installed")
    size = {"vocab_size": 5, "num_hidden_layers": 1, "num_attention_heads": 2, "use_cache": False}
    tokens = torch.zeros(1, 4, dtype=torch.long)

    def llama(n: int) -> nn.Module:
        config = t.LlamaConfig(hidden_size=2 * n, intermediate_size=4 * n, max_position_embeddings=4, **size)
        return t.LlamaForCausalLM(config).eval()

    def bert(n: int) -> nn.Module:
        config = t.BertConfig(hidden_size=2 * n, intermediate_size=4 * n, max_position_embeddings=4, **size)
        return t.BertModel(config).eval()

    def convnext(n: int) -> nn.Module:
        stages = [tv.models.convnext.CNBlockConfig(n, 2 * n, 1), tv.models.convnext.CNBlockConfig(2 * n, None, 1)]
        return tv.models.convnext.ConvNeXt(stages, num_classes=2).eval()

    cases: list[tuple[Any, Any, str]] = [
        (llama, tokens, "vary along the width"),  # the angles of RoPE
        (bert, tokens, "a sum over the width enters `exp`"),  # 1/√d
        (lambda n: tv.models.VisionTransformer(4, 2, 1, 2, 2 * n, 4 * n, num_classes=2), (1, 3, 4, 4), "divided by √n"),
        (convnext, (1, 3, 8, 8), "grows like|not known"),  # a standard deviation of 0.02 at every width, truncated
    ]
    for factory, example, expected in cases:
        with pytest.raises(netsor.NetsorError, match=expected):
            netsor.from_torch(factory, example)
