"""The language, sentence by sentence: what is legal is checked and lowered, what is an error has its diagnostic."""

import pytest

from netsor.check import Report, check_source
from netsor.core import DataRef, InputRef, MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Source
from netsor.show.listing import listing

HEAD = "vector x, y, v ~ N(0, 1)\nmatrix W, A\nθ := mean(x^2)\nscalar c = 2\n"
END = "output mean(x)\n"


def check(text: str, settings: dict | None = None, data: dict | None = None) -> Report:
    return check_source(Source("text", text), settings, data)


def core(text: str, **outside) -> Program:
    """The core of a valid program; its listing gives it back."""
    report = check(text, **outside)
    assert report.diagnostics == () and report.program is not None, report.diagnostics
    again = check(listing(report.program))
    assert again.program == report.program, listing(report.program)
    return report.program


def made(line: str, before: str = HEAD) -> list[str]:
    """The instructions that a line is lowered to, as the listing has them."""
    first = len(core(before + END).instructions) - 1
    program = core(before + line + END)
    shown = [line for line in listing(program).splitlines() if ":=" in line and ":" in line.split(" ")[0]]
    inits = len(program.embeddings)
    return [" ".join(s.split()) for s in shown[inits + first : -1]]


def codes(text: str, **outside) -> list[str]:
    return [d.code for d in check(text, **outside).diagnostics]


# --- declarations -----------------------------------------------------------------------------------------------------


def test_params() -> None:
    text = "param L = 3\nparam M = 2 L\nvector x[1..M] ~ N(0, L)\noutput m := mean(x[M]^2)\n"
    assert len(core(text).groups) == 6
    assert core(text, settings={"L": 1}).groups[0].covariance == ((1.0,),)
    assert codes(text, settings={"K": 1}) == ["E205"]
    assert codes("param L = mean(x)\n" + HEAD + END)[0] in ("E201", "E206", "E408")


def test_data() -> None:
    text = "data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\nvector x ~ N(0, 1)\noutput s := X[2, 3] * mean(x^2)\noutput d := ⟨X[1], X[2]⟩\n"
    program = core(text)
    assert program.datum["X"].shape == (2, 3)
    assert program.by_name["d"].psi.value == 32
    outside = text.replace(" = [[1, 2, 3], [4, 5, 6]]", "")
    assert codes(outside) == ["E404"]
    assert core(outside, data={"X": (((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), (2, 3))}).by_name["d"].psi.value == 32
    assert codes(outside, data={"X": (((1.0, 2.0),), (1, 2))}) == ["E403"]
    assert codes(outside, data={"X": ((1.0,), (1,)), "Y": ((1.0,), (1,))})[0] == "E205"
    for index in ("[0, 1]", "[3, 1]", "[1, 4]", "[1, 1, 1]"):
        assert codes(text.replace("[2, 3] *", f"{index} *")) == ["E406"], index
    assert codes("data X : (2,) = [1, 2, 3]\n" + HEAD + END) == ["E403"]
    assert codes("data X : (2, 2) = [[1, 2], [3]]\n" + HEAD + END) == ["E403"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1/√n", None),
        ("(1 + 1/n)^n", None),
        ("√(n+1) - √n", None),
        ("sin(n)/n", None),
        ("n/(2 n + 1)", None),
        ("3", None),
        ("exp(-n)", None),
        ("√n", "E503"),
        ("log(n)", "E503"),
        ("n^0.1 - 5", "E503"),
        ("exp(n)", "E503"),
        ("sin(n)", "E501"),
        ("mean(x)", "E408"),
        ("x", "E408"),
        ("1/0", "E506"),
        ("log(-n)", "E501"),
    ],
)
def test_scalars_are_members_of_c(value: str, code: str | None) -> None:
    assert codes(f"vector x ~ N(0, 1)\nscalar ε = {value}\noutput m := ε * mean(x^2)\n") == ([code] if code else [])


def test_a_divergent_factor_shows_its_rate() -> None:
    for value, rate in (("√n", "√n"), ("n^2", "n^2"), ("n log(n)", "n log n"), ("n^0.25", "n^0.25")):
        (d,) = check(f"vector x ~ N(0, 1)\nz := ({value}) x\noutput mean(z^2)\n").diagnostics
        assert d.code == "E501" and f"grows like {rate} " in d.message


@pytest.mark.parametrize(
    ("law", "variance"),
    [
        ("", 1.0),
        (" ~ N(0, 1/n)", 1.0),
        (" ~ N(0, 2/n)", 2.0),
        (" ~ N(0, (1 + 1)/n)", 2.0),
        (" : (n, n)", 1.0),
        (" ~ N(0, 1/(2 n))", 0.5),
    ],
)
def test_matrices(law: str, variance: float) -> None:
    program = core(f"matrix W, V{law}\nvector x ~ N(0, 1)\noutput mean((W V x)^2)\n")
    assert [(m.name, m.variance) for m in program.matrices] == [("W", variance), ("V", variance)]


@pytest.mark.parametrize(
    ("line", "code"),
    [("matrix W ~ N(0, 1)", "E409"), ("matrix W ~ N(0, 1/n^2)", "E409"), ("matrix W ~ N(1, 1/n)", "E410"), ("matrix W ~ N(0, -1/n)", "E413"),
     ("matrix U : (n, 3) ~ N(0, 1/n)", "E409"), ("matrix U : (3, n)", "E414"), ("matrix U : (n, 0)", "E414"), ("matrix U : (3, 3)", "E414"),
     ("vector q", "E412"), ("vector q ~ N(0, -1)", "E413"), ("vector q ~ N(0, 1/n)", "E408"), ("vector q ~ N(θ, 1)", "E408"),
     ("vector a, b ~ N(0, [[1, 2], [2, 1]])", "E402"), ("vector a, b ~ N(0, [[1, 0.5], [0.4, 1]])", "E401"), ("vector a, b ~ N(0, [[1]])", "E403"),
     ("vector a, b ~ N([0, 0, 0], 1)", "E403"), ("vector a, b, d ~ N(0, [[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]])", "E402"),
     ("vector x ~ N(0, 1)", "E202"), ("vector q[1..1.5] ~ N(0, 1)", "E407"), ("vector q[1..2000000] ~ N(0, 1)", "E411")],
)  # fmt: skip
def test_faulty_declarations(line: str, code: str) -> None:
    assert codes(HEAD + line + "\n" + END) == [code]


def test_vectors() -> None:
    program = core(
        "param ρ = 0.5\ndata K : (2, 2) = [[1, 0.5], [0.5, 1]]\nvector a, b ~ N([0, 1], [[1, ρ], [ρ, 2]])\nvector p, q ~ N(0, 3)\n"
        "vector g[1..2] ~ N(0, K)\nvector h[0..1] ~ N(0, 2)\nvector zero ~ N(0, 0)\nvector s, t ~ N(0, [[1, 1], [1, 1]])\n"
        "output mean(a * b * p * q * g[1] * h[0] * zero * s)\n"
    )
    assert [g.names for g in program.groups] == [
        ("a", "b"), ("p",), ("q",), ("g[1]", "g[2]"), ("h[0]",), ("h[1]",), ("zero",), ("s", "t"),
    ]  # fmt: skip
    assert program.groups[0].mean == (0, 1) and program.groups[0].covariance == ((1, 0.5), (0.5, 2))
    assert program.groups[3].covariance == ((1, 0.5), (0.5, 1))


def test_one_member_of_a_family_may_be_declared_and_others_assigned() -> None:
    program = core(
        "vector x[0] ~ N(0, 1)\nmatrix W[1..2]\nfor l in 1..2:\n    x[l] := tanh(W[l] x[l-1])\noutput mean(x[2]^2)\n"
    )
    assert [i.name for i in program.instructions][-2:] == ["x[2]", "out"]
    assert codes("vector x[1..3] ~ N(0, 1)\nx[2] := tanh(x[1])\noutput mean(x[2])\n") == ["E202"]
    assert codes("vector x[0] ~ N(0, 1)\ny := x[1]\nx[1] := tanh(x[0])\noutput mean(y)\n") == ["E206"]


def test_rows_of_data_through_an_input_matrix() -> None:
    head = "data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\nmatrix U : (n, 3) ~ N(0, 1/3)\nmatrix W\nvector x ~ N(0, 1)\n"
    program = core(head + "INIT: g := U X[1]\nh := W (U X[2])\nk := U X[2]\nl := U X[2]\noutput mean(g * h * k * l)\n")
    assert [(e.name, e.source) for e in program.embeddings] == [
        ("g", DataRef("X", (1,))), ("h_1", DataRef("X", (2,))), ("k", DataRef("X", (2,))), ("l", DataRef("X", (2,))),
    ]  # fmt: skip
    assert all(program.kind_of(e.name) == "G-var" for e in program.embeddings)
    for line, code in (
        ("U x", "E312"),
        ("U X", "E403"),
        ("W X[1]", "E304"),
        ("U X[3]", "E406"),
        ("Uᵀ x", "E312"),
        ("U W x", "E312"),
    ):
        assert codes(f"{head}z := {line}\n{END}") == [code], line
    assert codes(head.replace("(n, 3)", "(n, 2)") + "z := U X[1]\n" + END) == ["E403"]


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "instructions"),
    [
        ("h := W x", ["MATMUL: h := W x"]), ("h := W @ x", ["MATMUL: h := W x"]), ("h := Wᵀ x", ["MATMUL: h := Wᵀ x"]),
        ("h := W^T x", ["MATMUL: h := Wᵀ x"]), ("h := W(x)", ["MATMUL: h := W x"]), ("h := Wᵀᵀ x", ["MATMUL: h := W x"]),
        ("h := W(x + y)", ["NONLIN: h_1 := ψ(x, y) = x + y", "MATMUL: h := W h_1"]),
        ("h := W x + W y", ["MATMUL: h_1 := W x", "MATMUL: h_2 := W y", "NONLIN: h := ψ(h_1, h_2) = h_1 + h_2"]),
        ("h := c Wᵀ W x", ["MATMUL: h_1 := W x", "MATMUL: h_2 := Wᵀ h_1", "NONLIN+: h := ψ(h_2; c) = c * h_2"]),
        ("h := W x^2", ["NONLIN: h_1 := x^2", "MATMUL: h := W h_1"]),
        ("h := -x^2", ["NONLIN: h := -x^2"]), ("h := θ(x + y)", ["NONLIN+: h := ψ(x, y; θ) = θ * (x + y)"]),
        ("h := x / θ", ["MOMENT: h_1 := ψ(; θ) = 1 / θ", "NONLIN+: h := ψ(x; h_1) = x * h_1"]),
        ("s := mean(x * y)", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]), ("s := xᵀ y / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := ⟨x, y⟩ / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]), ("s := <x, y> / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := xᵀ W y / n", ["MATMUL: s_1 := W y", "MOMENT: s := ψ(x, s_1) = xᵀ s_1 / n"]),
        ("s := θ xᵀ y / n", ["MOMENT: s := ψ(x, y; θ) = mean(θ * x * y)"]),
        ("s := θ^2 + c", ["MOMENT: s := ψ(; θ, c) = θ^2 + c"]),
        ("h := x yᵀ v / n", ["MOMENT: h_1 := ψ(y, v) = yᵀ v / n", "NONLIN+: h := ψ(x; h_1) = x * h_1"]),
        ("h := W φ(x) + y", ["NONLIN: h_1 := tanh(x)", "MATMUL: h_2 := W h_1", "NONLIN: h := ψ(h_2, y) = h_2 + y"]),
        ("h := √n (tanh(x + y/√n) - tanh(x))", ["NONLIN+: h := ψ(x, y; 1/√n) = √n * (tanh(x + y / √n) - tanh(x))"]),
        ("h := x", ["NONLIN: h := x"]), ("h := tanh (x)", ["NONLIN: h := tanh(x)"]),
    ],
)  # fmt: skip
def test_what_a_line_is_lowered_to(line: str, instructions: list[str]) -> None:
    before = HEAD
    if "φ" in line:
        line = line.replace("φ", "tanh")
    assert made(line + "\n", before) == instructions


@pytest.mark.parametrize(
    ("line", "label"),
    [("h := W x", "MATMUL"), ("h := Wᵀ x", "MATMUL"), ("h := W(x + y)", "MATMUL"), ("h := tanh(x)", "NONLIN"), ("h := x + y", "NONLIN"),
     ("h := c x", "NONLIN+"), ("h := x/√n", "NONLIN+"), ("h := x / θ", "NONLIN+"), ("s := mean(tanh(x))", "MOMENT"), ("s := θ xᵀ y / n", "MOMENT"),
     ("s := c - 3", "MOMENT"), ("s := 2 xᵀ y / n + mean(x)", "MOMENT")],
)  # fmt: skip
def test_true_labels(line: str, label: str) -> None:
    for claimed in ("MATMUL", "NONLIN", "NONLIN+", "NONLIN⁺", "MOMENT", "INIT"):
        true = claimed.replace("⁺", "+") == label or (label == "NONLIN" and claimed in ("NONLIN+", "NONLIN⁺"))
        assert codes(f"{HEAD}{claimed}: {line}\n{END}") == ([] if true else ["E504"]), claimed


@pytest.mark.parametrize(
    "line",
    ["MATMUL: h := W tanh(x)", "MATMUL: h := 2 W x", "MATMUL: h := W A x", "NONLIN+: h := x - mean(x)", "NONLIN: h := W x + y", "MOMENT: s := mean(W x)",
     "MOMENT: s := mean(x)^2", "MOMENT: s := xᵀ W y / n"],
)  # fmt: skip
def test_a_labelled_line_is_a_single_instruction(line: str) -> None:
    (d,) = check(HEAD + line + "\n" + END).diagnostics
    assert d.code == "E504" and "several instructions" in d.message


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("h := ψ(x, y; θ) = θ x + y", []), ("h := ψ(x; 1/√n) = x / √n", []), ("h := ψ(x; θ, 1/√n) = θ x / √n", []), ("s := ψ(x, y) = xᵀ y / n", []),
        ("s := ψ(; θ) = θ^2", []), ("h := ψ(y, x) = x - y", []), ("MATMUL: h := ψ(x) = W x", []), ("h := ψ(x, y) = tanh(W y) + x", []),
        ("h := ψ(x; θ/2) = θ/2 * x", []), ("h := ψ(x) = x y", ["E301"]),
        ("h := ψ(x) = x + y", ["E505"]), ("h := ψ(x) = θ x", ["E505"]), ("h := ψ(x) = x / √n", ["E505"]), ("h := ψ(x) = tanh(W y) + x", ["E505"]),
        ("h := ψ(θ; x) = θ x", ["E505"]), ("h := ψ(x, y) = tanh(x)", ["W902"]), ("h := ψ(x; θ) = tanh(x)", ["W902"]),
        ("h := ψ(x; mean(y)) = tanh(x)", ["E505"]), ("h := ψ(q) = tanh(x)", ["E201"]),
    ],
)  # fmt: skip
def test_promises(line: str, found: list[str]) -> None:
    assert codes(f"{HEAD}{line}\n{END}") == found


def test_a_promise_gives_the_order_and_is_no_name() -> None:
    program = core("ψ(u) = u^2\n" + HEAD + "h := ψ(y, x) = x - y\nk := ψ(h)\noutput mean(k)\n")
    i = program.by_name["h"]
    assert isinstance(i, Nonlin) and i.vectors == ("y", "x")


def test_a_promise_looks_through_results_of_earlier_lines() -> None:
    assert codes(HEAD + "q := x ⊙ y * mean(tanh(x))\nz := ψ(x) = mean(tanh(x)) * x\noutput mean(z)\n") == []


@pytest.mark.parametrize(
    ("expression", "code"),
    [("x y", "E301"), ("x tanh(y)", "E301"), ("W * x", "E302"), ("x ⊙ W", "E302"), ("W A", "E303"), ("(W A) x", "E303"), ("xᵀ W", "E303"), ("(2 W) x", "E303"),
     ("W + A", "E303"), ("-W", "E303"), ("W 3", "E304"), ("W θ", "E304"), ("x @ y", "E304"), ("x(y)", "E305"), ("θ(x, y)", "E305"), ("tanh(x, y)", "E306"),
     ("max(x)", "E306"), ("clip(x, 1)", "E306"), ("mean(x, y)", "E306"), ("tanh", "E307"), ("tanh x", "E307"), ("xᵀ", "E309"), ("xᵀ + y", "E309"),
     ("xᵀ * y", "E309"), ("(x yᵀ) v / n", "E309"), ("W xᵀ", "E309"), ("θᵀ", "E309"), ("max'(x, y)", "E311"), ("x'", "E311"), ("tanh(W)", "E316"),
     ("if W > 0 then x else y", "E316"), ("x[1]", "E317"), ("xᵀ y", "E502"), ("θ xᵀ y", "E502"), ("xᵀ y / √n", "E502"), ("⟨x, y⟩", "E502"),
     ("(xᵀ y) * (xᵀ v) / n", "E502"), ("√n x", "E501"), ("n x", "E501"), ("√n (tanh(x + y/√n) - tanh(y))", "E501"), ("n (tanh(x + y/n) - tanh(x))", "E501"),
     ("x / 0", "E506"), ("sqrt(-1) x", "E506"), ("0/0", "E506"), ("log(0)", "E506"), ("nope(x)", "E201"), ("W nope", "E201")],
)  # fmt: skip
def test_faulty_expressions(expression: str, code: str) -> None:
    assert codes(f"{HEAD}z := {expression}\n{END}") == [code]


def test_offers() -> None:
    def hint(e: str) -> str:
        return check(f"{HEAD}z := {e}\n{END}").diagnostics[0].hint

    assert "`x ⊙ y`" in hint("x y") and "`W x`" in hint("W * x") and "`tanh(x)`" in hint("tanh x")
    assert "`Wᵀ x`" in hint("xᵀ W") and "`2 W x`" in hint("(2 W) x") and "`W x + A x`" in hint("W + A")


def test_each_name_is_assigned_once() -> None:
    for line in (
        "x := tanh(y)",
        "θ := mean(x)",
        "W := tanh(x)",
        "c := 3",
        "scalar θ = 2",
        "matrix x",
        "θ(u) = u",
        "def W(u):\n    return u",
    ):
        assert codes(HEAD + line + "\n" + END) == ["E202"], line
    assert codes(HEAD + "x[1] := tanh(y)\n" + END) == ["E208"]
    assert codes("for i in 1..2:\n    z := 3\noutput z\n") == ["E202"]


# --- scopes, definitions, loops ---------------------------------------------------------------------------------------


def test_built_in_names_may_be_redefined() -> None:
    program = core(
        "tanh(u) = u^2\nvector sin, mean ~ N(0, 1)\nmatrix exp\nscalar e = 2\nz := exp tanh(sin)\noutput m := meanᵀ z / n\noutput k := ⟨z, 1⟩ / n\n"
    )
    assert [f.name for f in program.functions()] == ["tanh"]
    assert codes("vector x ~ N(0, 1)\ny := relu(x)\nrelu(u) = u^2\noutput mean(y)\n") == ["E206"]
    assert codes("vector x ~ N(0, 1)\ndef f(u):\n    return relu(u)\nrelu(u) = u^2\noutput mean(f(x))\n") == ["E206"]
    assert codes("vector x ~ N(0, 1)\nNONLIN: exp := exp(x)\noutput mean(exp)\n") == []


def test_local_names_may_hide_outer_ones() -> None:
    core(
        "matrix W\nvector y, i ~ N(0, 1)\nφ(W) = W^2\ndef f(W):\n    y := W^2\n    tanh(u) = u + 1\n    return tanh(y)\n"
        "for i in 1..2:\n    z[i] := f(y) + tanh(y) + i + φ(y)\noutput mean(z[2] * (W i) + f(y))\n"
    )


def test_functions_of_one_name_in_definitions_stay_apart() -> None:
    program = core(
        "def f(x; c):\n    φ(u) = c * u^2\n    return φ(x)\nvector x ~ N(0, 1)\noutput mean(f(x; 1) + f(x; 2))\n"
    )
    assert len({f.name for f in program.functions()}) == 2


def test_definitions_with_steps() -> None:
    program = core(
        "matrix W\ndef layernorm(x):\n    μ := mean(x)\n    σ := sqrt(mean((x - μ)^2) + 1e-5)\n    return (x - μ) / σ\n"
        "def block(x; s):\n    h := W x\n    return layernorm(x + s * layernorm(h))\n"
        "vector x ~ N(0, 1)\ny := block(block(x; 1); 0.5)\noutput mean(y^2)\n"
    )
    assert [i.name for i in program.instructions if isinstance(i, MatMul)] == ["y_h", "y_3"] or (
        sum(isinstance(i, MatMul) for i in program.instructions) == 2
    )


def test_definitions_take_matrices_functions_and_data() -> None:
    program = core(
        "def f(M, φ, x):\n    return M φ(x)\ng(x) = W tanh(x)\nmatrix W\n".replace(
            "g(x) = W tanh(x)\nmatrix W\n", "matrix W, V\ng(x) = W tanh(x)\n"
        )
        + "data X : (2,) = [1, 2]\nκ(u) = X[2] * u\nvector x ~ N(0, 1)\noutput mean(f(Vᵀ, relu, x) * g(g(x)) * κ(x))\n"
    )
    assert [(i.matrix, i.transposed) for i in program.instructions if isinstance(i, MatMul)] == [
        ("V", True),
        ("W", False),
        ("W", False),
    ]


def test_definitions_of_two_shapes_have_names_of_their_own() -> None:
    core(
        "matrix W\ndef f(x):\n    y := W x\n    return y\ndef g(x):\n    for i in 1..2:\n        y[i] := W x\n    return y[1] + y[2]\n"
        "vector x ~ N(0, 1)\nh := f(x) + g(x)\nk[1] := f(x) + g(x)\noutput mean(h * k[1])\n"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [("φ(u) = φ(u) + 1\n", "E204"), ("def f(u):\n    return f(u)\n", "E204"), ("φ(u, u) = u\n", "E207"), ("φ(u) = u / n\n", "E507"),
     ("def f(u):\n    return q u\n", "E201"), ("def f(u):\n    return g(u)\ndef g(u):\n    return f(u)\n", "E206"), ("def f(u):\n    param p = 2\n    return p u\n", "E209"),
     ("def f(u):\n    output mean(u)\n    return u\n", "E209")],
)  # fmt: skip
def test_faulty_definitions(text: str, code: str) -> None:
    assert codes(text + HEAD + END) == [code]


def test_partial_derivatives() -> None:
    head = "ψ(a, b; s) = s a b^2\nφ(u) = u^3\n" + HEAD
    core(head + "z := ψ'[b](x, y; θ) + ψ''[a, b](x, y; 1) + ψ'[s](x, y; 2) + φ''(x) + tanh''(y)\noutput mean(z)\n")
    assert codes(f"{head}z := ψ''[a](x, y; 1)\n{END}") == ["E128"]
    for e in ("ψ'(x, y; 1)", "ψ'[q](x, y; 1)", "tanh'[u](x)"):
        assert codes(f"{head}z := {e}\n{END}") == ["E311"], e
    assert codes(f"{head}z := ψ(x; y)\n{END}") == ["E306"]
    assert codes(f"{head}z := ψ(x, y; v)\n{END}") == ["E315"]


def test_loops_ranges_and_families() -> None:
    program = core(
        "vector x[-1] ~ N(0, 1)\nfor i in 0..2:\n    x[i] := tanh(x[i-1])\nfor i in 1..0:\n    y[i] := x[i]\n"
        "for i in 0..2:\n    for j in i..2:\n        output k[i, j] := mean(x[i] * x[j])\n"
        "for i in 1..2:\n    matrix M[i] ~ N(0, i/n)\n    vector b[i, 0..1] ~ N(0, i)\n    scalar s[i] = i/√n\n    q[i] := M[i] b[i, 1] + s[i] * b[i, 0]\n"
        "output total := sum(t in 1..2: mean(q[t]^2)) + sum(t in 1..0: mean(q[t]))\noutput z := sum(t in 0..1: 3)\n"
    )
    assert [o.name for o in program.outputs] == [
        "k[0,0]",
        "k[0,1]",
        "k[0,2]",
        "k[1,1]",
        "k[1,2]",
        "k[2,2]",
        "total",
        "z",
    ]
    assert program.by_name["z"].psi.value == 6


@pytest.mark.parametrize(
    ("line", "code"),
    [("output mean(g[4])", "E406"), ("output mean(g[0])", "E406"), ("output mean(g[1, 2])", "E406"), ("output mean(g[1/2])", "E407"), ("output mean(g[θ])", "E408"),
     ("output mean(g)", "E316"), ("for i in 1..θ:\n    z[i] := x", "E408"), ("for i in 1..2000000:\n    z[i] := x", "E411"),
     ("for i in 1..2000:\n    for j in 1..2000:\n        z[i, j] := x", "E411"), ("output sum(i in 1..2000: sum(j in 1..2000: mean(x)))", "E411")],
)  # fmt: skip
def test_faulty_indices(line: str, code: str) -> None:
    (d,) = check(f"{HEAD}vector g[1..3] ~ N(0, 1)\n{line}\n{END}").diagnostics
    assert d.code == code
    if code == "E411":
        assert "4,000,000" in d.message or "2,000,000" in d.message


def test_outputs_are_scalars() -> None:
    for e, kind in (("x", "a vector"), ("W x", "a vector"), ("tanh(x)", "a vector")):
        (d,) = check(f"{HEAD}output {e}\n").diagnostics
        assert d.code == "E308" and kind in d.message and "mean(" in d.hint
    assert [o.name for o in core(HEAD + "output θ\noutput c\noutput a := c + 1\noutput mean(x)\n").outputs] == [
        "θ",
        "c",
        "a",
        "out",
    ]


# --- kinds and languages ----------------------------------------------------------------------------------------------


def test_kinds() -> None:
    report = check(
        "data X : (1, 2) = [[1, 2]]\nmatrix U : (n, 2)\n"
        + HEAD
        + "g := U X[1]\nh := W g\nz := tanh(h) + θ x\ns := mean(z)\noutput s\n"
    )
    kinds = {v.name: (v.kind, v.instruction, v.line) for v in report.variables}
    assert kinds["W"] == ("matrix", "𝒲", 4) and kinds["U"][0] == "matrix" and kinds["x"] == ("G-var", "𝒱", 3)
    assert (
        kinds["g"] == ("G-var", "INIT", 7)
        and kinds["h"] == ("G-var", "MATMUL", 8)
        and kinds["z"] == ("X-var", "NONLIN⁺", 9)
    )
    assert (
        kinds["s"] == ("scalar", "MOMENT", 10)
        and kinds["c"] == ("scalar", "𝒞", 6)
        and kinds["θ"] == ("scalar", "MOMENT", 5)
    )


@pytest.mark.parametrize(
    ("line", "language"),
    [("output mean((W x)^2)", "NETSOR"), ("output a := mean(x^2) * mean(y^2) + 1", "NETSOR"), ("h := Wᵀ x\noutput mean(h^2)", "NETSOR⊤"),
     ("h := x mean(y^2)\noutput mean(h)", "NETSOR⊤⁺"), ("h := c x\noutput mean(h)", "NETSOR⊤⁺"), ("h := x/√n\noutput mean(h)", "NETSOR⊤⁺"),
     ("h := Wᵀ (c x)\noutput mean(h)", "NETSOR⊤⁺"), ("m := mean(x)\noutput mean((x - m)^2)", "NETSOR⊤⁺")],
)  # fmt: skip
def test_smallest_language(line: str, language: str) -> None:
    report = check("vector x, y ~ N(0, 1)\nmatrix W\nscalar c = 2\n" + line + "\n")
    assert report.language == language


# --- networks ---------------------------------------------------------------------------------------------------------

NET = "network mlp(ξ : 3)\nmatrix U : (n, 3) ~ N(0, 1/3)\nmatrix W\nvector v, u ~ N(0, 1)\nvector b ~ N(0, 0)\nx := tanh(W tanh(U ξ) + b)\n"


def test_networks() -> None:
    program = core(NET + "train W\ntrain U, b * 1\noutput f := vᵀ x / √n\noutput g := 2 ⟨u, x⟩ / √n - xᵀ v / √n\n")
    assert program.kind == "network" and program.name == "mlp"
    assert program.embeddings[0].source == InputRef("ξ")
    assert [(r.name, r.terms) for r in program.readouts] == [
        ("f", ((1, "v", "x"),)),
        ("g", ((2, "u", "x"), (-1, "v", "x"))),
    ]
    assert program.train is not None and [(t.name, t.multiplier) for t in program.train] == [
        ("W", None),
        ("U", None),
        ("b", 1),
    ]
    assert core(NET + "output f := vᵀ x / √n\n").train is None
    assert check(NET + "output f := vᵀ x / √n\n").kind == "network"


def test_networks_of_several_tokens_and_outputs() -> None:
    program = core(
        "param T = 3\nparam d = 2\nnetwork rnn(ξ[1..T] : d)\nmatrix U : (n, d) ~ N(0, 1/d)\nmatrix W\nvector v[1..2] ~ N(0, 1)\n"
        "s[0] := tanh(U ξ[1])\nfor t in 1..T:\n    s[t] := tanh(W s[t-1] + U ξ[t])\nfor k in 1..2:\n    output f[k] := v[k]ᵀ s[T] / √n\n"
        "matrix M[1..2]\ntrain M, W, v\n"
    )
    assert program.inputs[0].indices == (1, 2, 3) and program.inputs[0].dimension == 2
    assert [r.name for r in program.readouts] == ["f[1]", "f[2]"]
    assert [t.name for t in program.train or ()] == ["M[1]", "M[2]", "W", "v[1]", "v[2]"]
    assert len(program.embeddings) == 3, "U ξ[1] is one vector, used twice"


def test_readouts_leave_what_others_use() -> None:
    program = core(
        NET
        + "h := x (vᵀ x / n)\noutput f := vᵀ x / √n\nk := tanh(h)\noutput g := vᵀ k / √n\n".replace(
            "x (v", "x ⊙ x * (v"
        )
    )
    assert any(isinstance(i, Moment) for i in program.instructions)


@pytest.mark.parametrize(
    ("line", "code"),
    [("output f := vᵀ x / n", "E601"), ("output f := mean(x)", "E601"), ("output f := x", "E601"), ("", "E602"), ("train x\noutput f := vᵀ x / √n", "E603"),
     ("train b\noutput f := vᵀ x / √n", "E605"), ("train W, W\noutput f := vᵀ x / √n", "E607"), ("train Q\noutput f := vᵀ x / √n", "E201"),
     ("s := vᵀ x / √n\noutput f := vᵀ x / √n", "E502"), ("h := W ξ\noutput f := vᵀ x / √n", "E304"), ("h := ξ ⊙ x\noutput f := vᵀ x / √n", "E316")],
)  # fmt: skip
def test_faulty_networks(line: str, code: str) -> None:
    assert codes(NET + line + "\n") == [code]


def test_faulty_headers() -> None:
    tail = "vector v ~ N(0, 1)\noutput f := vᵀ v / √n\n"
    assert codes("network m(ξ : 0)\n" + tail) == ["E414"]
    assert codes("network m(ξ[1..0] : 2)\n" + tail) == ["E414"]
    assert codes("network m(ξ 3)\nmatrix U : (n, 3)\nx := U ξ\n" + tail) == ["E120"], (
        "without its inputs nothing else is said"
    )
    assert codes(HEAD + "train W\n" + END) == ["E604"]


# --- several faults, depth, size --------------------------------------------------------------------------------------


def test_all_faults_in_one_run_and_no_cascades() -> None:
    text = (
        "vector x ~ N(0, 1)\ny = tanh(x)\nz := Q y\nw := Q z\nfor i in 1..3:\n    a[i] := tanh(x\n    b[i] := foo(x)\nr := mean(a[1]) + mean(b[1])\n"
        "def f(u):\n    v := tanh(u))\n    return v + bar\ns := f(x)\nq := x x\nt := q + r\noutput x\noutput mean(t)\n"
    )
    found = check(text).diagnostics
    assert [(d.code, d.span.line) for d in found if d.span] == [
        ("E108", 2), ("E201", 3), ("E105", 6), ("E201", 7), ("E106", 10), ("E301", 13), ("E308", 15),
    ]  # fmt: skip


def test_a_faulty_declaration_poisons_what_uses_it() -> None:
    assert codes(
        "vector a, b ~ N(0, [[1, 2], [2, 1]])\nmatrix W ~ N(0, 1)\nc := W a\nd[1] := W b\noutput mean(c * d[1])\n"
    ) == ["E402", "E409"]


@pytest.mark.parametrize(
    "expression",
    [" + ".join(["tanh(x)"] * 490), " * ".join(["tanh(x)"] * 490), "tanh(" * 190 + "x" + ")" * 190, "-" * 400 + "x", "W " * 300 + "x",
     "if x > 0 then x else " * 300 + "x", "x" + "^1" * 400],
    ids=["sum", "product", "calls", "signs", "matrices", "branches", "powers"],
)  # fmt: skip
def test_deep_expressions(expression: str) -> None:
    core(f"vector x ~ N(0, 1)\nmatrix W\nz := {expression}\noutput mean(z)\n")
