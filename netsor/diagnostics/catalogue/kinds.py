"""E3xx: kinds of values, and what may be done with them."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E301",
        "two vectors stand side by side",
        "Side by side means MATMUL (a matrix before a vector) or scaling. Coordinates are multiplied "
        "by ⊙ (or *), and xᵀ y / n is a MOMENT.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := x y\n"
            "output mean(z)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := x ⊙ y\n"
            "output mean(z)\n"
        ),
        paper="Def. 4.1",
    ),
    Entry(
        "E302",
        "a matrix is multiplied coordinatewise",
        "A program touches a matrix only through MATMUL, written with nothing (or @) between matrix "
        "and vector.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := W * x\n"
            "output mean(z^2)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := W x\n"
            "output mean(z^2)\n"
        ),
        paper="Def. 4.1",
    ),
    Entry(
        "E303",
        "a product of matrices has no value",
        "Matrices are applied to vectors, one after the other; a product of matrices alone is not an "
        "instruction.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := (W Wᵀ) x\n"
            "output mean(z^2)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := W Wᵀ x\n"
            "output mean(z^2)\n"
        ),
        paper="Def. 4.1",
    ),
    Entry(
        "E304",
        "a matrix is applied to something that is no vector",
        "MATMUL multiplies an n×n matrix and a vector; data enter through an n×d matrix.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := W 3\n"
            "output mean(z^2)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := 3 W x\n"
            "output mean(z^2)\n"
        ),
        paper="Def. 4.1",
    ),
    Entry(
        "E305",
        "what is no function is applied",
        "name(…) applies a function, multiplies with a matrix, or scales with a scalar; a vector "
        "cannot be applied.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := x(y)\n"
            "output mean(z)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := x ⊙ y\n"
            "output mean(z)\n"
        ),
    ),
    Entry(
        "E306",
        "wrong number of arguments",
        "A function is called with as many arguments, before and after the semicolon, as it has.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output mean(tanh(x, y))\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output mean(tanh(x) * tanh(y))\n"
        ),
    ),
    Entry(
        "E307",
        "a function stands where a value is expected",
        "A function has a value only at an argument.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := tanh * x\n"
            "output mean(z)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := tanh(x)\n"
            "output mean(z)\n"
        ),
    ),
    Entry(
        "E308",
        "an output is no scalar",
        "Outputs are scalars: what the Master Theorem gives a limit to. Of a vector, ask for moments.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output tanh(x)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output mean(tanh(x)^2)\n"
        ),
        paper="Theorem B.4",
    ),
    Entry(
        "E309",
        "a transposed vector meets no vector",
        "xᵀ occurs only in an inner product xᵀ y, which divided by n is a MOMENT.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := xᵀ\n"
            "output mean(x)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output xᵀ y / n\n"
        ),
        paper="Eq. 61",
    ),
    Entry(
        "E311",
        "a derivative that does not say enough, or does not exist",
        "φ' differentiates a function of one variable; ψ'[x] is the partial derivative in the parameter x.",
        bad=(
            "ψ(a, b) = a * b\n"
            "vector x, y ~ N(0, 1)\n"
            "output mean(ψ'(x, y))\n"
        ),
        good=(
            "ψ(a, b) = a * b\n"
            "vector x, y ~ N(0, 1)\n"
            "output mean(ψ'[a](x, y)^2)\n"
        ),
    ),
    Entry(
        "E312",
        "an n×d matrix is applied to something that is no row of data",
        "An n×d matrix takes a row of d numbers to a member of 𝒱; vectors are multiplied by n×n matrices.",
        bad=(
            "matrix U : (n, 3)\n"
            "vector x ~ N(0, 1)\n"
            "z := U x\n"
            "output mean(z^2)\n"
        ),
        good=(
            "matrix U : (n, 3)\n"
            "data X : (1, 3) = [[1, 0, 2]]\n"
            "z := U X[1]\n"
            "output mean(z^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E315",
        "a vector stands in a scalar slot",
        "What follows the semicolon of ψ(x; θ) are scalars, the same for all coordinates.",
        bad=(
            "ψ(a; θ) = θ a\n"
            "vector x, y ~ N(0, 1)\n"
            "output mean(ψ(x; y))\n"
        ),
        good=(
            "ψ(a; θ) = θ a\n"
            "vector x, y ~ N(0, 1)\n"
            "output mean(ψ(x; mean(y^2)))\n"
        ),
        paper="Eq. 60",
    ),
    Entry(
        "E316",
        "a value of the wrong kind",
        "Coordinatewise expressions are made of numbers, scalars and vectors.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := tanh(W)\n"
            "output mean(x)\n"
        ),
        good=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "z := tanh(W x)\n"
            "output mean(z^2)\n"
        ),
    ),
    Entry(
        "E317",
        "an index on something that has no members",
        "Indices choose members of families and entries of data; coordinates of vectors are not addressed.",
        bad=(
            "vector x, y ~ N(0, 1)\n"
            "matrix W\n"
            "output mean(x[1])\n"
        ),
        good=(
            "vector x[1..2] ~ N(0, 1)\n"
            "output mean(x[1]^2)\n"
        ),
    ),
)
