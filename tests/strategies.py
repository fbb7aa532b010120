"""Random valid programs over all constructs of the language, as text; see `programs`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

SMOOTH = ["tanh", "erf", "sin", "cos", "sigmoid", "atan", "Phi", "gelu", "silu", "softplus"]
KINKED = ["relu", "abs", "hardtanh", "leaky_relu", "elu", "selu"]
JUMPING = ["step", "sign"]


@dataclass
class Names:
    """What the lines so far have defined."""

    vectors: list[str] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)
    matrices: list[str] = field(default_factory=list)
    functions: list[tuple[str, int, int]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"


@st.composite
def coordinatewise(draw: st.DrawFn, names: Names, depth: int, functions: list[str]) -> str:
    """An expression in vectors, with scalars and numbers; it names at least one vector, and grows like a polynomial."""
    x = draw(st.sampled_from(names.vectors))
    if depth == 0:
        return x
    inner = coordinatewise(names, depth - 1, functions)
    kind = draw(st.integers(0, 11))
    match kind:
        case 0 | 1 | 2:
            return f"{draw(st.sampled_from(functions))}({draw(inner)})"
        case 3:
            return f"({draw(inner)} {draw(st.sampled_from(['+', '-']))} {draw(inner)})"
        case 4:
            return f"{draw(inner)} {draw(st.sampled_from(['*', '⊙']))} {x}"
        case 5:
            return f"({draw(st.sampled_from(['2', '0.5', '-1', '1/3', *names.scalars]))} * {draw(inner)})"
        case 6:
            return f"({draw(inner)} + {draw(st.sampled_from(['1', '-0.25', *names.scalars]))})"
        case 7:
            return f"{x} / (1 + ({draw(inner)})^2)"
        case 8:
            op = draw(st.sampled_from(["<", ">", "<=", ">="]))
            return f"(if {x} {op} {draw(st.sampled_from(['0', '0.5', *names.vectors]))} then {draw(inner)} else {x})"
        case 9:
            return f"{draw(st.sampled_from(['max', 'min']))}({draw(inner)}, {x})"
        case 10 if names.functions:
            name, vectors, scalars = draw(st.sampled_from(names.functions))
            head = ", ".join(draw(st.sampled_from(names.vectors)) for _ in range(vectors))
            tail = ", ".join(draw(st.sampled_from(["1", "-2", *names.scalars])) for _ in range(scalars))
            prime = draw(st.sampled_from(["", "'"])) if vectors == 1 and not scalars else ""
            return f"{name}{prime}({head}{'; ' + tail if tail else ''})"
        case _:
            return f"{x}^2"


@st.composite
def _line(draw: st.DrawFn, names: Names, functions: list[str], depth: int) -> None:
    expression = coordinatewise(names, depth, functions)
    kind = draw(st.integers(0, 13))
    x, y = draw(st.sampled_from(names.vectors)), draw(st.sampled_from(names.vectors))
    w = draw(st.sampled_from(names.matrices))
    t = draw(st.sampled_from(["", "ᵀ", "^T"]))
    if kind <= 2:
        h = names.fresh("h")
        names.lines.append(f"{draw(st.sampled_from(['', 'MATMUL: ']))}{h} := {w}{t} {x}")
        names.vectors.append(h)
    elif kind == 3:
        h = names.fresh("h")
        inside = draw(
            st.sampled_from([f"{w}{t}({x} + {y})", f"{w}{t} tanh({x}) + {y}", f"2 {w}{t} {w} {x}", f"-{w} {x}"])
        )
        names.lines.append(f"{h} := {inside}")
        names.vectors.append(h)
    elif kind <= 6:
        z = names.fresh("z")
        names.lines.append(f"{draw(st.sampled_from(['', 'NONLIN+: ']))}{z} := {draw(expression)}")
        names.vectors.append(z)
    elif kind == 7:
        z = names.fresh("z")
        f = draw(st.sampled_from(SMOOTH))
        names.lines.append(f"{z} := √n ({f}({x} + {y}/√n) - {f}({x}))")
        names.vectors.append(z)
    elif kind <= 9:
        s = names.fresh("θ")
        made = draw(
            st.sampled_from(
                [f"{x}ᵀ {y} / n", f"⟨{x}, {w} {y}⟩ / n", f"{x}ᵀ {w}{t} {y} / n", f"mean({draw(expression)})"]
            )
        )
        names.lines.append(f"{s} := {made}")
        names.scalars.append(s)
    elif kind == 10 and names.scalars:
        s = names.fresh("c")
        a, b = draw(st.sampled_from(names.scalars)), draw(st.sampled_from(names.scalars))
        made = draw(st.sampled_from([f"tanh({a}) + {b}", f"{a} * {b} / (1 + {a}^2)", f"sqrt({a}^2 + 1)"]))
        names.lines.append(f"{s} := {made}")
        names.scalars.append(s)
    elif kind == 11:
        a = names.fresh("a")
        last, first = draw(st.integers(-1, 2)), draw(st.integers(-1, 1))
        names.lines.append(f"{a}[{first - 1}] := {x}")
        names.lines.append(f"for i in {first}..{last}:\n    {a}[i] := tanh({w} {a}[i-1] + i * {y})")
        names.vectors.append(f"{a}[{max(last, first - 1)}]")
    elif kind == 12:
        z = names.fresh("z")
        names.lines.append(f"{z} := normed({x}; 1)")
        names.vectors.append(z)
    else:
        s = names.fresh("θ")
        names.lines.append(f"{s} := sum(i in 0..2: mean({x} * tanh(i * {y})))")
        names.scalars.append(s)


@st.composite
def programs(draw: st.DrawFn, most_lines: int = 8, kinks: bool = True, jumps: bool = False, depth: int = 2) -> str:
    """The text of a program without faults."""
    functions = SMOOTH + (KINKED if kinks else []) + (JUMPING if jumps else [])
    names = Names()
    lines = names.lines
    lines.append("param k = 2")
    lines.append("scalar ε = 1/√n")
    lines.append("scalar c = 0.5")
    names.scalars += ["ε", "c", "k"]
    lines.append("matrix W")
    lines.append("matrix A ~ N(0, 2/n)")
    names.matrices += ["W", "A"]
    lines.append("vector x, y ~ N(0, 1)")
    lines.append("vector u, v ~ N([0, 0.5], [[1, 0.5], [0.5, 2]])")
    names.vectors += ["x", "y", "u", "v"]
    if draw(st.booleans()):
        lines.append(
            "data X : (2, 3) = [[1, 0, -1], [0.5, 0.5, 2]]\nmatrix U : (n, 3) ~ N(0, 1/3)\ng := U X[1]\nq := U X[2]"
        )
        names.vectors += ["g", "q"]
    lines.append("φ(u) = u * Phi(u) + k")
    lines.append("ψ(a, b; θ) = θ a + tanh(b)")
    names.functions += [("φ", 1, 0), ("ψ", 2, 1)]
    lines.append("def normed(a; s):\n    μ := mean(a)\n    σ := sqrt(mean((a - μ)^2) + s)\n    return (a - μ) / σ")
    for _ in range(draw(st.integers(1, most_lines))):
        draw(_line(names, functions, depth))
    last = draw(st.sampled_from(names.vectors[-3:]))
    lines.append(f"output m := mean({last} * {draw(st.sampled_from(names.vectors))})")
    lines.append(f"output s := {draw(st.sampled_from(names.scalars))}")
    return "\n".join(lines) + "\n"
