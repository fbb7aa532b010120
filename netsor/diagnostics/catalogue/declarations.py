"""E4xx: declarations, data, covariances, indices."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E401",
        "a covariance is not symmetric",
        "Cov(x, y) = Cov(y, x).",
        bad=(
            "vector a, b ~ N(0, [[1, 0.5], [0.2, 1]])\n"
            "output mean(a * b)\n"
        ),
        good=(
            "vector a, b ~ N(0, [[1, 0.5], [0.5, 1]])\n"
            "output mean(a * b)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E402",
        "a covariance is not positive semidefinite",
        "No combination of vectors has a negative variance. Singular covariances are fine.",
        bad=(
            "vector a, b ~ N(0, [[1, 2], [2, 1]])\n"
            "output mean(a * b)\n"
        ),
        good=(
            "vector a, b ~ N(0, [[1, 1], [1, 1]])\n"
            "output mean(a * b)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E403",
        "shapes do not match",
        "Data, means and covariances have the shape that their line declares.",
        bad=(
            "data X : (2, 2) = [[1, 2, 3], [4, 5, 6]]\n"
            "vector x ~ N(0, 1)\n"
            "output X[1, 1] * mean(x^2)\n"
        ),
        good=(
            "data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\n"
            "vector x ~ N(0, 1)\n"
            "output X[1, 1] * mean(x^2)\n"
        ),
    ),
    Entry(
        "E404",
        "data without a value",
        "A `data` line without `= …` gets its numbers when the program is used: `--data X=inputs.npy`.",
        bad=(
            "data X : (2, 2)\n"
            "vector x ~ N(0, 1)\n"
            "output X[1, 1] * mean(x^2)\n"
        ),
        good=(
            "data X : (2, 2) = [[1, 2], [3, 4]]\n"
            "vector x ~ N(0, 1)\n"
            "output X[1, 1] * mean(x^2)\n"
        ),
    ),
    Entry(
        "E405",
        "data that is not finite",
        "Data are finite numbers.",
        bad=(
            "data X : (2,)\n"
            "vector x ~ N(0, 1)\n"
            "output X[1] * mean(x^2)\n"
        ),
        good=(
            "data X : (2,) = [1, 2]\n"
            "vector x ~ N(0, 1)\n"
            "output X[1] * mean(x^2)\n"
        ),
        data={"X": [1.0, float("inf")]},
    ),
    Entry(
        "E406",
        "an index is out of range",
        "Rows of data count from 1; families have the members that were declared or assigned.",
        bad=(
            "vector g[1..3] ~ N(0, 1)\n"
            "output mean(g[4]^2)\n"
        ),
        good=(
            "vector g[1..3] ~ N(0, 1)\n"
            "output mean(g[3]^2)\n"
        ),
    ),
    Entry(
        "E407",
        "a whole number is expected",
        "Indices, ranges and lengths are whole numbers.",
        bad=(
            "vector g[1..3] ~ N(0, 1)\n"
            "output mean(g[1/2]^2)\n"
        ),
        good=(
            "vector g[1..3] ~ N(0, 1)\n"
            "output mean(g[4/2]^2)\n"
        ),
    ),
    Entry(
        "E408",
        "a constant is expected",
        "Indices, shapes, variances and members of 𝒞 are known before the program runs.",
        bad=(
            "vector x ~ N(0, 1)\n"
            "θ := mean(x^2)\n"
            "vector y ~ N(0, θ)\n"
            "output mean(y^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "vector y ~ N(0, 1)\n"
            "output mean(x^2) * mean(y^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E409",
        "a matrix variance of the wrong order in n",
        "Entries of an n×n matrix are N(0, σ²/n); of an n×d matrix N(0, σ²).",
        bad=(
            "vector x ~ N(0, 1)\n"
            "matrix W ~ N(0, 1)\n"
            "output mean((W x)^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "matrix W ~ N(0, 1/n)\n"
            "output mean((W x)^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E410",
        "a matrix with a mean",
        "Entries of a matrix have mean zero.",
        bad=(
            "vector x ~ N(0, 1)\n"
            "matrix W ~ N(1, 1/n)\n"
            "output mean((W x)^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "matrix W ~ N(0, 1/n)\n"
            "output mean((W x)^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E411",
        "the program is too long",
        "A program unrolls to at most a million instructions.",
        bad=(
            "vector x ~ N(0, 1)\n"
            "for i in 1..2000000:\n"
            "    y[i] := tanh(x)\n"
            "output mean(x^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "for i in 1..20:\n"
            "    y[i] := tanh(x)\n"
            "output mean(y[20]^2)\n"
        ),
    ),
    Entry(
        "E412",
        "a vector without a law",
        "Initial vectors have jointly Gaussian coordinates, and their line says which.",
        bad=(
            "vector x\n"
            "output mean(x^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "output mean(x^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E413",
        "a negative variance",
        "A variance is zero or positive.",
        bad=(
            "vector x ~ N(0, -1)\n"
            "output mean(x^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "output mean(x^2)\n"
        ),
        paper="Setup B.2",
    ),
    Entry(
        "E414",
        "a matrix of a shape that programs do not have",
        "Matrices are n×n, or n×d with a number d.",
        bad=(
            "vector x ~ N(0, 1)\n"
            "matrix W : (3, n)\n"
            "output mean(x^2)\n"
        ),
        good=(
            "vector x ~ N(0, 1)\n"
            "matrix W : (n, n)\n"
            "output mean((W x)^2)\n"
        ),
        paper="Def. B.1",
    ),
    Entry(
        "E415",
        "a row without a name",
        "An n×d matrix is applied to a row of named data, so that the listing can say which.",
        bad=(
            "matrix U : (n, 2)\n"
            "g := U([1, 2])\n"
            "output mean(g^2)\n"
        ),
        good=(
            "matrix U : (n, 2)\n"
            "data X : (1, 2) = [[1, 2]]\n"
            "g := U X[1]\n"
            "output mean(g^2)\n"
        ),
    ),
)
