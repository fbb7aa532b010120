"""Labels and promises, held to what a line says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netsor.check import faults
from netsor.check.definitions import Definitions
from netsor.check.faults import Fault
from netsor.check.values import (
    Covector,
    Poison,
    Scalar,
    Value,
    Vector,
    kind_name,
)
from netsor.core import MatMul, Moment, Nonlin
from netsor.diagnostics import Span
from netsor.expr import WIDTH, Add, Sym, split_coefficient
from netsor.syntax import ast

_ARTICLES = {
    "MATMUL": "a MATMUL",
    "NONLIN": "a NONLIN",
    "NONLIN+": "a NONLIN⁺",
    "MOMENT": "a MOMENT",
    "INIT": "a member of 𝒱",
}


class Claims(Definitions):
    """The part of the checker that holds labels and promises to what a line says."""

    def check_label(
        self, label: ast.LineLabel, name: str, mark: int, embedded: int, value: ast.Expr, target: ast.Target
    ) -> None:
        made = self.emitter.instructions[mark:]
        claimed = label.kind.replace("+", "⁺")
        if not made:
            actual = "INIT"
        else:
            last = made[-1]
            actual = self.instruction_kind(last)
            extra: list[Any] = [i for i in made[:-1] if not (isinstance(i, Moment) and not i.vectors)]
            if isinstance(last, MatMul) and len(extra) == 1 and extra[0].name == last.vector and is_sum(extra[0]):
                extra = []  # W (x + y), as the language's own table has it
            extra += self.embeddings[embedded:]
            if extra:
                pieces = [f"{_ARTICLES[self.instruction_kind(i)]} `{_piece(i)}`" for i in extra] + [
                    f"then {_ARTICLES[actual]}"
                ]
                hint = f"give `{_piece(extra[0])}` a line of its own, or drop the label"
                raise Fault(faults.several_instructions(label.span, claimed, pieces, hint))
            if label.kind == "NONLIN" and actual == "NONLIN" and made[:-1]:
                actual = "NONLIN+"
        accepted = {actual, "NONLIN+"} if actual == "NONLIN" else {actual}
        if not made and len(self.embeddings) == embedded:
            accepted |= {"NONLIN", "NONLIN+"}  # an expression in vectors that is a number whatever they are
        if label.kind in accepted:
            return
        described = _ARTICLES[actual]
        if actual == "NONLIN+" and made:
            scalars = getattr(made[-1], "scalars", ())
            described += f" (it has the parameter `{scalars[0] if scalars else '1/√n'}`)"
        shown = actual.replace("+", "⁺") if label.kind != "NONLIN" else actual
        raise Fault(
            faults.label_claim(label.span, claimed, described, f"write `{shown}:`, or drop the label", value.span)
        )

    @staticmethod
    def instruction_kind(i: object) -> str:
        match i:
            case MatMul():
                return "MATMUL"
            case Nonlin():
                return "NONLIN+" if i.scalars or WIDTH in i.psi.free else "NONLIN"
            case Moment():
                return "MOMENT"
            case _:
                return "INIT"

    def check_promise(self, promise: ast.Promise, result: Value, value: ast.Expr, mark: int) -> tuple[str, ...]:
        """ψ(x, y; θ) names the vectors and scalars that the expression uses; the order it gives them in."""
        assert isinstance(result, (Scalar, Vector, Covector))
        e = result.expr
        used = self.emitter.inputs((str(s.name) for s in self.emitter.symbols(e)), mark)
        vectors = self.promised_names(promise.vectors, "vectors")
        scalars = self.promised_names(promise.scalars, "scalars")
        at = value.span
        extra = [u for u in used if u in self.emitter.vectors and u not in vectors]
        if extra:
            raise Fault(faults.promise_broken(at, list(vectors), extra, "vectors"))
        extra = [u for u in used if u not in self.emitter.vectors and u not in scalars]
        joined = self.emitter.preview_moment(e, mark)[0] if isinstance(result, Scalar) else None
        if WIDTH in (e if joined is None else joined).free and "n" not in scalars:
            extra.append("1/√n")
        if extra:
            raise Fault(faults.promise_broken(at, [s for s in scalars if s != "n"], extra, "scalars"))
        for name, span in {**vectors, **scalars}.items():
            if name not in used and name != "n":
                self.add(faults.promise_unused(span, span.text))
        return (*vectors, *scalars)

    def promised_names(self, nodes: Sequence[ast.Expr], what: str) -> dict[str, Span]:
        """The variables that slots of ψ name; `n` where one holds the width."""
        found: dict[str, Span] = {}
        for node in nodes:
            mark = len(self.emitter.instructions)
            v = self.numeric(node)
            if len(self.emitter.instructions) > mark:
                raise Fault(faults.promise_slot(node.span, node.span.text))
            if isinstance(v, Poison):
                continue
            if WIDTH in v.expr.free:
                found["n"] = node.span
            is_vector = isinstance(v, Vector)
            if is_vector != (what == "vectors") and not (
                what == "vectors" and isinstance(v, Scalar) and v.number is not None
            ):
                raise Fault(faults.promise_kind(node.span, node.span.text, kind_name(v), what))
            for s in self.emitter.symbols(v.expr):
                found[str(s.name)] = node.span
        return found

    def constant_test(self, node: ast.If) -> None:
        from netsor.expr.evaluate import truth

        if self.pure:
            return
        decided = truth(self.condition(node.test, []))  # type: ignore[arg-type]
        if decided is not None and not self.depends_on_constants(node.test):
            self.add(faults.constant_condition(node.test.span, node.test.span.text, "true" if decided else "false"))

    def depends_on_constants(self, node: ast.Node) -> bool:
        """A test of parameters or loop indices chooses a branch on purpose."""
        return any(isinstance(x, ast.Name) for x in ast.walk(node))


def is_sum(i: object) -> bool:
    """Whether an instruction only adds up vectors with numbers before them, as in W (x + y)."""
    if not isinstance(i, Nonlin) or i.scalars:
        return False
    terms = i.psi.children if isinstance(i.psi, Add) else ()
    return bool(terms) and all(isinstance(split_coefficient(t)[1], Sym) for t in terms)


def _piece(i: Any) -> str:
    text = " ".join(i.span.text.split()) if i.span else i.name
    return text if len(text) <= 30 else text[:29] + "…"
