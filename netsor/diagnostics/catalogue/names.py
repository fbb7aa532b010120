"""E2xx: names."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E201",
        "a name is not defined",
        "Every name is declared or assigned above the line that uses it, or is built in.",
        bad=("vector x ~ N(0, 1)\noutput mean(x * yy)\n"),
        good=("vector x, yy ~ N(0, 1)\noutput mean(x * yy)\n"),
        paper="Def. B.1",
    ),
    Entry(
        "E202",
        "a name is assigned twice",
        "A name stands for one variable of the program, so it gets a value once. Members of a family "
        "are names of their own.",
        bad=("vector x ~ N(0, 1)\ny := tanh(x)\ny := relu(x)\noutput mean(y)\n"),
        good=("vector x ~ N(0, 1)\ny := tanh(x)\nz := relu(x)\noutput mean(y * z)\n"),
        paper="Def. B.1",
    ),
    Entry(
        "E204",
        "a definition uses itself",
        "Definitions are expanded where they are used, so a definition that uses itself would never end.",
        bad=("φ(u) = 1 + φ(u)\nvector x ~ N(0, 1)\noutput mean(φ(x))\n"),
        good=("φ(u) = 1 + tanh(u)\nvector x ~ N(0, 1)\noutput mean(φ(x))\n"),
    ),
    Entry(
        "E205",
        "a value is given to what the program does not have",
        "`--set` gives a value to a `param` of the program, and `--data` to a `data` line.",
        bad=("param L = 2\nvector x ~ N(0, L)\noutput mean(x^2)\n"),
        good=("param M = 2\nvector x ~ N(0, M)\noutput mean(x^2)\n"),
        settings={"M": 3},
    ),
    Entry(
        "E206",
        "a name is used before it gets its value",
        "A program is a list of instructions, each using only what stands above it.",
        bad=("vector x ~ N(0, 1)\ny := tanh(z)\nz := relu(x)\noutput mean(y)\n"),
        good=("vector x ~ N(0, 1)\nz := relu(x)\ny := tanh(z)\noutput mean(y)\n"),
        paper="Def. B.1",
    ),
    Entry(
        "E207",
        "two parameters have one name",
        "The parameters of a definition are different names.",
        bad=("ψ(x, x) = x\nvector y ~ N(0, 1)\noutput mean(ψ(y, y))\n"),
        good=("ψ(x, z) = x * z\nvector y ~ N(0, 1)\noutput mean(ψ(y, y))\n"),
    ),
    Entry(
        "E208",
        "a name is already something else",
        "A name is a single variable or a family, not both, and it is of one kind.",
        bad=("vector x ~ N(0, 1)\nx[1] := tanh(x)\noutput mean(x)\n"),
        good=("vector x[0] ~ N(0, 1)\nx[1] := tanh(x[0])\noutput mean(x[1]^2)\n"),
    ),
    Entry(
        "E209",
        "a line that has no place in a definition",
        "A definition is expanded wherever it is used, so it declares no parameters and no data, and "
        "it asks for no outputs.",
        bad=("def f(x):\n    output m := mean(x)\n    return tanh(x)\nvector x ~ N(0, 1)\noutput mean(f(x))\n"),
        good=("def f(x):\n    return tanh(x)\nvector x ~ N(0, 1)\noutput mean(f(x))\n"),
    ),
    Entry(
        "E210",
        "definitions nested too deep",
        "Definitions are expanded where they are used. A definition may use others, at most 300 of them one inside the "
        "other.",
        bad="def f0(x):\n    return tanh(x)\n"
        + "".join(f"def f{i}(x):\n    return f{i - 1}(x)\n" for i in range(1, 302))
        + "vector x ~ N(0, 1)\noutput mean(f301(x)^2)\n",
        good="vector x[0] ~ N(0, 1)\nfor i in 1..302:\n    x[i] := tanh(x[i - 1])\noutput mean(x[302]^2)\n",
    ),
)
