"""Laws known by name elsewhere, and what has them here: functions of a Gaussian, sums of a matrix and its transpose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from netsor.diagnostics.data import Edit, Source, replacement

_NORMAL = {"normal", "gaussian", "norm", "gauss", "randn", "𝒩"}
_UNIFORM = {"uniform", "unif", "rand", "runif"}
_SYMMETRIC = {"goe", "gue", "gse", "wigner", "symmetric"}
_ORTHOGONAL = {"haar", "orthogonal", "o", "unitary", "u", "stiefel"}
_ARGUMENTS = r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)?"
_DECLARED = re.compile(rf"^\s*(vector|matrix)\s+([^~]*?)\s*~\s*([^\W\d]\w*)\s*(?:{_ARGUMENTS})?\s*$")
_ROOT = re.compile(r"(?:sqrt|√)\s*\(?\s*([^()]+?)\s*\)?|([^()]+?)\s*(?:\*\*|\^)\s*\(?\s*(?:0?\.5|1\s*/\s*2)\s*\)?")


@dataclass(frozen=True, slots=True)
class NamedLaw:
    """What is said of a declaration with such a law; `text` is what stands in its place, '' where none is offered."""

    message: str
    note: str
    hint: str
    text: str = ""


def named_law(text: str) -> NamedLaw | None:
    """What a declaration with such a law means here; None where the line is none."""
    found = _DECLARED.match(text)
    if found is None or found[3] in ("N", "𝒩"):
        return None
    kind, names, law, inside = found[1], found[2].strip(), found[3], found[4]
    arguments = [a.strip() for a in (inside or "").split(",") if a.strip()]
    said = f"`{law}` is not a law"
    if law.lower() in _UNIFORM and (kind == "vector" or ":" in names):
        ends = ", ".join(arguments) if len(arguments) == 2 else "0, 1"
        line = f"{kind} {names} ~ U({ends})"
        return NamedLaw(said, "the uniform law is `U(low, high)`", f"write `{line}`", line)
    if law.lower() in _NORMAL and (kind == "vector" or len(arguments) == 2):
        given = ", ".join(arguments) if len(arguments) == 2 else "0, 1"
        line = f"{kind} {names} ~ N({given})"
        return NamedLaw(said, "a law is `N(mean, variance)`", f"write `{line}`", line)
    if kind == "matrix":
        return _of_matrix(said, names, law.lower())
    latent = f"{names}_0" if re.fullmatch(r"\w+", names) else ""
    value = _function(law.lower(), arguments, latent or "g")
    note = "vectors are drawn from normal laws, and a function of a Gaussian has any other"
    if not latent:
        return NamedLaw(said, note, f"draw a Gaussian g, and give each member the value `{value}`")
    line, below = f"vector {latent} ~ N(0, 1)", f"{names} := {value}"
    indent = text[: len(text) - len(text.lstrip())]
    return NamedLaw(said, note, f"write `{line}`, and below it `{below}`", f"{line}\n{indent}{below}")


def _function(law: str, arguments: list[str], g: str) -> str:
    """A function of a standard Gaussian g with the law."""
    match law, arguments:
        case ("rademacher" | "sign" | "signs", _):
            return f"sign({g})"
        case ("bernoulli" | "ber" | "bern", [p, *_]):
            return f"if Phi({g}) < {p} then 1 else 0"
        case ("bernoulli" | "ber" | "bern", _):
            return f"step({g})"
        case ("exponential" | "exp" | "expon", [rate]):
            return f"-log(Phi({g})) / ({rate})"
        case ("exponential" | "exp" | "expon", _):
            return f"-log(Phi({g}))"
        case ("lognormal", [mean, variance]):
            return f"exp({mean} + √({variance}) * {g})"
        case ("lognormal", _):
            return f"exp({g})"
    return f"tanh({g})"


def _of_matrix(said: str, names: str, law: str) -> NamedLaw:
    if law in _SYMMETRIC:
        return NamedLaw(
            said,
            "a symmetric matrix is (A + Aᵀ)/√2 with iid entries in A; the moments of a complex one have its limits",
            f"write `matrix {names}`, and for each product with it `({names} x + {names}ᵀ x) / √2`",
        )
    if law in _ORTHOGONAL:
        return NamedLaw(
            said,
            "a matrix has iid N(0, σ²/n) entries; an orthogonal one is not in the language, and has other limits",
            f"where its transpose is not used, a matrix of iid entries acts alike: `matrix {names}`",
            f"matrix {names}",
        )
    return NamedLaw(said, "a matrix has iid N(0, σ²/n) entries", f"write `matrix {names}`", f"matrix {names}")


def named_edit(source: Source, start: int, end: int, law: NamedLaw) -> Edit | None:
    """The edit that puts the law's text in the place of the declaration [start, end)."""
    return replacement(source, start, end, law.text) if law.text else None


def squared(text: str) -> str:
    """The square of a deviation as it is typed: a number, a root, a quotient of these."""
    text = re.sub(r"\b(?:np|numpy|torch|jnp|math)\.", "", text).strip().rstrip(".")
    root = _ROOT.fullmatch(text)
    if root:
        return (root[1] or root[2]).rstrip(".")
    quotient = re.fullmatch(r"([^/()]+|\S*\([^()]*\))\s*/\s*([^/]+)", text)
    if quotient:
        return f"{squared(quotient[1])}/{squared(quotient[2])}"
    try:
        return repr(float(Fraction(text) ** 2)).removesuffix(".0")
    except ValueError:
        return f"{text}^2" if re.fullmatch(r"\w+", text) else f"({text})^2"
