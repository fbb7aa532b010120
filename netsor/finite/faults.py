"""The errors of a run at finite width, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches

from netsor.core import Instruction, MatMul, Moment, Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.finite.cost import YEAR


def bad_width(width: object) -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E701", f"the width is {width!r}, and n is a whole number of at least 1", hint="for example --width 1024"
        )
    )


def bad_seeds(seeds: object) -> NetsorError:
    return NetsorError(
        Diagnostic(
            "E705",
            f"{seeds!r} says neither how many draws to run, nor which",
            notes=("a run makes at least 1 draw; draws are counted from 0",),
            hint="for example --seeds 20",
        )
    )


def bad_seed(seed: object) -> NetsorError:
    return NetsorError(
        Diagnostic("E705", f"{seed!r} is not a seed: seeds are whole numbers from 0 to 2^64 − 1", hint="write `seed=0`")
    )


def too_long(program: str, n: int, draws: int, seconds: Decimal, day: int) -> NetsorError:
    """The error for a run that would take `seconds`, more than a year; `day` is the width that takes a day, or 0."""
    whose = f"`{program}`" if program else "the program"
    runs = "one draw" if draws == 1 else f"{whole(draws)} draws"
    return NetsorError(
        Diagnostic(
            "E700",
            f"{runs} of {whose} at width {whole(n)} would take about {whole(int(seconds / Decimal(YEAR)))} years",
            notes=("nothing was begun; the time is a rough estimate",),
            hint=f"--width {day} takes about a day" if day else "ask for fewer draws",
        )
    )


def whole(n: int) -> str:
    """A whole number for a message: 1,024, or 1e30 where it has more than 15 digits."""
    if abs(n) < 10**15:
        return f"{n:,}"
    digits = f"{Decimal(n):.2e}"
    mantissa, _, exponent = digits.partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def bad_choice(what: str, given: object, known: Iterable[str]) -> NetsorError:
    """The error for an output, engine or precision that does not exist."""
    names = list(known)
    close = get_close_matches(str(given), names, 1)
    return NetsorError(
        Diagnostic(
            "E705",
            f"there is no {what} `{given}`",
            notes=(f"there is {', '.join(names[:12])}{', …' if len(names) > 12 else ''}",) if names else (),
            hint=f"did you mean `{close[0]}`?" if close else "",
        )
    )


def bad_array(name: str, why: str) -> NetsorError:
    """The error for numbers that do not fit the variable or the input of a network that they are given for."""
    return NetsorError(Diagnostic("E706", f"the numbers given for `{name}` do not fit: {why}"))


def no_constant(program: Program, name: str, value: float, n: int) -> NetsorError:
    c = program.constant[name]
    return NetsorError(
        Diagnostic(
            "E703",
            f"`{name}` has no finite value at n = {whole(n)}",
            c.span,
            label=f"{c.value!r} is {_what(value)} at this width",
            hint="choose another width",
        )
    )


def below_range(instruction: Instruction, number: float, dtype: str) -> NetsorError:
    """The error for a number of a ψ that is zero in the precision of the run, whose results would all be wrong."""
    return NetsorError(
        Diagnostic(
            "E703",
            f"`{instruction.name}` has no value in {dtype}: {number:g} is zero there",
            instruction.span,
            label=f"{number:g} is below the smallest number of {dtype}",
            hint="use --dtype float64",
        )
    )


def not_finite(
    program: Program, output: str, instruction: Instruction, value: float, where: int | None, n: int, draw: int
) -> NetsorError:
    """The error for a non-finite output; `instruction` is the first with a non-finite result of finite arguments."""
    what = _what(value)
    if isinstance(instruction, Moment):
        label = f"this mean is {what}"
    elif isinstance(instruction, MatMul):
        label = f"this product overflows: it is {what} at coordinate {(where or 0) + 1}"
    else:
        label = f"{what} at coordinate {(where or 0) + 1}"
    return NetsorError(
        Diagnostic(
            "E703",
            f"`{output}` is not finite at n = {whole(n)}: `{instruction.name}` is where it begins",
            instruction.span,
            label=label,
            notes=(f"seen with draw {draw}; everything `{instruction.name}` is computed from is finite",),
            hint="keep its arguments inside the domain, for instance log(x^2 + 1e-6), or use --dtype float64",
        )
    )


def kernel_not_finite(network: str, n: int, draw: int) -> NetsorError:
    """A kernel of a drawn network that has an entry without a value."""
    return NetsorError(
        Diagnostic(
            "E703",
            f"a kernel of `{network}` is not finite at n = {whole(n)}",
            notes=(f"seen with draw {draw}",),
            hint="keep arguments inside the domain of their functions, for instance log(x^2 + 1e-6)",
        )
    )


def _what(value: float) -> str:
    if value != value:
        return "not a number"
    return "infinite" if value > 0 else "minus infinity"
