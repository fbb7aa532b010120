"""E1xx: text and syntax."""

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import said
from netsor.diagnostics.data import Diagnostic, Edit, Span

E101 = Entry(
    "E101",
    "a character that the language does not have",
    "Outside comments a program consists of names, numbers, the operators of the language, brackets and "
    "spaces. Typographic quotes, full-width forms and signs that merely look like an operator are refused, and "
    "the message says what is written instead.",
    "vector g ~ N(0, 1)\nx := 2 × g\n",
    "vector g ~ N(0, 1)\nx := 2 * g\n",
)

E102 = Entry(
    "E102",
    "a tab, or another blank, in the indentation",
    "Blocks are indented with spaces. A tab is as wide as an editor pleases, so that two lines that look alike "
    "could belong to different blocks.",
    "for t in 1..3:\n\tvector g[t] ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)

E103 = Entry(
    "E103",
    "a line is indented unlike its block",
    "All lines of one block begin at the same column. Only `for …:` and `def …:` open a block, and a block "
    "ends with the first line that stands at the column of an outer one.",
    "vector g ~ N(0, 1)\n  x := tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)

E104 = Entry(
    "E104",
    "a block is empty",
    "A line that ends in a colon opens a block: the lines below it, indented deeper. There is at least one.",
    "for t in 1..3:\nvector g ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)

E105 = Entry(
    "E105",
    "a bracket is not closed",
    "Each of ( [ ⟨ is closed by its counterpart. While a bracket is open the line goes on in the next one, up "
    "to a line that can only be a new statement.",
    "vector g ~ N(0, 1\nx := tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)

E106 = Entry(
    "E106",
    "a bracket closes nothing, or another kind of bracket",
    "Brackets are nested: what was opened last is closed first, by the same kind.",
    "vector g ~ N(0, 1]\n",
    "vector g ~ N(0, 1)\n",
)

E107 = Entry(
    "E107",
    "nested too deep",
    "Brackets may be nested 200 deep, blocks 50 deep, and an expression has at most 500 levels, where each "
    "term of a long sum is a level. Parts of a larger one are given names on lines of their own; a regular one "
    "is a loop.",
    "y := " + "(" * 201 + "x" + ")" * 201 + "\n",
    "y := ((x))\n",
)

E108 = Entry(
    "E108",
    "`=` and `:=` are confused",
    "`:=` gives a value that is computed to a name. `=` belongs to declarations, `scalar c = 2` and `param L = "
    "3`, and to definitions, `φ(u) = tanh(u)`. `==` compares, in the condition of an `if`.",
    "vector g ~ N(0, 1)\nx = tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)

E109 = Entry(
    "E109",
    "an operator of another language",
    "The operators are + - * ⊙ · / ^ @ and √, with the comparisons < <= > >= == != and the words `and`, `or` "
    "and `not` in conditions.",
    "vector g ~ N(0, 1)\nx := g**2\n",
    "vector g ~ N(0, 1)\nx := g^2\n",
)


def comment(span: Span, text: str) -> Diagnostic:
    """What another language's sign makes a comment; `span` reaches to the end of the line."""
    edit = Edit(span, f"# {text}")
    return E109("a comment begins with `#`", span, hint=f"write {said(edit)}", edits=(edit,))


E110 = Entry(
    "E110",
    "a block's first line lacks its colon",
    "`for` and `def` lines end with a colon.",
    "for t in 1..3\n    vector g[t] ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)

E111 = Entry(
    "E111",
    "a word of the language cannot be a name",
    "The keywords are program network param data scalar matrix vector train def return for in if then else and "
    "or not output; n is the width and pi the number. All other names may be used, those of built-in functions "
    "too.",
    "scalar pi = 3\n",
    "scalar m = 3\n",
    "n is the width throughout the paper; Definition B.1",
)

E112 = Entry(
    "E112",
    "a comparison outside a condition",
    "Comparisons, `and`, `or` and `not` stand between `if` and `then`; each comparison is of two values. After "
    "a value `<` compares, so that an inner product that is juxtaposed is written ⟨x, y⟩.",
    "vector g ~ N(0, 1)\nx := g > 0\n",
    "vector g ~ N(0, 1)\nx := if g > 0 then 1 else 0\n",
)

E113 = Entry(
    "E113",
    "a juxtaposed factor after a quotient",
    "In `a / b c` the c could divide or multiply. Write `a / (b c)` or `(a / b) c`. A product before the slash "
    "is not ambiguous: `xᵀ y / n` is (xᵀ y)/n.",
    "vector g ~ N(0, 1)\nscalar c = 2\nx := 1 / c g\n",
    "vector g ~ N(0, 1)\nscalar c = 2\nx := (1 / c) g\n",
)

E114 = Entry(
    "E114",
    "a root of more than one thing",
    "`√` takes one number, name or bracket, so that `√n (…)` is a product as in the paper. The root of a "
    "function's value is `√(f(x))`.",
    "vector g ~ N(0, 1)\nx := √exp(g)\n",
    "vector g ~ N(0, 1)\nx := √(exp(g))\n",
)

E115 = Entry(
    "E115",
    "no such label",
    "Before a colon stands INIT, MATMUL, NONLIN, NONLIN+ or MOMENT: a claim about the instruction on the line, "
    "which the checker verifies. Lines without a label are as good.",
    "vector g ~ N(0, 1)\nNonlinear: x := tanh(g)\n",
    "vector g ~ N(0, 1)\nNONLIN: x := tanh(g)\n",
    "Definition B.1",
)

E116 = Entry(
    "E116",
    "`return` is misplaced or missing",
    "A `def` ends with one `return` line at the indentation of its steps, and `return` stands nowhere else.",
    "def centre(x):\n    m := mean(x)\n",
    "def centre(x):\n    m := mean(x)\n    return x - m\n",
)

E117 = Entry(
    "E117",
    "a range is not understood",
    "A range is `low..high` with both ends included. Ranges stand in `for t in 1..T:`, in `sum(t in 1..T: …)`, "
    "in declarations, `matrix W[1..L]`, and in what `train` names.",
    "param T = 3\nfor t in T:\n    vector g[t] ~ N(0, 1)\n",
    "param T = 3\nfor t in 1..T:\n    vector g[t] ~ N(0, 1)\n",
)

E118 = Entry(
    "E118",
    "the header is not the first line",
    "A file has at most one header, `program NAME` or `network NAME(ξ : d)`. Only `param` lines may precede it.",
    "vector g ~ N(0, 1)\nprogram late\n",
    "program early\nvector g ~ N(0, 1)\n",
)

E119 = Entry(
    "E119",
    "a value is missing",
    "An operator has a value on both of its sides, a comma something behind it, and `:=` an expression. An "
    "expression goes on in the next line only inside brackets.",
    "vector g ~ N(0, 1)\nx := g +\n",
    "vector g ~ N(0, 1)\nx := g + 1\n",
)

E120 = Entry(
    "E120",
    "something stands where it cannot",
    "The line is understood up to the marked place. The message says what could follow there.",
    "vector g ~ N(0, 1)\nx := leaky_relu(g, slope = 0.2)\n",
    "vector g ~ N(0, 1)\nx := leaky_relu(g, 0.2)\n",
)

E121 = Entry(
    "E121",
    "a law is not understood",
    "The members of 𝒲 and 𝒱 are Gaussian: behind `~` stands `N(mean, variance)`, for jointly Gaussian vectors "
    "with a list of means, or 0, and a matrix of covariances.",
    "vector g ~ N(1)\n",
    "vector g ~ N(0, 1)\n",
    "Setup B.2",
)

E122 = Entry(
    "E122",
    "a declaration is incomplete",
    "`param L = 3` and `scalar c = 2` have a value, `data X : (4, 3)` has a shape, `matrix` and `vector` have "
    "a law after `~` or none, and `network f(ξ : 3)` says the dimension of each input.",
    "param L\n",
    "param L = 3\n",
)

E123 = Entry(
    "E123",
    "a promise is not understood",
    "In `x := ψ(y, z; θ) = …` the middle promises that the right side uses just the vectors before the "
    "semicolon and just the scalars behind it. It is a name applied to them.",
    "vector g ~ N(0, 1)\nx := g = tanh(g)\n",
    "vector g ~ N(0, 1)\nx := ψ(g) = tanh(g)\n",
    "Equations 60 and 61",
)

E124 = Entry(
    "E124",
    "a conditional is incomplete",
    "A conditional is `if C then A else B`, where C compares values. It binds looser than every operator, so "
    "that as an operand it needs brackets.",
    "vector g ~ N(0, 1)\nx := if g > 0 then g\n",
    "vector g ~ N(0, 1)\nx := if g > 0 then g else 0\n",
)

E125 = Entry(
    "E125",
    "a line is not a statement",
    "A statement is a declaration, a definition, a loop, an output, or `NAME := EXPRESSION`, which gives a "
    "value to one name. An expression alone does nothing.",
    "matrix W\nvector g ~ N(0, 1)\nW g\n",
    "matrix W\nvector g ~ N(0, 1)\nh := W g\n",
)

E126 = Entry(
    "E126",
    "the head of a definition is not understood",
    "A function's parameters are names, without default values: `φ(u) = …`, and `ψ(x, y; θ) = …` with scalars "
    "after the semicolon. `def name(x):` is built alike.",
    "φ(2) = 3\n",
    "φ(u) = 3 u\n",
)

E127 = Entry(
    "E127",
    "a number is malformed or too large",
    "A number is digits, with digits after its point, and perhaps an exponent: `1000`, `0.5`, `.5`, "
    "`1e-5`. Digits are not grouped, and the value is below 1.8e308.",
    "scalar c = 1_000\n",
    "scalar c = 1000\n",
)

E128 = Entry(
    "E128",
    "a prime or an index on what cannot bear it",
    "Primes stand directly behind the name of a function, before its argument: `φ'(u)`, and `ψ'[x](x, y)` for "
    "the partial derivative by the parameter x. Indices stand directly behind a name, before a transpose: "
    "`W[l]ᵀ`.",
    "φ(u) = tanh(u)\nvector g ~ N(0, 1)\nx := φ(g)'\n",
    "φ(u) = tanh(u)\nvector g ~ N(0, 1)\nx := φ'(g)\n",
)

E129 = Entry(
    "E129",
    "brackets without content",
    "A function is applied to at least one value and has at least one parameter, an index is at least one "
    "constant, and round brackets enclose a value.",
    "vector g ~ N(0, 1)\nx := tanh()\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)

E130 = Entry(
    "E130",
    "a block begins on the line of its head",
    "What follows the colon of `for` or `def` stands on lines of its own, indented.",
    "for t in 1..3: vector g[t] ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)

E131 = Entry(
    "E131",
    "a definition inside a block",
    "`def` stands at the left margin. A definition holds for the whole file after it.",
    "for t in 1..3:\n    def f(x):\n        return x\n    vector g[t] ~ N(0, 1)\n",
    "def f(x):\n    return x\nfor t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)

E132 = Entry(
    "E132",
    "written as in another language",
    "A program is typed as plain text, without LaTeX commands, modules, methods or keywords of other languages. "
    "The message says how the same is written here; where the whole line can be, it is.",
    "vector g ~ N(0, 1)\nx := np.tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)

E133 = Entry(
    "E133",
    "a file without a statement",
    "A program declares or computes something; a file that is empty or holds only comments does not.",
    "# nothing yet\n",
    "vector g ~ N(0, 1)\noutput m := mean(g^2)\n",
)
