"""Small random programs with both a matrix and its transpose, to try derivations on."""

from __future__ import annotations

import random

_FUNCTIONS = ("tanh({})", "erf({})", "relu({})", "φ({})", "{} * {}", "sin({}) + 0.3 {}")


def random_program(seed: int) -> str:
    """A program with the function φ, two matrices, three initial vectors, a few lines and three outputs."""
    r = random.Random(seed)
    lines = [
        f"program random_{seed}",
        "φ(u) = u * tanh(u / 2)",
        f"matrix W ~ N(0, {r.choice(['1', '0.5', '2'])}/n)",
        "matrix V",
        f"vector a, b ~ N({r.choice(['0', '[0.3, -0.2]'])}, [[1, 0.4], [0.4, 0.8]])",
        "vector v ~ N(0, 1)",
        "scalar ε = 1/√n",
    ]
    vectors = ["a", "b", "v"]
    scalars: list[str] = []
    products = 0
    for k in range(r.randint(4, 7)):
        name = f"x{k}"
        what = r.random()
        x, y = r.choice(vectors), r.choice(vectors)
        if what < 0.5 and products < 4:
            products += 1
            lines.append(f"{name} := {r.choice(['W', 'Wᵀ', 'V', 'Wᵀ', 'W'])} {x}")
        elif what < 0.65 and scalars:
            s = r.choice(scalars)
            lines.append(f"{name} := {s} * {x} + ({s} + ε) * tanh({y})")
        elif what < 0.8:
            lines.append(f"{name} := {r.choice(_FUNCTIONS[:4]).format(x)} * {y} - 0.5 {x}")
        else:
            lines.append(f"{name} := {r.choice(_FUNCTIONS).format(x, x)} + {y}")
        vectors.append(name)
        if r.random() < 0.3:
            lines.append(f"s{k} := mean({r.choice(vectors)} * {r.choice(vectors)})")
            scalars.append(f"s{k}")
    last = vectors[-1]
    lines += [
        f"output o1 := mean({last} * {r.choice(vectors)})",
        f"output o2 := mean({r.choice(vectors)} * {r.choice(vectors)}) - 2 * o1",
        f"output o3 := mean(tanh({r.choice(vectors)}) * {r.choice(vectors)})",
    ]
    return "\n".join(lines) + "\n"
