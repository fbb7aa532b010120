"""Why parts of an expectation are zero, as notes."""

from __future__ import annotations

from netsor.expr import Expr, Sym, split_coefficient
from netsor.show.derivation.expectations import Dropped, Expectations
from netsor.show.derivation.lines import Note

# More notes than this of one kind are one.
_MOST_NOTES = 2


def reasons(dropped: tuple[Dropped, ...], expect: Expectations) -> tuple[Note, ...]:
    """Why terms are gone; terms that are gone for one reason share a note."""
    groups: dict[tuple[str, tuple[Sym, ...]], list[Expr]] = {}
    for d in dropped:
        groups.setdefault((d.reason, d.about), []).append(d.part)
    out = []
    if len(groups) > _MOST_NOTES and all(about and reason != "odd" for reason, about in groups):
        together = [p for parts in groups.values() for p in parts]
        groups = {("a factor of mean 0 is independent of the rest", ()): together}
    for (reason, about), parts in groups.items():
        shown: list[str | Expr] = []
        for part in parts[:2]:
            integrand = split_coefficient(part)[1]
            shown += [", " if shown else "", expect.whole(integrand)]
        if len(parts) > 2:
            shown.append(f" and {len(parts) - 2} more")
        if reason == "odd":
            why: tuple[str | Expr, ...] = ("odd in ", *_listed(about), ", whose law is symmetric")
        else:
            why = (*_listed(about), f" {reason}") if about else (reason,)
        out.append(Note((*shown, " = 0: ", *why)))
    return tuple(out)


def because(dropped: tuple[Dropped, ...]) -> tuple[str | Expr, ...]:
    """The reason for one zero, to follow the formula that it is about."""
    for d in dropped:
        if d.about and d.reason != "odd":
            return (", for ", *_listed(d.about), f" {d.reason}")
        if d.reason == "odd":
            return (", for it is odd in ", *_listed(d.about), ", whose law is symmetric")
    return (", for the integrand is odd, and the law symmetric",)


def _listed(about: tuple[Sym, ...]) -> tuple[str | Expr, ...]:
    out: list[str | Expr] = []
    for s in about:
        out += [", " if out else "", s]
    return tuple(out)
