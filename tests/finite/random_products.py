"""Random programs of products with several matrices and their transposes, for comparisons of the two engines."""

from __future__ import annotations

import random

# ψ's of one and of two vectors; bounded, so that powers of W do not let the numbers grow without limit.
ONE = ("tanh({0})", "relu({0}) - 0.5", "{0}", "sin(2 * {0}) + 0.3", "0.5 * {0}", "clip({0}, -1, 2)", "abs({0})")
TWO = ("tanh({0}) * {1}", "{0} - {1}", "{0} + 1e-8 * {1}", "max({0}, {1})", "2 * {0} - 3 * {1}", "{0} * step({1})")
SCALED = ("{0} / (1 + {2}^2)", "({0} - {2}) * 0.7", "tanh({2} * {0}) + {1}")


def random_products(seed: int) -> str:
    """A program whose outputs are bounded functions of some means over the width."""
    rng = random.Random(seed)
    matrices = ["A", "B", "C"][: rng.choice((1, 1, 2, 3))]
    lines = [f"matrix {m} ~ N(0, {rng.choice(('1', '1', '2', '0.5'))}/n)" for m in matrices]
    lines += ["vector x, y ~ N(0, [[1, 0.6], [0.6, 1]])", "vector w ~ N(0.5, 1)"]
    vectors, scalars = ["x", "y", "w"], ["m0"]
    lines.append("m0 := mean(x * w)")
    for k in range(rng.randint(5, 11)):
        kind = rng.random()
        recent = vectors[-4:]
        a, b = rng.choice(recent), rng.choice(vectors)
        if kind < 0.5:
            transposed = "ᵀ" if rng.random() < 0.45 else ""
            lines.append(f"h{k} := {rng.choice(matrices)}{transposed} {a}")
            vectors.append(f"h{k}")
        elif kind < 0.85:
            text = rng.choice((*ONE, *TWO, *SCALED)).format(a, b, rng.choice(scalars))
            lines.append(f"z{k} := {text}")
            vectors.append(f"z{k}")
        else:
            lines.append(f"m{k + 1} := mean({a} * {b})")
            scalars.append(f"m{k + 1}")
    last = vectors[-5:]
    pairs = [(rng.choice(last), rng.choice(vectors)) for _ in range(3)]
    lines += [f"output o{j} := mean({a} * {b})" for j, (a, b) in enumerate(pairs)]
    lines.append(f"output o3 := mean(({matrices[0]}ᵀ {last[-1]}) * {last[0]})")
    return "\n".join(lines) + "\n"
