"""Programs for the tests: the fragments of the language reference, and random ones with comments and blank lines."""

from __future__ import annotations

from hypothesis import strategies as st
from syntax_trees import expressions
from unparse import unparse

ALGORITHM1 = """\
# The first SGD step of a two-hidden-layer MLP of which only the middle layer is trained.
program algorithm1

φ(u) = erf(u)
ℓ(f) = (f - 1)^2 / 2

matrix W
vector v ~ N(0, 1)
vector g, g̃ ~ N(0, [[1, 0.5], [0.5, 1]])
scalar f = 0.3

MOMENT:  χ := ℓ'(f)
NONLIN:  z := φ(g)
NONLIN:  z̃ := φ(g̃)
MATMUL:  h := W z
MATMUL:  h̃ := W z̃
MOMENT:  θ := ψ(z, z̃) = zᵀ z̃ / n
NONLIN:  dh := ψ(v, h) = φ'(h) ⊙ v
NONLIN+: δh̃ := ψ(dh; θ, χ) = -χ θ dh
NONLIN+: δx̃ := ψ(h̃, δh̃; 1/√n) = √n (φ(h̃ + δh̃/√n) - φ(h̃))
MOMENT:  Δf̃ := vᵀ δx̃ / n
output Δf̃
"""
DECLARATIONS = """\
program NAME                          # optional header
param L = 3                           # constant known before running
data X : (4, 3)
data Y : (2, 2) = [[1, -2.5e-1],
                   [0, 4]]
data t : 3 = [1, 2, 3]
scalar ε = 1/√n
matrix W
matrix W, V ~ N(0, 2/n)
matrix W[1..L] ~ N(0, s/n)
matrix A[0..L-1, 1..3], B ~ N(0, 1/n)
matrix U : (n, 3) ~ N(0, 1/3)
vector v ~ N(0, 1)
vector a, b ~ N([0, 1], [[1, ρ], [ρ, 2]])
vector g[1..T] ~ N(0, K)
vector x[0] ~ N(0, 1)
vector zero ~ N(0, 0)
φ(u) = u * Phi(u)
ψ(x, y; θ) = θ x + tanh(y)
κ(; c) = 2 c
"""
STATEMENTS = """\
param T = 4
program steps
def layernorm(x):
    μ := mean(x)
    σ := sqrt(mean((x - μ)^2) + 1e-5)
    return (x - μ) / σ

def scaled(x; c):
    return c x

for t in 1..T:
    h[t] := W s[t-1] + U X[t] + b
    for l in 0..t-1:
        c[t, l] := s[t]ᵀ s[l] / n
        output k[t, l] := mean(s[t] * s[l])
    s[t] := tanh(h[t])
y := if ⟨u, v⟩ / n > 0 and not c[1, 0] <= 1 then W u else relu(v, 0.5)
output avg := mean(s[T] * s[T])
output total := sum(t in 1..T: mean(s[t]^2))
output y
df := mean(v * dx)
dx := sqrt(n) * (phi(ht + dh1/sqrt(n)) - phi(ht))
INIT: ux := U X[1]
NONLIN⁺: z := ψ(x, y; θ[1], 1/√n) = θ[1] x + y/√n
"""
NETWORKS = [
    """\
network mlp2(ξ : 3)                    # f(ξ) = vᵀ x / √n
φ(u) = erf(u)
matrix U : (n, 3) ~ N(0, 1/3)
matrix W ~ N(0, 1/n)
vector v ~ N(0, 1)
train W                               # what SGD updates
g := U ξ
x := φ(W φ(g))
output f := vᵀ x / √n
""",
    """\
param T = 3
param d = 2
network rnn(ξ[1..T] : d, ζ[1..T, 1..T] : 2 * d, η : 1)
vector b ~ N(0, 0)
train b * 1, W[1..T], V * √2
train v * c
""",
]
FRAGMENTS = [ALGORITHM1, DECLARATIONS, STATEMENTS, *NETWORKS]

_expr = expressions(2).map(unparse)
_line = st.one_of(
    _expr.map(lambda e: f"x := {e}"),
    _expr.map(lambda e: f"NONLIN+: x[1, k] := ψ(a, b; c) = {e}"),
    _expr.map(lambda e: f"MOMENT:y := {e}"),
    _expr.map(lambda e: f"scalar  c={e}"),
    _expr.map(lambda e: f"data X:(2,3)={e}"),
    _expr.map(lambda e: f"vector a,b[1..T] ~ N( 0 ,{e})"),
    _expr.map(lambda e: f"output k[1] := {e}"),
    _expr.map(lambda e: f"φ( u,v ;w ) = {e}"),
    st.sampled_from(["matrix W", "train W *2,b", "output Δf̃", "param L=3", "data t : 3"]),
)
_comment = st.sampled_from(["", "", "  # why", " # δ: wide 漢字 and h̃"])
_own = st.sampled_from(["# a comment", "#", "#tight"])


@st.composite
def programs(draw: st.DrawFn, depth: int = 2) -> str:
    """A text that parses, spaced and indented in all the ways that are allowed."""
    return "\n".join(draw(_block(depth, ""))) + draw(st.sampled_from(["", "\n", "\n\n"]))


@st.composite
def _block(draw: st.DrawFn, depth: int, indent: str) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.integers(0, 6)):
            case 0 if depth:
                inner = indent + " " * draw(st.integers(1, 5))
                lines += [f"{indent}for t in 1..({draw(_expr)}):{draw(_comment)}", *draw(_block(depth - 1, inner))]
            case 1 if not indent:
                lines += [f"def f( x;y ) :{draw(_comment)}", *draw(_block(0, "   ")), "   return x  # done"]
            case 2:
                lines += [""] * draw(st.integers(0, 3)) + [
                    draw(st.sampled_from(["", indent, indent + "  "])) + draw(_own)
                ]
            case 3:
                lines += [f"{indent}z := f(a, {draw(_comment)}", f"   {draw(_expr)}) + 1"]
                continue
            case _:
                lines += [""] * draw(st.integers(0, 1))
        lines.append(indent + draw(_line) + draw(_comment))
    return lines
