"""The assumptions of Setup D.1 and Theorem D.2, asked of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from netsor.check.kinks import Example, equal_rows, kinks_of_network, patterns, zero_rows
from netsor.check.languages import NETSOR_T_PLUS, infer_language
from netsor.check.regularity import (
    B8,
    NOT_STABLE,
    Finding,
    counted,
    infer_b8,
    infer_continuity,
    infer_regularity,
    is_positive,
)
from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Span
from netsor.expr import Sym, canonical, diff
from netsor.expr.differentiate import plain_tests
from netsor.expr.functions import TooSingular
from netsor.expr.intervals import infer_range


@dataclass(frozen=True)
class Assumption:
    """Whether an assumption holds (None: cannot be told), why, where that is seen, and what covers it else."""

    holds: bool | None
    because: str
    span: Span | None = None
    relaxation: str = ""

    def verdict(self, covered: bool) -> str:
        """Whether it holds, in words; where it fails and the conclusion is `covered` all the same, it is not needed."""
        if self.holds:
            return "holds"
        if covered and self.relaxation:
            return "not needed"
        return "cannot tell" if self.holds is None else "fails"

    def as_dict(self) -> dict[str, Any]:
        out = {"holds": self.holds, "because": self.because, "line": self.span.line if self.span else None}
        if self.span and self.span.source.included:
            out["file"] = self.span.source.name
        return {**out, "relaxation": self.relaxation} if self.relaxation else out


def infer_assumptions(program: Program, examples: Iterable[Example] | None = None) -> dict[str, Assumption]:
    """B.8 of a program; of a network also A1–A4, the Simple GIA Check, and whether NTKTRAIN holds (`NTKTRAIN`).

    With the `examples` of a network it is known whether kinks lie at rows that are zero or equal.
    """
    program = program.evaluated
    forward = infer_b8(program)
    if program.kind != "network":
        return {"B8": Assumption(forward.holds, forward.because, forward.span)}
    derivatives = infer_derivatives(program)
    found = {
        "A1": _first_and_last_layers(program),
        "A2": _transposes(program),
        "A3": _one_output(program),
        "A4": _embedding(program),
        "GIA": _simple_gia_check(program),
        "B8": _both_passes(program, forward, derivatives),
    }
    found["NTKTRAIN"] = infer_conclusion(program, found, derivatives)
    return found if derivatives.finding.hopeless else _with_kinks(program, found, examples)


def infer_no_descent(program: Program, examples: Iterable[Example]) -> Assumption | None:
    """Why SGD on these examples is not kernel gradient descent in the limit; None where it may be.

    It is the conclusion NTKTRAIN of `infer_assumptions` where that is False, found without the other assumptions.
    """
    p = program.evaluated
    derivatives = infer_derivatives(p)
    if derivatives.finding.hopeless:
        return _no_kernel(derivatives)
    met = _kinks_met(p, patterns(p, examples))
    return None if met is None else _no_gradient(p, met)


# The line whose argument lies on a kink, and why.
Met = tuple[str, str]


def _kinks_met(p: Program, examples: Iterable[Example]) -> Met | None:
    trained = trained_names(p)
    return next((met for e in examples if (met := kinks_of_network(p, trained, e)) is not None), None)


def _no_gradient(p: Program, met: Met) -> Assumption:
    return Assumption(False, f"SGD is not kernel gradient descent: {met[1]}", p.by_name[met[0]].span)


def _with_kinks(p: Program, found: dict[str, Assumption], examples: Iterable[Example] | None) -> dict[str, Assumption]:
    """B.8 and NTKTRAIN where arguments lie on a kink with positive probability: there ψ* is not a gradient."""
    met = _kinks_met(p, patterns(p, examples) if examples is not None else [{}])
    if met is not None:
        b8 = Assumption(False, f"backward pass and SGD: {met[1]}; {NOT_STABLE}", p.by_name[met[0]].span)
        return {**found, "B8": b8, "NTKTRAIN": _no_gradient(p, met)}
    if examples is not None:
        return found
    trained = trained_names(p)
    for condition, example in (("an input row is zero", zero_rows(p)), ("input rows are equal", equal_rows(p))):
        met = kinks_of_network(p, trained, example)
        if met is None:
            continue
        b8, conclusion = found["B8"], found["NTKTRAIN"]
        unless = f"unless {condition}: then {met[1]}"
        if b8.relaxation:
            b8 = replace(b8, relaxation=f"{b8.relaxation}, {unless}")
        elif b8.holds:
            b8 = replace(b8, holds=None, because=f"{b8.because}, {unless}")
        if conclusion.holds:
            conclusion = replace(conclusion, holds=None, because=f"{conclusion.because}, {unless}")
        return {**found, "B8": b8, "NTKTRAIN": conclusion}
    return found


def trained_names(program: Program) -> list[str]:
    """What SGD updates: what `train` names; without it every n×n matrix (Assumption A1)."""
    return [m.name for m in program.matrices] if program.train is None else [t.name for t in program.train]


def _place(program: Program, name: str) -> Span | None:
    for t in program.train or ():
        if t.name == name:
            return t.span
    return None


def _quoted(names: list[str]) -> str:
    shown = [f"`{n}`" for n in names[:6]] + (["…"] if len(names) > 6 else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]


def _first_and_last_layers(p: Program) -> Assumption:
    others = [n for n in trained_names(p) if n not in p.matrix]
    if not others:
        return Assumption(True, "only n×n matrices are trained")
    readouts = {v for r in p.readouts for _, v, _ in r.terms}
    layers = [
        "an input layer" if n in p.input_matrix else "a last layer" if n in readouts else "a bias" for n in others
    ]
    what = ", ".join(dict.fromkeys(layers))
    return Assumption(
        False,
        f"{_quoted(others)} {'is' if len(others) == 1 else 'are'} trained ({what})",
        _place(p, others[0]),
        "D.4.1 (first and last layers trained)",
    )


def _transposes(p: Program) -> Assumption:
    seen: dict[str, dict[bool, MatMul]] = {}
    used = counted(p)
    for i in p.instructions:
        if isinstance(i, MatMul) and i.name in used:
            seen.setdefault(i.matrix, {}).setdefault(i.transposed, i)
    for name, uses in seen.items():
        if len(uses) == 2:
            later = max(uses.values(), key=lambda i: i.span.order if i.span else ())
            return Assumption(
                False,
                f"the forward pass multiplies by `{name}` and by `{name}ᵀ`",
                later.span,
                "D.4.2 (W and Wᵀ in the forward pass)",
            )
    return Assumption(True, "no matrix is used together with its transpose")


def _one_output(p: Program) -> Assumption:
    if len(p.readouts) == 1:
        return Assumption(True, "the output is a scalar")
    return Assumption(
        False,
        f"the network has {len(p.readouts)} readouts",
        p.readouts[1].span if len(p.readouts) > 1 else None,
        "D.4.3 (several outputs, any batch size)",
    )


def _embedding(p: Program) -> Assumption:
    for r in p.readouts:
        for _, _, x in r.terms:
            if p.kind_of(x) != "G-var":
                i = p.by_name.get(x)
                return Assumption(
                    False,
                    f"the last embedding `{x}` is an X-var",
                    i.span if i and i.span else r.span,
                    "D.4.4 (X-var embedding)",
                )
    return Assumption(True, "the last embedding is a G-var")


def _simple_gia_check(p: Program) -> Assumption:
    """The readout is sampled with mean zero, independently of all else, and is used nowhere but in the readout."""
    readouts = list(dict.fromkeys(v for r in p.readouts for _, v, _ in r.terms))
    asked = counted(p)
    for v in readouts:
        group, i = p.group_of[v]
        if group.mean[i] != 0:
            return Assumption(False, f"the readout `{v}` has mean {group.mean[i]:g}, not 0", group.span)
        tied = [n for j, n in enumerate(group.names) if j != i and group.covariance[i][j] != 0]
        if tied:
            return Assumption(False, f"the readout `{v}` is correlated with {_quoted(tied)}", group.span)
        for instruction in p.instructions:
            if instruction.name not in asked:
                continue
            used = (instruction.vector,) if isinstance(instruction, MatMul) else instruction.vectors
            if v in used:
                return Assumption(False, f"the readout `{v}` is also used in `{instruction.name}`", instruction.span)
        for r in p.readouts:
            if any(x == v for _, _, x in r.terms):
                return Assumption(False, f"the readout `{v}` is also the embedding of `{r.name}`", r.span)
    verb, where = ("is", "the readout") if len(readouts) == 1 else ("are", "the readouts")
    return Assumption(True, f"{_quoted(readouts)} {verb} centred, independent of all else and used only in {where}")


def _both_passes(p: Program, forward: B8, derivatives: Derivatives) -> Assumption:
    """B.8 of the forward pass, and of the backward pass and SGD, which use ψ' and ψ* (Eqs. 78 and 84)."""
    backward, place = derivatives
    if forward.holds and backward.holds:
        return Assumption(
            True,
            "every ψ of the forward pass and every ψ' of the backward pass is pseudo-Lipschitz, and so is every ψ*",
        )
    covered = "versions of the Master Theorem that assume rank stability cover it (Yang 2020b)"
    if forward.holds:
        because = f"the forward pass passes; the backward pass uses ψ' and SGD uses ψ*: {backward.because}"
        return Assumption(backward.holds, because, place, covered if backward.covered else "")
    # What covers the forward pass need not cover the backward pass: of step there is none.
    both = backward.holds or backward.covered
    because = f"forward pass: {forward.because}"
    if not backward.holds:
        rest = covered if backward.covered else "rank stability does not help there"
        because += f"; backward pass and SGD: {backward.because}; {rest}"
    return Assumption(forward.holds, because, forward.span, covered if forward.covered and both else "")


class Derivatives(NamedTuple):
    """Whether the first derivatives of every ψ are pseudo-Lipschitz, and the line of the worst."""

    finding: Finding
    place: Span | None


def infer_derivatives(p: Program) -> Derivatives:
    """Whether the first derivatives of every ψ of the forward pass are pseudo-Lipschitz, and where they are not."""
    from netsor.expr.entry import REALS, Interval

    worst, place = Finding(True, ""), None
    used = counted(p)
    ranges: dict[Sym, Interval] = {}
    positive: set[Sym] = set()
    for i in p.instructions:
        if isinstance(i, MatMul) or i.name not in used:
            continue
        psi = canonical(i.psi)
        # Of scalars alone, ψ' is a function of scalars alone, which only has to be continuous.
        alone = isinstance(i, Moment) and not i.vectors
        ranges[Sym(i.name)] = infer_range(psi, ranges) if not isinstance(i, Nonlin) or psi.free else REALS
        for x in (*i.vectors, *i.scalars):
            try:
                slope = plain_tests(diff(psi, Sym(x)))
                found = infer_continuity(slope, ranges, positive) if alone else infer_regularity(slope, ranges)
            except TooSingular:
                found = Finding(False, f"ψ of `{i.name}` has no derivative in `{x}`", covered=False, hopeless=True)
            if worst.worse(found) is found and found is not worst:
                worst, place = found, i.span
        if is_positive(psi, positive, ranges):
            positive.add(Sym(i.name))
    return Derivatives(worst, place)


def _no_kernel(derivatives: Derivatives) -> Assumption:
    why = f"SGD needs derivatives with a finite second moment, and {derivatives.finding.because}"
    return Assumption(False, f"the NTK does not exist: {why}", derivatives.place)


def infer_conclusion(p: Program, found: dict[str, Assumption], derivatives: Derivatives) -> Assumption:
    """Theorem D.2, or the paragraph of D.4 that extends it to this network."""
    needed = [a.relaxation for k in ("A1", "A2", "A3", "A4") if not (a := found[k]).holds]
    if infer_language(p) == NETSOR_T_PLUS:
        needed.append("D.4.5 (scalars in the forward pass)")
    gia, b8 = found["GIA"], found["B8"]
    if derivatives.finding.hopeless:
        return _no_kernel(derivatives)
    if not gia.holds:
        return Assumption(
            None,
            f"not by the paper: the Simple GIA Check fails, since {gia.because}; "
            "`--exact` computes whether the Żs that it speaks of vanish",
            gia.span,
        )
    if b8.holds is False and not b8.relaxation:
        return Assumption(None, f"not by the paper: Assumption B.8 fails, since {b8.because}", b8.span)
    by = "Theorem D.2" + (f" with {', '.join(needed)}" if needed else "")
    if b8.holds is not True:
        by += ", in the version for rank stability" if b8.holds is False else ", if Assumption B.8 holds"
    return Assumption(True if b8.holds is not None else None, f"by {by}: SGD is kernel gradient descent as n → ∞")
