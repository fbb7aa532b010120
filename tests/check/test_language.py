"""The language, sentence by sentence: declarations and statements."""

import pytest
from language import END, HEAD, check, codes, core, made

from netsor.core import DataRef, Nonlin

# --- declarations -----------------------------------------------------------------------------------------------------


def test_params() -> None:
    text = "param L = 3\nparam M = 2 L\nvector x[1..M] ~ N(0, L)\noutput m := mean(x[M]^2)\n"
    assert len(core(text).groups) == 6
    assert core(text, settings={"L": 1}).groups[0].covariance == ((1.0,),)
    assert codes(text, settings={"K": 1}) == ["E205"]
    assert codes("param L = mean(x)\n" + HEAD + END)[0] in ("E201", "E206", "E408")


def test_data() -> None:
    text = (
        "data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\nvector x ~ N(0, 1)\n"
        "output s := X[2, 3] * mean(x^2)\noutput d := ⟨X[1], X[2]⟩\n"
    )
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
    [
        ("matrix W ~ N(0, 1)", "E409"),
        ("matrix W ~ N(0, 1/n^2)", "E409"),
        ("matrix W ~ N(1, 1/n)", "E410"),
        ("matrix W ~ N(0, -1/n)", "E413"),
        ("matrix U : (n, 3) ~ N(0, 1/n)", "E409"),
        ("matrix U : (3, n)", "E414"),
        ("matrix U : (n, 0)", "E414"),
        ("matrix U : (3, 3)", "E414"),
        ("vector q", "E412"),
        ("vector q ~ N(0, -1)", "E413"),
        ("vector q ~ N(0, 1/n)", "E408"),
        ("vector q ~ N(θ, 1)", "E408"),
        ("vector a, b ~ N(0, [[1, 2], [2, 1]])", "E402"),
        ("vector a, b ~ N(0, [[1, 0.5], [0.4, 1]])", "E401"),
        ("vector a, b ~ N(0, [[1]])", "E403"),
        ("vector a, b ~ N([0, 0, 0], 1)", "E403"),
        ("vector a, b, d ~ N(0, [[1, 0.9, 0], [0.9, 1, 0.9], [0, 0.9, 1]])", "E402"),
        ("vector x ~ N(0, 1)", "E202"),
        ("vector q[1..1.5] ~ N(0, 1)", "E407"),
        ("vector q[1..2000000] ~ N(0, 1)", "E411"),
    ],
)
def test_faulty_declarations(line: str, code: str) -> None:
    assert codes(HEAD + line + "\n" + END) == [code]


def test_vectors() -> None:
    program = core(
        "param ρ = 0.5\ndata K : (2, 2) = [[1, 0.5], [0.5, 1]]\n"
        "vector a, b ~ N([0, 1], [[1, ρ], [ρ, 2]])\nvector p, q ~ N(0, 3)\n"
        "vector g[1..2] ~ N(0, K)\nvector h[0..1] ~ N(0, 2)\nvector zero ~ N(0, 0)\n"
        "vector s, t ~ N(0, [[1, 1], [1, 1]])\n"
        "output mean(a * b * p * q * g[1] * h[0] * zero * s)\n"
    )
    assert [g.names for g in program.groups] == [
        ("a", "b"),
        ("p",),
        ("q",),
        ("g[1]", "g[2]"),
        ("h[0]",),
        ("h[1]",),
        ("zero",),
        ("s", "t"),
    ]
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
        ("g", DataRef("X", (1,))),
        ("h_1", DataRef("X", (2,))),
        ("k", DataRef("X", (2,))),
        ("l", DataRef("X", (2,))),
    ]
    assert all(program.kind_of(e.name) == "G-var" for e in program.embeddings)
    for line, code in (
        ("U x", "E312"),
        ("U X", "E403"),
        ("W X[1]", "E304"),
        ("U X[3]", "E406"),
        ("Uᵀ x", "E502"),
        ("U W x", "E312"),
    ):
        assert codes(f"{head}z := {line}\n{END}") == [code], line
    assert codes(head.replace("(n, 3)", "(n, 2)") + "z := U X[1]\n" + END) == ["E403"]


# --- statements -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "instructions"),
    [
        ("h := W x", ["MATMUL: h := W x"]),
        ("h := W @ x", ["MATMUL: h := W x"]),
        ("h := Wᵀ x", ["MATMUL: h := Wᵀ x"]),
        ("h := W^T x", ["MATMUL: h := Wᵀ x"]),
        ("h := W(x)", ["MATMUL: h := W x"]),
        ("h := Wᵀᵀ x", ["MATMUL: h := W x"]),
        ("h := W(x + y)", ["NONLIN: h_1 := ψ(x, y) = x + y", "MATMUL: h := W h_1"]),
        ("h := W x + W y", ["MATMUL: h_1 := W x", "MATMUL: h_2 := W y", "NONLIN: h := ψ(h_1, h_2) = h_1 + h_2"]),
        ("h := c Wᵀ W x", ["MATMUL: h_1 := W x", "MATMUL: h_2 := Wᵀ h_1", "NONLIN+: h := ψ(h_2; c) = c * h_2"]),
        ("h := W x^2", ["NONLIN: h_1 := x^2", "MATMUL: h := W h_1"]),
        ("h := -x^2", ["NONLIN: h := -x^2"]),
        ("h := θ(x + y)", ["NONLIN+: h := ψ(x, y; θ) = θ * (x + y)"]),
        ("h := x / θ", ["MOMENT: h_1 := ψ(; θ) = 1 / θ", "NONLIN+: h := ψ(x; h_1) = x * h_1"]),
        ("s := mean(x * y)", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := xᵀ y / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := ⟨x, y⟩ / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := <x, y> / n", ["MOMENT: s := ψ(x, y) = xᵀ y / n"]),
        ("s := xᵀ W y / n", ["MATMUL: s_1 := W y", "MOMENT: s := ψ(x, s_1) = xᵀ s_1 / n"]),
        ("s := θ xᵀ y / n", ["MOMENT: s := ψ(x, y; θ) = mean(θ * x * y)"]),
        ("s := θ^2 + c", ["MOMENT: s := ψ(; θ, c) = θ^2 + c"]),
        ("h := x yᵀ v / n", ["MOMENT: h_1 := ψ(y, v) = yᵀ v / n", "NONLIN+: h := ψ(x; h_1) = x * h_1"]),
        ("h := W φ(x) + y", ["NONLIN: h_1 := tanh(x)", "MATMUL: h_2 := W h_1", "NONLIN: h := ψ(h_2, y) = h_2 + y"]),
        ("h := √n (tanh(x + y/√n) - tanh(x))", ["NONLIN+: h := ψ(x, y; 1/√n) = √n * (tanh(x + y / √n) - tanh(x))"]),
        ("h := x", ["NONLIN: h := x"]),
        ("h := tanh (x)", ["NONLIN: h := tanh(x)"]),
    ],
)
def test_what_a_line_is_lowered_to(line: str, instructions: list[str]) -> None:
    before = HEAD
    if "φ" in line:
        line = line.replace("φ", "tanh")
    assert made(line + "\n", before) == instructions


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("h := W x", "MATMUL"),
        ("h := Wᵀ x", "MATMUL"),
        ("h := W(x + y)", "MATMUL"),
        ("h := tanh(x)", "NONLIN"),
        ("h := x + y", "NONLIN"),
        ("h := c x", "NONLIN+"),
        ("h := x/√n", "NONLIN+"),
        ("h := x / θ", "NONLIN+"),
        ("s := mean(tanh(x))", "MOMENT"),
        ("s := θ xᵀ y / n", "MOMENT"),
        ("s := c - 3", "MOMENT"),
        ("s := 2 xᵀ y / n + mean(x)", "MOMENT"),
    ],
)
def test_true_labels(line: str, label: str) -> None:
    for claimed in ("MATMUL", "NONLIN", "NONLIN+", "NONLIN⁺", "MOMENT", "INIT"):
        true = claimed.replace("⁺", "+") == label or (label == "NONLIN" and claimed in ("NONLIN+", "NONLIN⁺"))
        assert codes(f"{HEAD}{claimed}: {line}\n{END}") == ([] if true else ["E504"]), claimed


@pytest.mark.parametrize(
    "line",
    [
        "MATMUL: h := W tanh(x)",
        "MATMUL: h := 2 W x",
        "MATMUL: h := W A x",
        "NONLIN+: h := x - mean(x)",
        "NONLIN: h := W x + y",
        "MOMENT: s := mean(W x)",
        "MOMENT: s := mean(x)^2",
        "MOMENT: s := xᵀ W y / n",
    ],
)
def test_a_labelled_line_is_a_single_instruction(line: str) -> None:
    (d,) = check(HEAD + line + "\n" + END).diagnostics
    assert d.code == "E504" and "several instructions" in d.message


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("h := ψ(x, y; θ) = θ x + y", []),
        ("h := ψ(x; 1/√n) = x / √n", []),
        ("h := ψ(x; θ, 1/√n) = θ x / √n", []),
        ("s := ψ(x, y) = xᵀ y / n", []),
        ("s := ψ(; θ) = θ^2", []),
        ("h := ψ(y, x) = x - y", []),
        ("MATMUL: h := ψ(x) = W x", []),
        ("h := ψ(x, y) = tanh(W y) + x", []),
        ("h := ψ(x; θ/2) = θ/2 * x", []),
        ("h := ψ(x) = x y", ["E301"]),
        ("h := ψ(x) = x + y", ["E505"]),
        ("h := ψ(x) = θ x", ["E505"]),
        ("h := ψ(x) = x / √n", ["E505"]),
        ("h := ψ(x) = tanh(W y) + x", ["E505"]),
        ("h := ψ(θ; x) = θ x", ["E505"]),
        ("h := ψ(x, y) = tanh(x)", ["W902"]),
        ("h := ψ(x; θ) = tanh(x)", ["W902"]),
        ("h := ψ(x; mean(y)) = tanh(x)", ["E505"]),
        ("h := ψ(q) = tanh(x)", ["E201"]),
    ],
)
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
    [
        ("x y", "E301"),
        ("x tanh(y)", "E301"),
        ("W * x", "E302"),
        ("x ⊙ W", "E302"),
        ("W A", "E303"),
        ("(W A) x", "E303"),
        ("xᵀ W", "E303"),
        ("(2 W) x", "E303"),
        ("W + A", "E303"),
        ("-W", "E303"),
        ("W 3", "E304"),
        ("W θ", "E304"),
        ("x @ y", "E304"),
        ("x(y)", "E305"),
        ("θ(x, y)", "E305"),
        ("tanh(x, y)", "E306"),
        ("max(x)", "E306"),
        ("clip(x, 1)", "E306"),
        ("mean(x, y)", "E306"),
        ("tanh", "E307"),
        ("tanh x", "E307"),
        ("xᵀ", "E309"),
        ("xᵀ + y", "E309"),
        ("xᵀ * y", "E309"),
        ("(x yᵀ) v / n", "E309"),
        ("W xᵀ", "E309"),
        ("θᵀ", "E309"),
        ("max'(x, y)", "E311"),
        ("x'", "E311"),
        ("tanh(W)", "E316"),
        ("if W > 0 then x else y", "E316"),
        ("x[1]", "E317"),
        ("xᵀ y", "E502"),
        ("θ xᵀ y", "E502"),
        ("xᵀ y / √n", "E502"),
        ("⟨x, y⟩", "E502"),
        ("(xᵀ y) * (xᵀ v) / n", "E502"),
        ("√n x", "E501"),
        ("n x", "E501"),
        ("√n (tanh(x + y/√n) - tanh(y))", "E501"),
        ("n (tanh(x + y/√n) - tanh(x))", "E501"),
        ("x / 0", "E506"),
        ("sqrt(-1) x", "E506"),
        ("0/0", "E506"),
        ("log(0)", "E506"),
        ("nope(x)", "E201"),
        ("W nope", "E201"),
    ],
)
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
