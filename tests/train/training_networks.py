"""What the tests of training share: the gallery of networks, rows and targets for each, and descent written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import netsor

FOLDER = Path(__file__).parents[2] / "programs" / "networks"
GALLERY = sorted(p.stem for p in FOLDER.glob("*.netsor"))


def task(name: str, training: int = 2, test: int = 1, seed: int = 3, **settings):
    """(document, inputs, targets, test inputs)."""
    document = netsor.load(FOLDER / f"{name}.netsor", set=settings)
    spec = document.program.inputs[0]
    shape = (spec.dimension,) if spec.indices is None else (len(spec.indices), spec.dimension)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((training + test, *shape))
    outputs = len(document.program.readouts)
    y = rng.standard_normal((training, outputs) if outputs > 1 else training)
    return document, x[:training], y, x[training:]


def descend(kernel, f0, targets, batches, lr, slope=lambda f, y: f - y):
    """f_{t+1} = f_t − (η/B) Σ_r K(·, r) ℓ'(f_t(r), y_r), one output; rows counted from 0."""
    f = [np.array(f0, float)]
    for batch in batches:
        step = sum(kernel[:, r] * slope(f[-1][r], targets[r]) for r in batch) / len(batch)
        f.append(f[-1] - lr * step)
    return np.array(f)
