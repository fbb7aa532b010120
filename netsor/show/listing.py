"""The core as a listing in the manner of Algorithm 1, which netsor reads back to the same core."""

from __future__ import annotations

from collections.abc import Iterator

from netsor.core import Data, Group, MatMul, Moment, Nonlin, Program
from netsor.expr import WIDTH, Expr, Function, Mul, Sym, to_text
from netsor.expr.printing import is_builtin, number_text


def listing(program: Program) -> str:
    """The program, one instruction a line; `parse` and `check` of it give the same core."""
    return "\n".join(_lines(program)) + "\n"


def _lines(p: Program) -> Iterator[str]:
    if p.kind == "network":
        inputs = ", ".join(
            f"{i.name}{'' if i.indices is None else f'[{i.indices[0]}..{i.indices[-1]}]'} : {i.dimension}"
            for i in p.inputs
        )
        yield f"network {p.name}({inputs})"
    elif p.name:
        yield f"program {p.name}"
    yield from _section(_definition(f) for f in p.functions() if not is_builtin(f))
    yield from _section(_data(d) for d in p.data)
    yield from _section(f"scalar {c.name} = {to_text(c.value)}" for c in p.constants)
    yield from _section(_declarations(p))
    average = "⟨{}, 1⟩ / n" if takes_name(p, "mean") else "mean({})"
    instructions = [_instruction(i, p, average) for i in p.instructions]
    inits = [("INIT:", e.name, f"{e.matrix} {e.source}") for e in p.embeddings]
    yield from _section(_aligned(inits + instructions))
    ends = [f"output {o.name}" if o.name == o.scalar else f"output {o.name} := {o.scalar}" for o in p.outputs]
    for r in p.readouts:
        terms = " + ".join(f"{'' if c == 1 else number_text(c) + ' '}{v}ᵀ {x} / √n" for c, v, x in r.terms)
        ends.append(f"output {r.name} := {terms}")
    yield from _section(iter(ends))


def _section(lines: Iterator[str]) -> Iterator[str]:
    collected = list(lines)
    if collected:
        yield ""
        yield from collected


def _definition(f: Function) -> str:
    names = [str(p.name) for p in f.params]
    head, tail = names[: f.vectors], names[f.vectors :]
    return f"{f.name}({', '.join(head)}{'; ' + ', '.join(tail) if tail else ''}) = {to_text(f.body)}"


def _nested(values: object) -> str:
    if isinstance(values, tuple):
        return "[" + ", ".join(_nested(v) for v in values) + "]"
    return number_text(values) if isinstance(values, int) else _float(float(values))  # type: ignore[arg-type]


def _float(value: float) -> str:
    return number_text(int(value)) if value.is_integer() and abs(value) < 1e15 else number_text(value)


def _data(d: Data) -> str:
    shape = f"data {d.name} : ({', '.join(map(str, d.shape))})"
    # Without values the numbers come from `--data`.
    return f"{shape} = {_nested(d.values)}" if d.values else shape


def _declarations(p: Program) -> Iterator[str]:
    for m in p.matrices:
        yield f"matrix {m.name} ~ N(0, {_float(m.variance)}/n)"
    for u in p.input_matrices:
        law = f"N(0, {_float(u.variance)})" if u.bounds is None else _uniform(u.bounds)
        yield f"matrix {u.name} : (n, {u.columns}) ~ {law}"
    for g in p.groups:
        yield _group(g)
    for t in p.train or ():
        yield f"train {t.name}" + ("" if t.multiplier is None else f" * {_float(t.multiplier)}")


def _group(g: Group) -> str:
    names = ", ".join(g.names)
    if g.bounds is not None:
        return f"vector {names} ~ {_uniform(g.bounds)}"
    if len(g.names) == 1:
        return f"vector {names} ~ N({_float(g.mean[0])}, {_float(g.covariance[0][0])})"
    mean = "0" if not any(g.mean) else _nested(g.mean)
    return f"vector {names} ~ N({mean}, {_nested(g.covariance)})"


def _uniform(bounds: tuple[float, float]) -> str:
    return f"U({_float(bounds[0])}, {_float(bounds[1])})"


def takes_name(p: Program, name: str) -> bool:
    """Whether the program uses a built-in name for something of its own."""
    known = (p.matrix, p.input_matrix, p.group_of, p.embedding, p.constant, p.datum, p.by_name)
    return any(name == key.partition("[")[0] for names in known for key in names) or any(
        f.name == name for f in p.functions()
    )


def _instruction(i: MatMul | Nonlin | Moment, p: Program, average: str) -> tuple[str, str, str]:
    if isinstance(i, MatMul):
        return "MATMUL:", i.name, f"{i.matrix}{'ᵀ' if i.transposed else ''} {i.vector}"
    slots = list(i.scalars) + (["1/√n"] if WIDTH in i.psi.free else [])
    promise = f"ψ({', '.join(i.vectors)}{'; ' if slots else ''}{', '.join(slots)})"
    if isinstance(i, Nonlin):
        label = "NONLIN+:" if p.is_plus(i) else "NONLIN:"
        return label, i.name, f"{promise} = {to_text(i.psi)}" if slots or len(i.vectors) > 1 else to_text(i.psi)
    text = moment_text(i.psi, i.vectors, average)
    return "MOMENT:", i.name, f"{promise} = {text}" if i.vectors or slots else text


def moment_text(psi: Expr, vectors: tuple[str, ...], average: str = "mean({})") -> str:
    """A MOMENT as a person writes it: xᵀ y / n where ψ is a product of two vectors, else mean(…)."""
    if not vectors:
        return to_text(psi)
    factors = psi.children if isinstance(psi, Mul) else ()
    if len(factors) == 2 and all(isinstance(f, Sym) and f.name in vectors for f in factors):
        x, y = (str(f.payload) for f in factors)
        return f"{x}ᵀ {y} / n"
    return average.format(to_text(psi))


def _aligned(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    label = max((len(r[0]) for r in rows), default=0)
    for kind, name, text in rows:
        yield f"{kind:<{label}} {name} := {text}"
