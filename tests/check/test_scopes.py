"""The language, sentence by sentence: scopes, definitions, loops, kinds, networks, many faults at once."""

import pytest
from language import END, HEAD, check, codes, core

from netsor.core import InputRef, MatMul, Moment

# --- scopes, definitions, loops ---------------------------------------------------------------------------------------


def test_built_in_names_may_be_redefined() -> None:
    program = core(
        "tanh(u) = u^2\nvector sin, mean ~ N(0, 1)\nmatrix exp\nscalar e = 2\nz := exp tanh(sin)\n"
        "output m := meanᵀ z / n\noutput k := ⟨z, 1⟩ / n\n"
    )
    assert [f.name for f in program.functions()] == ["tanh"]
    assert codes("vector x ~ N(0, 1)\ny := relu(x)\nrelu(u) = u^2\noutput mean(y)\n") == ["E206"]
    assert codes("vector x ~ N(0, 1)\ndef f(u):\n    return relu(u)\nrelu(u) = u^2\noutput mean(f(x))\n") == ["E206"]
    assert codes("vector x ~ N(0, 1)\nNONLIN: exp := exp(x)\noutput mean(exp)\n") == []


def test_local_names_may_hide_outer_ones() -> None:
    core(
        "matrix W\nvector y, i ~ N(0, 1)\nφ(W) = W^2\ndef f(W):\n    y := W^2\n    tanh(u) = u + 1\n"
        "    return tanh(y)\n"
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
        "matrix W\ndef f(x):\n    y := W x\n    return y\ndef g(x):\n    for i in 1..2:\n"
        "        y[i] := W x\n    return y[1] + y[2]\n"
        "vector x ~ N(0, 1)\nh := f(x) + g(x)\nk[1] := f(x) + g(x)\noutput mean(h * k[1])\n"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("φ(u) = φ(u) + 1\n", "E204"),
        ("def f(u):\n    return f(u)\n", "E204"),
        ("φ(u, u) = u\n", "E207"),
        ("φ(u) = u / n\n", "E507"),
        ("def f(u):\n    return q u\n", "E201"),
        ("def f(u):\n    return g(u)\ndef g(u):\n    return f(u)\n", "E206"),
        ("def f(u):\n    param p = 2\n    return p u\n", "E209"),
        ("def f(u):\n    output mean(u)\n    return u\n", "E209"),
    ],
)
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
        "for i in 1..2:\n    matrix M[i] ~ N(0, i/n)\n    vector b[i, 0..1] ~ N(0, i)\n"
        "    scalar s[i] = i/√n\n    q[i] := M[i] b[i, 1] + s[i] * b[i, 0]\n"
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
    [
        ("output mean(g[4])", "E406"),
        ("output mean(g[0])", "E406"),
        ("output mean(g[1, 2])", "E406"),
        ("output mean(g[1/2])", "E407"),
        ("output mean(g[θ])", "E408"),
        ("output mean(g)", "E316"),
        ("for i in 1..θ:\n    z[i] := x", "E408"),
        ("for i in 1..2000000:\n    z[i] := x", "E411"),
        ("for i in 1..2000:\n    for j in 1..2000:\n        z[i, j] := x", "E411"),
        ("output sum(i in 1..2000: sum(j in 1..2000: mean(x)))", "E411"),
    ],
)
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
    [
        ("output mean((W x)^2)", "NETSOR"),
        ("output a := mean(x^2) * mean(y^2) + 1", "NETSOR"),
        ("h := Wᵀ x\noutput mean(h^2)", "NETSOR⊤"),
        ("h := x mean(y^2)\noutput mean(h)", "NETSOR⊤⁺"),
        ("h := c x\noutput mean(h)", "NETSOR⊤⁺"),
        ("h := x/√n\noutput mean(h)", "NETSOR⊤⁺"),
        ("h := Wᵀ (c x)\noutput mean(h)", "NETSOR⊤⁺"),
        ("m := mean(x)\noutput mean((x - m)^2)", "NETSOR⊤⁺"),
    ],
)
def test_smallest_language(line: str, language: str) -> None:
    report = check("vector x, y ~ N(0, 1)\nmatrix W\nscalar c = 2\n" + line + "\n")
    assert report.language == language


# --- networks ---------------------------------------------------------------------------------------------------------

NET = (
    "network mlp(ξ : 3)\nmatrix U : (n, 3) ~ N(0, 1/3)\nmatrix W\nvector v, u ~ N(0, 1)\n"
    "vector b ~ N(0, 0)\nx := tanh(W tanh(U ξ) + b)\n"
)


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
        "param T = 3\nparam d = 2\nnetwork rnn(ξ[1..T] : d)\nmatrix U : (n, d) ~ N(0, 1/d)\nmatrix W\n"
        "vector v[1..2] ~ N(0, 1)\n"
        "s[0] := tanh(U ξ[1])\nfor t in 1..T:\n    s[t] := tanh(W s[t-1] + U ξ[t])\nfor k in 1..2:\n"
        "    output f[k] := v[k]ᵀ s[T] / √n\n"
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
    [
        ("output f := vᵀ x / n", "E601"),
        ("output f := mean(x)", "E601"),
        ("output f := x", "E601"),
        ("", "E602"),
        ("train x\noutput f := vᵀ x / √n", "E603"),
        ("train b\noutput f := vᵀ x / √n", "E605"),
        ("train W, W\noutput f := vᵀ x / √n", "E607"),
        ("train Q\noutput f := vᵀ x / √n", "E201"),
        ("s := vᵀ x / √n\noutput f := vᵀ x / √n", "E502"),
        ("h := W ξ\noutput f := vᵀ x / √n", "E304"),
        ("h := ξ ⊙ x\noutput f := vᵀ x / √n", "E316"),
    ],
)
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
        "vector x ~ N(0, 1)\ny = tanh(x)\nz := Q y\nw := Q z\nfor i in 1..3:\n    a[i] := tanh(x\n"
        "    b[i] := foo(x)\nr := mean(a[1]) + mean(b[1])\n"
        "def f(u):\n    v := tanh(u))\n    return v + bar\ns := f(x)\nq := x x\nt := q + r\noutput x\noutput mean(t)\n"
    )
    found = check(text).diagnostics
    assert [(d.code, d.span.line) for d in found if d.span] == [
        ("E108", 2),
        ("E201", 3),
        ("E105", 6),
        ("E201", 7),
        ("E106", 10),
        ("E301", 13),
        ("E308", 15),
    ]


def test_too_many_instructions_are_told_before_they_are_made() -> None:
    (d,) = check(f"{HEAD}for i in 1..400000:\n    z[i] := W tanh(W x + i)\n{END}").diagnostics
    assert d.code == "E411" and "1,200,001" in d.message


def test_a_faulty_declaration_poisons_what_uses_it() -> None:
    assert codes(
        "vector a, b ~ N(0, [[1, 2], [2, 1]])\nmatrix W ~ N(0, 1)\nc := W a\nd[1] := W b\noutput mean(c * d[1])\n"
    ) == ["E402", "E409"]


@pytest.mark.parametrize(
    "expression",
    [
        " + ".join(["tanh(x)"] * 490),
        " * ".join(["tanh(x)"] * 490),
        "tanh(" * 190 + "x" + ")" * 190,
        "-" * 400 + "x",
        "W " * 300 + "x",
        "if x > 0 then x else " * 300 + "x",
        "x" + "^1" * 400,
    ],
    ids=["sum", "product", "calls", "signs", "matrices", "branches", "powers"],
)
def test_deep_expressions(expression: str) -> None:
    core(f"vector x ~ N(0, 1)\nmatrix W\nz := {expression}\noutput mean(z)\n")
