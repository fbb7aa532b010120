"""Definition B.3 against closed forms, to 1e-9, and limits that do not exist."""

import math

import pytest

from netsor.api import loads
from netsor.limit import LimitResult

TOLERANCE = 1e-9


def limits(text: str, **options) -> LimitResult:
    document = loads(text)
    assert document.report.ok, document.report.diagnostics
    return document.limit(**options)


def expect(text: str, **wanted: float) -> None:
    result = limits(text)
    assert result.diagnostics == ()
    for name, value in wanted.items():
        found = result[name]
        assert found.value == pytest.approx(value, abs=TOLERANCE, rel=TOLERANCE), name
        assert found.error is not None and abs(found.value - value) <= found.error + 1e-15 * max(1.0, abs(value)), (
            "the bound holds"
        )
        assert found.error <= TOLERANCE * max(1.0, abs(value))


# --- the table of truths --------------------------------------------------------------------------------------------


def test_a_matrix_and_its_transpose_are_coupled() -> None:
    expect(
        "matrix A\nvector v ~ N(0, 1)\ny := A v\nx := Aᵀ y\noutput a := xᵀ v / n\noutput b := mean(x^2)\n"
        "B := 3\nmatrix C\nz := C A v\noutput c := mean(z * v)\noutput d := xᵀ y / n\n",
        a=1,
        b=2,
        c=0,
        d=0,
    )


def test_treating_transposes_as_independent_gives_another_number() -> None:
    expect("matrix A, B\nvector v ~ N(0, 1)\nx := Bᵀ A v\noutput a := xᵀ v / n\noutput b := mean(x^2)\n", a=0, b=1)


def test_marchenko_pastur() -> None:
    text = (
        "matrix A\nvector x[0] ~ N(0, 1)\nfor k in 1..5:\n    x[k] := Aᵀ A x[k-1]\n    output c[k] := x[0]ᵀ x[k] / n\n"
    )
    expect(text, **{f"c[{k}]": math.comb(2 * k, k) // (k + 1) for k in range(1, 6)})


def test_marchenko_pastur_with_a_variance() -> None:
    text = (
        "matrix A ~ N(0, 3/n)\nvector x[0] ~ N(0, 2)\nfor k in 1..3:\n    x[k] := Aᵀ A x[k-1]\n"
        "    output c[k] := x[0]ᵀ x[k] / n\n"
    )
    expect(text, **{f"c[{k}]": 2 * 3**k * math.comb(2 * k, k) / (k + 1) for k in range(1, 4)})


def test_semicircle() -> None:
    text = (
        "matrix A\nvector x[0] ~ N(0, 1)\nfor k in 1..8:\n    x[k] := (A x[k-1] + Aᵀ x[k-1]) / √2\n"
        "    output c[k] := x[0]ᵀ x[k] / n\n"
    )
    expect(text, **{f"c[{k}]": 0 if k % 2 else math.comb(k, k // 2) / (k // 2 + 1) for k in range(1, 9)})


@pytest.mark.parametrize("angle", [0.05, 0.7, math.pi / 2, 2.5, 3.1])
def test_arc_cosine_kernels(angle: float) -> None:
    head = f"vector a, b ~ N(0, [[1, {math.cos(angle)!r}], [{math.cos(angle)!r}, 1]])\n"
    expect(
        head + "output r := mean(relu(a) * relu(b))\noutput s := mean(step(a) * step(b))\n"
        "output g := mean(sign(a) * sign(b))\n",
        r=(math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi),
        s=(math.pi - angle) / (2 * math.pi),
        g=1 - 2 * angle / math.pi,
    )


def test_arcsine_kernel() -> None:
    expect(
        "vector a, b ~ N(0, [[2, 0.5], [0.5, 3]])\noutput e := mean(erf(a) * erf(b))\n"
        "output d := mean(erf(a) * erf(a))\n",
        e=2 / math.pi * math.asin(1 / math.sqrt(5 * 7)),
        d=2 / math.pi * math.asin(4 / 5),
    )


def test_algorithm_1() -> None:
    text = (
        "φ(u) = erf(u)\nℓ(f) = (f - 1)^2 / 2\nmatrix W\nvector v ~ N(0, 1)\nvector g, g̃ ~ N(0, [[1, 0.5], [0.5, 1]])\n"
        "scalar f = 0.3\nMOMENT: χ := ℓ'(f)\nz := φ(g)\nz̃ := φ(g̃)\nh := W z\nh̃ := W z̃\n"
        "θ := zᵀ z̃ / n\ndh := φ'(h) ⊙ v\n"
        "δh̃ := -χ θ dh\nδx̃ := √n (φ(h̃ + δh̃/√n) - φ(h̃))\noutput Δ := vᵀ δx̃ / n\n"
    )
    k, q = 2 / math.pi * math.asin(1 / 3), 2 / math.pi * math.asin(2 / 3)
    slopes = 4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - 4 * k**2)
    expect(text, Δ=0.7 * k * slopes)


def test_backward_pass_paired_with_itself() -> None:
    """f = vᵀWᵀφ(Wφ(W'x₀))/√n with φ the identity: the NTK of W' is 2 and not 1."""
    text = (
        "matrix W, P\nvector x0, v ~ N(0, 1)\ng := P x0\nh := W g\ndh := W v\ndg := Wᵀ dh\n"
        "output ntk := mean(dg^2) * mean(x0^2)\n"
    )
    expect(text, ntk=2)


# --- what careful implementations get right ---------------------------------------------------------------------------


def test_equal_products_are_one_variable() -> None:
    expect(
        "matrix W\nvector x, y ~ N(0, 1)\na := W x\nb := W x\nc := W(x + y)\nd := W x + W y\ne := c - d\n"
        "output s := mean((a - b)^2)\noutput t := mean(e^2)\noutput u := mean(relu(e + a) * relu(b))\n"
        "output w := mean(c * d)\n",
        s=0,
        t=0,
        u=0.5,
        w=2,
    )


def test_dependent_products_under_a_transpose() -> None:
    """Remark B.5: W(x+y) and W x + W y are different programs with one limit, under Wᵀ too."""
    one = "h := W(x + y)\n"
    two = "a := W x\nb := W y\nh := a + b\n"
    tail = "k := Wᵀ tanh(h)\noutput m := mean(k * x)\noutput q := mean(k^2)\n"
    head = "matrix W\nvector x, y ~ N(0, 1)\n"
    first, second = limits(head + one + tail), limits(head + two + tail)
    for name in ("m", "q"):
        assert first[name].value == pytest.approx(second[name].value, abs=1e-9)
    # Ż^{Wᵀtanh(h)} = (Z^x + Z^y) E tanh'(Z^h) with Z^h ~ N(0, 2)
    slope = limits("vector h ~ N(0, 2)\noutput s := mean(tanh'(h))\n")["s"].value
    assert first["m"].value == pytest.approx(slope, abs=1e-9)


def test_heaviside_through_a_transpose() -> None:
    """Remark B.6: E ∂step/∂Ẑ is a density."""
    expect(
        "matrix W\nvector x ~ N(0, 1)\nh := W x\nk := Wᵀ step(h)\noutput m := mean(k * x)\noutput q := mean(k^2)\n",
        m=1 / math.sqrt(2 * math.pi),
        q=0.5 + 1 / (2 * math.pi),
    )


def test_heaviside_of_dependent_products() -> None:
    """The pseudoinverse of Remark B.6 where the Ẑ's are linearly dependent."""
    expect(
        "matrix W\nvector x ~ N(0, 1)\na := W x\nb := W (2 x)\nk := Wᵀ(step(a + b))\noutput m := mean(k * x)\n",
        m=1 / math.sqrt(2 * math.pi),
    )


def test_a_heaviside_beside_derivatives_that_exist() -> None:
    """Remark B.6 gives one of many solutions where Ẑ's are dependent: it must fit the derivatives taken as they are.

    d - b is a, so that the operand is step(a) + c, and ⟨u, Wᵀ z⟩ = ⟨W u, z⟩: E a (step(a) + c) = 1/√(2π) + 1.
    """
    expect(
        "matrix W\nvector u, w ~ N(0, 1)\na := W u\nb := W w\nc := W (u - w)\nd := W (u + w)\n"
        "k := Wᵀ (step(a) * step(d - b) + c)\noutput m := mean(k * u)\noutput q := mean(k * w)\n",
        m=1 / math.sqrt(2 * math.pi) + 1,
        q=-1,
    )


def test_second_derivative_of_relu_is_a_dirac_mass() -> None:
    expect("vector x ~ N(0, 4)\noutput d := mean(relu''(x))\n", d=1 / math.sqrt(8 * math.pi))


def test_chains_of_moments() -> None:
    expect(
        "vector x ~ N(0, 1)\na := mean(x^2)\nb := mean((x + a)^2)\nc := sqrt(a + b + 1)\ny := x / c\nd := mean(y^4)\n"
        "output p := b\noutput q := d\noutput r := exp(d) * c\n",
        p=2,
        q=3 / 16,
        r=2 * math.exp(3 / 16),
    )


def test_means_and_singular_covariances() -> None:
    expect(
        "vector a, b ~ N([1, -2], [[1, 1], [1, 1]])\nvector zero ~ N(0, 0)\nvector one ~ N(1, 0)\nmatrix W\n"
        "output p := mean(a * b)\noutput q := mean((a - b)^2)\noutput r := mean(tanh(zero) + one)\n"
        "output s := mean((W one)^2)\n"
        "output t := mean(relu(a - b - 3))\noutput u := mean((W zero)^2)\n",
        p=-1,
        q=9,
        r=1,
        s=1,
        t=0,
        u=0,
    )


def test_scalars_take_their_limits_before_anything_is_differentiated() -> None:
    expect(
        "scalar ε = 1/√n\nscalar s = (1 + 1/n)^n\nvector x, d ~ N(0, 1)\nθ := mean((x + ε d)^2) + s\n"
        "z := √n ((x + d/√n)^3 - x^3)\ny := √n (relu(x + d/√n) - relu(x))\n"
        "output p := θ\noutput q := mean(z * d)\noutput r := mean(y * d)\n"
        "w := ((x + ε d)^2 - x^2)/ε\noutput v := mean(w * x * d)\n",
        p=1 + math.e,
        q=3,
        r=0.5,
        v=2,
    )


def test_star_of_a_scalar_that_moves() -> None:
    expect(
        "vector x, d ~ N(0, 1)\na := mean(x^2)\nb := mean(d^2) + 1\nψ(u; s) = s u^2\n"
        "z := √n (ψ(x + d/√n; a + b/√n) - ψ(x; a))\noutput p := mean(z)\noutput q := mean(z * x * d)\n",
        p=2,
        q=2,
    )


def test_embeddings_of_rows() -> None:
    expect(
        "data X : (2, 2) = [[1, 2], [3, -1]]\nmatrix U : (n, 2) ~ N(0, 1/2)\na := U X[1]\nb := U X[2]\nc := U X[1]\n"
        "output p := mean(a * b)\noutput q := mean(a^2)\noutput r := mean((a - c)^2)\noutput s := ⟨X[1], X[2]⟩\n",
        p=0.5,
        q=2.5,
        r=0,
        s=1,
    )


# --- limits that do not exist -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("bad := mean(exp(x^2))", "E801"),
        ("bad := mean(1/x)", "E801"),
        ("bad := 1/mean(x)", "E802"),
        ("bad := log(mean(x) - 1)", "E802"),
        ("bad := step(mean(x))", "E803"),
        ("bad := if mean(x) > 0 then 1 else 2", "E803"),
        ("bad := exp(1000 * mean(x^2))", "E804"),
    ],
)
def test_the_line_is_named_and_other_outputs_survive(line: str, code: str) -> None:
    result = limits(f"vector x ~ N(0, 1)\noutput first := mean(x^2)\n{line}\noutput bad\noutput last := mean(x^4)\n")
    assert result["first"].value == pytest.approx(1) and result["last"].value == pytest.approx(3)
    assert result["bad"].value is None and result["bad"].error is None
    (d,) = result.diagnostics
    assert d.code == code and d.span is not None and d.span.line == 3
    assert not result.ok


def test_what_no_output_needs_is_not_computed() -> None:
    assert limits("vector x ~ N(0, 1)\ny := exp(x^2)\nq := mean(y)\noutput m := mean(x^2)\n").diagnostics == ()


def test_continuous_functions_of_scalars_at_their_kinks() -> None:
    expect(
        "vector x ~ N(0, 1)\nvector z ~ N(0, 0)\nθ := mean(x)\noutput a := abs(θ)\noutput b := relu(θ)\n"
        "output c := sqrt(mean(z^2))\noutput d := if θ > 0 then θ else 2*θ\n",
        a=0,
        b=0,
        c=0,
        d=0,
    )


# --- long programs ----------------------------------------------------------------------------------------------------


def test_a_thousand_layers() -> None:
    result = limits(
        "vector x[0] ~ N(0, 1)\nfor l in 1..1000:\n    matrix W[l] ~ N(0, 2/n)\n    x[l] := relu(W[l] x[l-1])\n"
        "output m := mean(x[1000]^2)\n"
    )
    assert result["m"].value == pytest.approx(1, abs=1e-9)


def test_a_deep_chain_of_moments() -> None:
    result = limits(
        "vector x ~ N(0, 1)\nc[0] := mean(x^2)\nfor k in 1..2000:\n    c[k] := mean(x^2 * c[k-1])\n"
        "output m := c[2000]\n"
    )
    assert result["m"].value == pytest.approx(1, abs=1e-9)


def test_a_tied_chain_of_products() -> None:
    result = limits(
        "matrix W\nvector x[0] ~ N(0, 1)\nfor l in 1..300:\n    x[l] := W x[l-1]\noutput m := mean(x[300]^2)\n"
    )
    assert result["m"].value == pytest.approx(1, abs=1e-9)
