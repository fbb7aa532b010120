"""A module run by torch beside the imported network run by netsor, with the same weights at the same width."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch_modules import draw, example_of

import netsor
from netsor.core import MatMul
from netsor.diagnostics import Source
from netsor.expr import WIDTH, Expr
from netsor.expr.arrays import lambdify
from netsor.finite import run, run_vectors
from netsor.transform.backward import passes

Array = np.ndarray[Any, Any]


def verify(
    factory: Any, shape: tuple[Any, ...], width: int = 24, outputs_to: float = 1e-10, gradients_to: float = 1e-10
) -> None:
    """The network checks, is canonical, and has the outputs and gradients of the module to these errors."""
    torch.set_num_threads(1)
    document = netsor.from_torch(factory, example_of(shape))
    assert [d for d in document.check().diagnostics if d.is_error] == []
    assert netsor.format_source(Source("x", document.text)) == document.text
    torch.manual_seed(11)
    # What a forward pass makes without naming a type is in doubles, as the module is.
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        module = moved(document, factory(width).double())
        x = draw(shape)
        found, expected = outputs(document, module, x)
        assert np.allclose(found, expected, rtol=0, atol=outputs_to)
        for parameter, (ours, theirs) in gradients(document, module, x).items():
            assert np.allclose(ours, theirs, rtol=gradients_to, atol=gradients_to), parameter
            assert np.abs(theirs).max() > 0, parameter
    finally:
        torch.set_default_dtype(default)


def flattened(value: Any) -> torch.Tensor:
    """All numbers that a module returns, in the order of the outputs of its network."""
    if isinstance(value, torch.Tensor):
        return value.reshape(-1)
    parts = value.values() if isinstance(value, dict) else value
    return torch.cat([flattened(v) for v in parts if v is not None])


def moved(document: Any, module: Any) -> Any:
    """The module with its parameters somewhere else than where they start, so that biases are not zero."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for path in set(document.paths.values()):
            p = module.get_parameter(path)
            p += 0.3 * p.abs().mean().clamp(0.1) * torch.randn(p.shape, dtype=p.dtype, generator=generator)
    return module


def outputs(document: Any, module: Any, x: list[Any]) -> tuple[Array, Array]:
    """The outputs of netsor and of torch on one example."""
    weights = document.weights(module)
    n = next(iter(weights.values())).shape[0]
    program = document.program
    result = run(program, n, given=weights, inputs=document.inputs(x))
    expected = flattened(module(*x)).detach().numpy()
    return np.array([result.values[o.name][0] for o in program.readouts]), expected


def all_trained(document: Any) -> Any:
    """The network with every parameter trained, each in units of its own."""
    lines = [line for line in document.text.splitlines() if not line.startswith("train ")]
    last = max(k for k, line in enumerate(lines) if re.match(r"(matrix|vector|scalar) ", line))
    lines[last + 1 : last + 1] = [f"train {name} * 1" for name in document.paths]
    return netsor.loads("\n".join(lines) + "\n")


def gradients(document: Any, module: Any, x: list[Any]) -> dict[str, tuple[Array, Array]]:
    """For each parameter of the network ∂f_a/∂θ by netsor's backward pass and by torch, for all outputs a."""
    weights = document.weights(module)
    n = next(iter(weights.values())).shape[0]
    found = [dict.fromkeys(weights, 0.0) for _ in document.program.readouts]
    for a, name, gradient in _backward(document, weights, n, x):
        found[a][name] = found[a][name] + gradient
    expected = _gradients(document, module, x)
    ones = document.weights(_filled(module, torch.ones_like))
    out = {}
    for name, path in document.paths.items():
        is_number = all(s < n for s in module.get_parameter(path).shape)
        # A number c = Σ_α c_α/√n is given by its coordinates.
        unit = ones[name] * (np.sqrt(n) if is_number else 1.0)
        theirs = np.array([g[name] for g in expected]) / unit**2
        ours = np.array([np.broadcast_to(g[name], weights[name].shape) for g in found])
        out[name] = (ours, theirs)
    return out


def _backward(document: Any, weights: Any, n: int, x: list[Any]) -> Iterator[tuple[int, str, Array]]:
    """The terms of ∂f_a/∂θ: dg hᵀ/√n for g = W h, dg ξᵀ/√n for g = U ξ, db/√n for a vector b, where dg is √n ∂f/∂g."""
    network = all_trained(document).program
    made = passes(network, {name: value[None] for name, value in document.inputs(x).items()})
    values, (example,) = made.values[0], made.examples
    wanted = []
    for a, errors in enumerate(made.errors[0]):
        for i in made.network.instructions:
            if isinstance(i, MatMul) and i.name in errors:
                sides = (errors[i.name], values[i.vector])
                wanted.append((a, i.matrix, *(sides[::-1] if i.transposed else sides)))
        wanted += [
            (a, e.matrix, errors[e.name], np.array(example.sources[e.source][1], float))
            for e in made.network.embeddings
            if e.name in errors and e.matrix in weights
        ]
        wanted += [
            (a, v, errors[v], None) for g in made.network.groups for v in g.names if v in errors and v in weights
        ]
    symbols = {s for _, _, *sides in wanted for e in sides if isinstance(e, Expr) for s in e.free if s is not WIDTH}
    program = made.builder.build("backward")
    vectors = run_vectors(program, n, 0, sorted(str(s.name) for s in symbols), given=weights)

    def value(e: Any) -> Any:
        if not isinstance(e, Expr):
            return e
        free = sorted(e.free, key=lambda s: str(s.name))
        numbers = (float(n) if s is WIDTH else vectors[str(s.name)] for s in free)
        return np.broadcast_to(lambdify((e,), tuple(free))(*numbers)[0], (n,))

    for a, name, left, right in wanted:
        gradient = value(left) if right is None else np.outer(value(left), value(right))
        yield a, name, gradient / np.sqrt(n)


def _gradients(document: Any, module: Any, x: list[Any]) -> list[dict[str, Array]]:
    """For each output its gradient, as the weights of a module are given."""
    values = flattened(module(*x))
    named = dict(module.named_parameters())
    out = []
    for v in values:
        found = torch.autograd.grad(v, list(named.values()), retain_graph=True, allow_unused=True)
        by_path = {k: torch.zeros_like(p) if g is None else g for (k, p), g in zip(named.items(), found, strict=True)}
        holder = copy.deepcopy(module)
        with torch.no_grad():
            for k, p in holder.named_parameters():
                p.copy_(by_path[k])
        out.append(document.weights(holder))
    return out


def _filled(module: Any, f: Any) -> Any:
    holder = copy.deepcopy(module)
    with torch.no_grad():
        for p in holder.parameters():
            p.copy_(f(p))
    return holder
