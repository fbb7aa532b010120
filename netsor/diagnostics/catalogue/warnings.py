"""W9xx: what deserves a look; E950: assumptions that are required."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "W901",
        "a tolerance was not reached",
        "The error of a limit is larger than `--tol` allows; the bound that was reached is reported with it.",
        bad=("vector x[1..8] ~ N(0, 1)\noutput mean(max(x[1], x[2] * x[3], sin(x[4] * x[5]), x[6] * x[7] * x[8]))\n"),
        good=("vector x[1..8] ~ N(0, 1)\noutput mean(max(x[1], x[2]))\n"),
        severity="warning",
        stage="limit",
    ),
    Entry(
        "W902",
        "a promised variable is not used",
        "ψ(x, y; θ) = EXPR names more than EXPR uses.",
        bad=("vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x, y) = tanh(x)\noutput mean(z^2)\n"),
        good=("vector x, y ~ N(0, 1)\nNONLIN: z := ψ(x) = tanh(x)\noutput mean(z^2)\n"),
        paper="Eq. 60",
        severity="warning",
    ),
    Entry(
        "W903",
        "a condition without variables",
        "The test of an `if` has the same answer everywhere.",
        bad=("vector x, y ~ N(0, 1)\nz := if 1 > 2 then x else y\noutput mean(z^2)\n"),
        good=("vector x, y ~ N(0, 1)\nz := if x > 0 then x else y\noutput mean(z^2)\n"),
        severity="warning",
    ),
    Entry(
        "W904",
        "a program without outputs",
        "Outputs are the scalars that `netsor eval` reports.",
        bad=("vector x, y ~ N(0, 1)\nz := tanh(x)\n"),
        good=("vector x, y ~ N(0, 1)\nz := tanh(x)\noutput mean(z^2)\n"),
        severity="warning",
    ),
    Entry(
        "W905",
        "the power of a product",
        "A bracket behind a name binds before ^: `c (x)^2` is (c x)^2, where `2 (x)^2` is 2 x^2. The warning asks "
        "to say which is meant.",
        bad=("vector x ~ N(0, 1)\nscalar c = 2\noutput mean(c (x + 1)^2)\n"),
        good=("vector x ~ N(0, 1)\nscalar c = 2\noutput mean(c * (x + 1)^2)\n"),
        severity="warning",
    ),
    Entry(
        "E950",
        "a required assumption does not hold",
        "`netsor check --require` turns assumptions into errors: A1–A4 of Setup D.1, GIA (the Simple "
        "GIA Check), B8 (Assumption B.8).",
        bad=("vector x, y ~ N(0, 1)\noutput mean(step(x))\n"),
        good=("vector x, y ~ N(0, 1)\noutput mean(relu(x))\n"),
        paper="Setup D.1, Assumption B.8",
        stage="require",
    ),
)
