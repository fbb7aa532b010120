"""E1xx: text and syntax."""

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import said
from netsor.diagnostics.data import Diagnostic, Edit, Label, Source, Span


def _some(edit: Edit | None) -> tuple[Edit, ...]:
    return () if edit is None else (edit,)


E101 = Entry(
    "E101",
    "a character that the language does not have",
    "Outside comments a program consists of names, numbers, the operators of the language, brackets and "
    "spaces. Typographic quotes, full-width forms and signs that merely look like an operator are refused, and "
    "the message says what is written instead.",
    "vector g ~ N(0, 1)\nx := 2 × g\n",
    "vector g ~ N(0, 1)\nx := 2 * g\n",
)


def bad_character(message: str, span: Span, label: str, hint: str, edit: Edit | None) -> Diagnostic:
    """A character, or a run of it, that belongs to nothing."""
    return E101(message, span, label, hint=hint, edits=_some(edit))


E102 = Entry(
    "E102",
    "a tab, or another blank, in the indentation",
    "Blocks are indented with spaces. A tab is as wide as an editor pleases, so that two lines that look alike "
    "could belong to different blocks.",
    "for t in 1..3:\n\tvector g[t] ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)


def tabs(first: Span, more: int, edit: Edit) -> Diagnostic:
    """A tab in the indentation, and as many more lines that have one."""
    notes = (f"{more} more line{'s are' if more > 1 else ' is'} indented with tabs",) if more else ()
    hint = "indent with spaces, four for each block"
    return E102("a tab in the indentation", first, "a tab", notes=notes, hint=hint, edits=(edit,))


def other_blank(span: Span, described: str, edit: Edit) -> Diagnostic:
    return E102(f"{described} in the indentation", span, hint="indent with spaces", edits=(edit,))


E103 = Entry(
    "E103",
    "a line is indented unlike its block",
    "All lines of one block begin at the same column. Only `for …:` and `def …:` open a block, and a block "
    "ends with the first line that stands at the column of an outer one.",
    "vector g ~ N(0, 1)\n  x := tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)


def indented(message: str, span: Span, has: int, wanted: int) -> Diagnostic:
    """`span` is the blanks before a line, `has` of them where `wanted` would be right."""
    return E103(
        message,
        span,
        f"{has} spaces",
        notes=("lines of one block are indented alike; only `for …:` and `def …:` open a block",),
        hint=f"indent it by {wanted} spaces" if wanted else "begin at the left margin",
        edits=(Edit(span, " " * wanted),),
    )


E104 = Entry(
    "E104",
    "a block is empty",
    "A line that ends in a colon opens a block: the lines below it, indented deeper. There is at least one.",
    "for t in 1..3:\nvector g ~ N(0, 1)\n",
    "for t in 1..3:\n    vector g[t] ~ N(0, 1)\n",
)


def empty_block(word: str, colon: Span, below: Span | None) -> Diagnostic:
    """A `for` or `def` without lines; `below` is the line that may have been meant."""
    step = "return u" if word == "def" else "x[t] := …"
    return E104(
        f"`{word} …:` has no block",
        colon,
        "an indented line is expected below",
        hint=f"indent the lines that belong to it by four spaces: `    {step}`",
        edits=(Edit(Span(below.source, below.start, below.start), "    "),) if below else (),
    )


E105 = Entry(
    "E105",
    "a bracket is not closed",
    "Each of ( [ ⟨ is closed by its counterpart. While a bracket is open the line goes on in the next one, up "
    "to a line that can only be a new statement.",
    "vector g ~ N(0, 1\nx := tanh(g)\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)


def unclosed(opened: Span, bracket: str, count: int, edit: Edit | None) -> Diagnostic:
    """Brackets that are open at the end of a line, the innermost at `opened`; `edit` closes them."""
    them = "it" if count == 1 else "them"
    return E105(
        f"`{bracket}` is not closed" if count == 1 else f"{count} brackets are not closed",
        opened,
        "opened here",
        hint=f"close {them} with `{edit.text}` at the end of the expression" if edit else "",
        edits=_some(edit),
    )


E106 = Entry(
    "E106",
    "a bracket closes nothing, or another kind of bracket",
    "Brackets are nested: what was opened last is closed first, by the same kind.",
    "vector g ~ N(0, 1]\n",
    "vector g ~ N(0, 1)\n",
)


def closes_nothing(span: Span, edit: Edit) -> Diagnostic:
    hint = f"remove the `{span.text}`, or open a bracket before"
    return E106(f"`{span.text}` closes nothing", span, "no bracket is open here", hint=hint, edits=(edit,))


def closed_by_another(span: Span, opened: Span, bracket: str, closing: str) -> Diagnostic:
    """A bracket that was `opened` and is not closed by its counterpart `closing`."""
    return E106(
        f"`{bracket}` is closed by `{span.text}`",
        span,
        f"`{closing}` expected",
        labels=(Label(opened, "this bracket is open"),),
        hint=f"write `{closing}` here",
        edits=(Edit(span, closing),),
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


def nested_brackets(span: Span, most: int) -> Diagnostic:
    return E107(
        f"brackets are nested more than {most} deep", span, hint="give inner parts a name on lines of their own"
    )


def nested_blocks(span: Span, most: int) -> Diagnostic:
    hint = "use one loop over a family with several indices"
    return E107(f"blocks are nested more than {most} deep", span, hint=hint)


def too_many_levels(span: Span, most: int) -> Diagnostic:
    return E107(
        f"an expression of more than {most} levels",
        span,
        notes=("each term of a long sum is a level, and so is each factor",),
        hint="give parts of it a name on lines of their own, or write a sum as `sum(i in 1..N: …)`",
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


def foreign_operator(span: Span, spelling: str, hint: str, notes: tuple[str, ...], edit: Edit | None) -> Diagnostic:
    message = f"`{spelling}` is not an operator of the language"
    return E109(message, span, hint=hint, notes=notes, edits=_some(edit))


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


def leibniz(factor: Span, function: str, edit: Edit) -> Diagnostic:
    """d/dx f(x), which reads as a quotient."""
    return E113(
        "a derivative has a prime",
        factor,
        f"the derivative of `{function}`?",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def ambiguous_divisor(factor: Span, divisor: str, hint: str, edits: tuple[Edit, ...]) -> Diagnostic:
    return E113(
        "after `/` a juxtaposed factor needs brackets",
        factor,
        f"divides, or multiplies the quotient by `{divisor}`?",
        hint=hint if len(hint) < 100 else "put the divisor, or the whole quotient, in brackets",
        edits=edits,
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


def not_a_label(span: Span, text: str, meant: str, edit: Edit) -> Diagnostic:
    """`meant` is the label that this looks like, '' for none."""
    return E115(
        f"`{text}` is not a label",
        span,
        "before a colon stands a label",
        notes=("the labels are `INIT`, `MATMUL`, `NONLIN`, `NONLIN+` and `MOMENT`",),
        hint=f"write `{meant}:`, or leave the label out" if meant else "leave it out",
        edits=(edit,),
    )


E116 = Entry(
    "E116",
    "`return` is misplaced or missing",
    "A `def` ends with one `return` line at the indentation of its steps, and `return` stands nowhere else.",
    "def centre(x):\n    m := mean(x)\n",
    "def centre(x):\n    m := mean(x)\n    return x - m\n",
)


def after_return(span: Span, returned: Span) -> Diagnostic:
    return E116(
        "nothing follows `return` in a definition",
        span,
        "never reached",
        labels=(Label(returned, "the definition ends here"),),
        hint="put `return` last",
    )


def return_outside(span: Span, in_loop: bool, value: str) -> Diagnostic:
    """A `return` in a loop of a definition, or in none; `value` is what follows it, '' where that does not parse."""
    hint = "put it last in the `def`, at the indentation of its steps" if in_loop else f"write `output {value or '…'}`"
    return E116(
        "`return` stands at the end of a `def`",
        span,
        "inside a loop" if in_loop else "no definition is open here",
        hint=hint,
        edits=() if in_loop or not value else (Edit(span, "output"),),
    )


def second_return(span: Span, first: Span, edit: Edit) -> Diagnostic:
    return E116(
        "a definition has one `return`",
        span,
        "a second one",
        labels=(Label(first, "the first is here"),),
        hint="remove this line",
        edits=(edit,),
    )


def returns_nothing(span: Span, name: str) -> Diagnostic:
    hint = "end the block with `return …`"
    return E116(f"`{name}` returns nothing", span, "a `return` line is missing", hint=hint)


E117 = Entry(
    "E117",
    "a range is not understood",
    "A range is `low..high` with both ends included. Ranges stand in `for t in 1..T:`, in `sum(t in 1..T: …)`, "
    "in declarations, `matrix W[1..L]`, and in what `train` names.",
    "param T = 3\nfor t in T:\n    vector g[t] ~ N(0, 1)\n",
    "param T = 3\nfor t in 1..T:\n    vector g[t] ~ N(0, 1)\n",
)


def range_of_scalar(span: Span, name: str) -> Diagnostic:
    return E117(
        "a `scalar` line with `=` gives one number",
        span,
        "a range cannot stand here",
        hint=f"for a family of constants write `param {name}[i in {span.text}] = …`",
    )


E118 = Entry(
    "E118",
    "the header is not the first line",
    "A file has at most one header, `program NAME` or `network NAME(ξ : d)`. Only `param` lines may precede it.",
    "vector g ~ N(0, 1)\nprogram late\n",
    "program early\nvector g ~ N(0, 1)\n",
)


def second_header(span: Span, first: Span, edit: Edit) -> Diagnostic:
    return E118(
        "a file has one header",
        span,
        "a second one",
        labels=(Label(first, "the first is here"),),
        hint="remove this line",
        edits=(edit,),
    )


def late_header(span: Span, word: str, before: Span, edit: Edit) -> Diagnostic:
    return E118(
        f"`{word} …` stands first in a file",
        span,
        "only `param` and `include` lines may precede it",
        labels=(Label(before, "this came before"),),
        hint="move this line to the top",
        edits=(edit,),
    )


E119 = Entry(
    "E119",
    "a value is missing",
    "An operator has a value on both of its sides, a comma something behind it, and `:=` an expression. An "
    "expression goes on in the next line only inside brackets.",
    "vector g ~ N(0, 1)\nx := g +\n",
    "vector g ~ N(0, 1)\nx := g + 1\n",
)


def no_expression(span: Span) -> Diagnostic:
    return E119("an expression is missing", span)


E120 = Entry(
    "E120",
    "something stands where it cannot",
    "The line is understood up to the marked place. The message says what could follow there.",
    "vector g ~ N(0, 1)\nx := leaky_relu(g, slope = 0.2)\n",
    "vector g ~ N(0, 1)\nx := leaky_relu(g, 0.2)\n",
)


def several_lines(second: Span) -> Diagnostic:
    return E120("more than one line where one expression is expected", second)


E121 = Entry(
    "E121",
    "a law is not understood",
    "The members of 𝒲 and 𝒱 are Gaussian: behind `~` stands `N(mean, variance)`, for jointly Gaussian vectors "
    "with a list of means, or 0, and a matrix of covariances.",
    "vector g ~ N(1)\n",
    "vector g ~ N(0, 1)\n",
    "Setup B.2",
)


def unknown_law(message: str, span: Span, hint: str, notes: tuple[str, ...], edits: tuple[Edit, ...]) -> Diagnostic:
    return E121(message, span, "the laws are `N` and `U`", hint=hint, notes=notes, edits=edits)


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


def no_promise(span: Span, edit: Edit) -> Diagnostic:
    return E123(
        "the middle of a line with `:=` and `=` is `ψ(vectors; scalars)`",
        span,
        "this promises nothing",
        hint="write `ψ(x, y; θ)` with the names that the right side uses, or leave it out",
        edits=(edit,),
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


def not_a_name(span: Span) -> Diagnostic:
    return E125(
        "left of `:=` stands a name",
        span,
        "this is not a name",
        hint="write `output f := …`, or `output f[i] := …` for a member of a family",
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


def too_large(span: Span, said: str) -> Diagnostic:
    """`said` is the number, with its verb."""
    return E127(f"{said} too large", span, notes=("numbers are below 1.8e308",))


def not_a_number(span: Span, meant: str) -> Diagnostic:
    """`1_000`, `1.` and the like; `meant` is how that is written here, '' where it is not known."""
    return E127(
        f"`{span.text}` is not a number",
        span,
        notes=("a number is digits, with digits after its point: `1000`, `0.5`, `1e-5`",),
        hint=f"write `{meant}`" if meant else "",
        edits=(Edit(span, meant, safe=True),) if meant else (),
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


def too_many_primes(span: Span, count: int, most: int) -> Diagnostic:
    return E128(f"{count} primes", span, hint=f"at most {most} derivatives can be taken")


def primes_and_names(span: Span, order: int, names: int, edit: Edit) -> Diagnostic:
    return E128(
        f"{order} primes with {names} names",
        span,
        "one name for each prime",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


E129 = Entry(
    "E129",
    "brackets without content",
    "A function is applied to at least one value and has at least one parameter, an index is at least one "
    "constant, and round brackets enclose a value.",
    "vector g ~ N(0, 1)\nx := tanh()\n",
    "vector g ~ N(0, 1)\nx := tanh(g)\n",
)


def no_parameter(span: Span, name: str, edit: Edit) -> Diagnostic:
    hint = f"name its coordinate: `{name}(u) = …`; a constant is `scalar {name} = …`"
    return E129(f"`{name}` has no parameter", span, hint=hint, edits=(edit,))


def no_argument(span: Span, function: str, edit: Edit) -> Diagnostic:
    return E129(
        f"`{function}` is applied to nothing",
        span,
        "a value is missing here",
        hint=f"write `{function}(x)`",
        edits=(edit,),
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


def def_in_block(span: Span, where: str) -> Diagnostic:
    return E131(
        f"a definition cannot stand inside {where}",
        span,
        hint="move the `def` to the left margin, before the line that uses it",
    )


def include_in_block(span: Span, word: str, edit: Edit) -> Diagnostic:
    return E131(
        f"a file cannot be included inside `{word}`",
        span,
        "a line of the file, not of a block",
        hint="move this line to the top",
        edits=(edit,),
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


def no_statement(source: Source) -> Diagnostic:
    start = Span(source, 0, 0)
    return E133(
        "the file holds no statement",
        start,
        hint="begin with a declaration, such as `vector v ~ N(0, 1)`",
        edits=(Edit(start, "vector v ~ N(0, 1)\n"),),
    )
