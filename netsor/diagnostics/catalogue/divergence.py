"""E5xx: the width, labels and promises."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E501",
        "a factor diverges with n",
        "n may stand only in scalars with a finite limit. The exception is ψ* of Eq. 84, √n (F(x + "
        "d/√n) − F(x)), whose limit is the directional derivative.",
        bad=("vector x, y ~ N(0, 1)\nz := √n tanh(x)\noutput mean(z * y)\n"),
        good=("vector x, y ~ N(0, 1)\nz := √n (tanh(x + y/√n) - tanh(x))\noutput mean(z * y)\n"),
        paper="Setup B.2, Eq. 84",
    ),
    Entry(
        "E502",
        "an inner product is not divided by n",
        "xᵀ y grows like n; a MOMENT is (1/n) Σ_α x_α y_α, so a division by n belongs into the same product.",
        bad=("vector x, y ~ N(0, 1)\noutput xᵀ y\n"),
        good=("vector x, y ~ N(0, 1)\noutput xᵀ y / n\n"),
        paper="Eq. 61",
    ),
    Entry(
        "E503",
        "a scalar without a finite limit",
        "A member of 𝒞 converges to a number as n → ∞.",
        bad=("vector x, y ~ N(0, 1)\nscalar ε = √n\noutput mean(x^2) * ε\n"),
        good=("vector x, y ~ N(0, 1)\nscalar ε = 1/√n\noutput mean(x^2) * ε\n"),
        paper="Setup B.2",
    ),
    Entry(
        "E504",
        "a label's claim is false",
        "A labelled line is a single instruction of that kind. NONLIN+ is also true of one without scalars.",
        bad=("vector x, y ~ N(0, 1)\nMOMENT: z := tanh(x)\noutput mean(z^2)\n"),
        good=("vector x, y ~ N(0, 1)\nNONLIN: z := tanh(x)\noutput mean(z^2)\n"),
        paper="Def. B.1",
    ),
    Entry(
        "E505",
        "a promise is broken",
        "z := ψ(x; θ) = EXPR promises that EXPR uses just these vectors and scalars.",
        bad=("vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x) = x * y\noutput mean(z^2)\n"),
        good=("vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x, y) = x * y\noutput mean(z^2)\n"),
        paper="Eq. 60",
    ),
    Entry(
        "E506",
        "a constant without a value",
        "Arithmetic of constants gives a finite real number.",
        bad=("vector x, y ~ N(0, 1)\noutput mean(x / 0)\n"),
        good=("vector x, y ~ N(0, 1)\noutput mean(x / 2)\n"),
    ),
    Entry(
        "E507",
        "the width in a function of coordinates",
        "A definition is the same function at every width; give it a parameter.",
        bad=("φ(u) = u / n\nvector x, y ~ N(0, 1)\noutput mean(φ(x))\n"),
        good=("φ(u; ε) = u ε\nvector x, y ~ N(0, 1)\noutput mean(φ(x; 1/√n))\n"),
        paper="Eq. 60",
    ),
)
