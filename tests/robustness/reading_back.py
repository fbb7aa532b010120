"""What `show`, `backward`, `sgd` and `derive` print of a generated text, read back.

`python tests/robustness/reading_back.py FIRST LAST` prints what is wrong with the texts of these numbers.
"""

from __future__ import annotations

import random
import sys

from attack import FUNCTIONS, _expression, _mutated_gallery, _network, _program

from netsor.api import Document, loads
from netsor.core import Moment
from netsor.diagnostics import NetsorError
from netsor.expr import Sym
from netsor.show.derivation import as_latex, as_text

ROWS = [[1, 0.5], [0.3, -1]]
# Numbers that a listing must not lose: slopes and constants beyond floats, signed zeros, long decimals.
CONSTANTS = ["1e-320", "1e-400", "10^400", "-0.0", "1/3", "0.1", "123456789012345678", "1e308", "π", "√2", "(2/3)^0.5"]


def text_of(number: int) -> str:
    """The text of this number, always the same."""
    rng = random.Random(number)
    kind = rng.random()
    if kind < 0.2:
        return _mutated_gallery(rng)[0]
    if kind < 0.45:
        return _program(rng)
    return _network(rng) if kind < 0.6 else _deep_network(rng)


def _deep_network(rng: random.Random) -> str:
    """A network of several layers, with biases, scalars, functions with parameters, and Wᵀ."""
    slope, number = rng.choice(["0.2", "-0.5", "1/3", "1e-310"]), rng.choice(CONSTANTS)
    lines = [
        f"network m(ξ : 2)\nφ(u) = leaky_relu(u, {slope}) + {rng.choice(FUNCTIONS[:12])}(u)\nψ(u; t) = tanh(t * u)",
        f"scalar c = {number}\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W, V ~ N(0, 2/n)\nvector b ~ N(0, 0.1)",
        f"vector v ~ N(0, 1)\ntrain {rng.choice(['U, W, v', 'W', 'v', 'U, W, V, v, b', 'U, b'])}\nh := U ξ",
    ]
    names = ["h"]
    for k in range(rng.randrange(1, 4)):
        match rng.randrange(4):
            case 0:
                lines.append(f"s{k} := mean({rng.choice(names)}^2)\ny{k} := {rng.choice(names)} / √(1 + s{k})")
            case 1:
                lines.append(f"y{k} := {rng.choice(['φ', 'φ', 'tanh', 'relu'])}({rng.choice(names)} + b)")
            case 2:
                lines.append(f"y{k} := ψ({rng.choice(names)}; {rng.choice(['0.3', 'c', 'n', '1/√n'])})")
            case _:
                lines.append(f"y{k} := {_expression(rng, [*names, 'b'], rng.randrange(1, 3))}")
        lines.append(f"g{k} := {rng.choice(['W', 'V', 'Wᵀ'])} y{k}")
        names += [f"y{k}", f"g{k}"]
    lines.append(f"output f := vᵀ {rng.choice(names[1:])} / √n")
    return "\n".join(lines) + "\n"


def wrong(text: str) -> list[str]:
    """What does not read back of a text; nothing of one that has errors, or that cannot be trained."""
    try:
        document = loads(text)
    except NetsorError:
        return []
    if not document.check().ok:
        return []
    found = [*_differs("show", document)]
    try:
        if document.program.kind == "network":
            if [i.dimension for i in document.program.inputs] != [2] or document.program.inputs[0].indices is not None:
                return found
            targets = [[0.5] * len(document.program.readouts)]
            derived = {"backward": lambda: document.backward(ROWS), "waiting": lambda: document.backward(),
                       "sgd": lambda: document.sgd(ROWS[:1], targets, steps=1, lr=0.3)}  # fmt: skip
            for command, make in derived.items():
                try:
                    made = make()
                except NetsorError as fault:
                    assert all(d.code != "E012" for d in fault.diagnostics)
                    continue
                found += _differs(command, made)
        else:
            derivation = document.derive()
            if not as_text(derivation, width=60) or not as_latex(derivation).isascii():
                found.append("derive: not ASCII")
    except NetsorError:
        pass
    return found


def _differs(command: str, made: Document) -> list[str]:
    """A listing whose reading is another program, and one that is not its own listing."""
    shown = made.listing()
    data = {"ξ": ROWS[:1]} if command == "waiting" else {}
    again = loads(shown, data=data)
    if not again.check().ok:
        said = [f"{d.code} {d.message} (line {d.span.line if d.span else '?'})" for d in again.check().diagnostics]
        return [f"{command}: {said}\n{shown}"]
    if command == "show" and again.program.as_listed != made.program.as_listed:
        return [f"{command}: another core\n{shown}\n{again.listing()}"]
    if _steps(again) != _steps(made):
        return [f"{command}: other instructions\n{shown}"]
    if loads(again.listing()).program.as_listed != again.program.as_listed:
        return [f"{command}: another core when read twice\n{shown}\n{again.listing()}"]
    return []


def _steps(document: Document) -> list[str]:
    """The names of the instructions, without other names of a scalar, which outputs get when they are read."""
    return [i.name for i in document.program.instructions if not (isinstance(i, Moment) and isinstance(i.psi, Sym))]


if __name__ == "__main__":
    import traceback

    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        text = text_of(number)
        try:
            found = wrong(text)
        except Exception:
            found = [traceback.format_exc()]
        if found:
            print(f"=== {number}\n{text}\n" + "\n".join(found)[:6000], flush=True)
