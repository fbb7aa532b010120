"""`netsor new`: a network to begin with, and data to try it on."""

from __future__ import annotations

import argparse
import json
import math
import random
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsor import resources

_TRAINING, _TEST = 6, 3


@dataclass(frozen=True)
class _Kind:
    """What a network takes: the shape of an example, whether its target is the example itself, and what it is.

    The limits of a `gated` one are integrals in many variables, so that its kernels need a budget.
    """

    shape: tuple[int, ...]
    about: str
    own_target: bool = False
    gated: bool = False


KINDS = {
    "mlp": _Kind((4,), "a multilayer perceptron"),
    "cnn": _Kind((8, 3), "a convolutional network"),
    "rnn": _Kind((4, 3), "a recurrent network"),
    "lstm": _Kind((3, 3), "a long short-term memory", gated=True),
    "gru": _Kind((3, 3), "a gated recurrent unit", gated=True),
    "transformer": _Kind((3, 3), "a transformer"),
    "gcn": _Kind((4, 3), "a graph convolutional network"),
    "autoencoder": _Kind((3,), "an autoencoder with tied weights", own_target=True),
}


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "new",
        help="write a network to begin with, and example data",
        epilog="example: netsor new mlp my_folder",
    )
    parser.add_argument("kind", choices=tuple(KINDS), metavar="|".join(KINDS), help="which network")
    parser.add_argument("folder", metavar="DIR", nargs="?", help="where to write it (a folder of the network's name)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.diagnostics import NetsorError
    from netsor.diagnostics.catalogue import files
    from netsor.show.writing import unwritten, write

    folder = Path(args.folder or args.kind)
    made = _files(args.kind)
    present = [folder / name for name in made if (folder / name).exists()]
    if present:
        raise NetsorError(files.exists(str(present[0]), len(present)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as fault:
        raise NetsorError(unwritten(str(folder), fault)) from None
    try:
        for name, text in made.items():
            write(str(folder / name), text.encode())
    except BaseException:
        # All or none of them, so that the same call can be made again.
        for name in made:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        raise
    print("\n".join(_told(args.kind, folder, list(made))))
    return 0


def _files(kind: str) -> dict[str, str]:
    """The names and the texts of what is written."""
    network = f"{kind}.netsor"
    text = (resources.standard_library().parent / "new" / network).read_text(encoding="utf-8")
    shape = KINDS[kind].shape
    # Rows of numbers are a table; what has more axes is JSON.
    ending = "csv" if len(shape) == 1 else "json"
    draw = random.Random(0)
    rows = [_example(draw, shape) for _ in range(_TRAINING + _TEST)]
    targets = [_flat(row) if KINDS[kind].own_target else [_target(row)] for row in rows[:_TRAINING]]
    return {
        network: text,
        f"X.{ending}": _written(rows[:_TRAINING], ending),
        "y.csv": _written(targets, "csv"),
        f"Xtest.{ending}": _written(rows[_TRAINING:], ending),
    }


def _example(draw: random.Random, shape: tuple[int, ...]) -> Any:
    if not shape:
        return round(draw.gauss(0, 1), 2)
    return [_example(draw, shape[1:]) for _ in range(shape[0])]


def _flat(row: Any) -> list[float]:
    return [x for part in row for x in _flat(part)] if isinstance(row, list) else [row]


def _target(row: Any) -> float:
    """Something that depends smoothly on an example."""
    numbers = _flat(row)
    return round(math.sin(sum(numbers) / math.sqrt(len(numbers))), 2)


def _written(rows: list[Any], ending: str) -> str:
    if ending == "csv":
        return "".join(",".join(map(str, row)) + "\n" for row in rows)
    return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n"


def _as_typed(path: Path) -> str:
    """A path as a shell takes it, and not for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _told(kind: str, folder: Path, names: list[str]) -> list[str]:
    network, inputs, targets, test = (_as_typed(folder / name) for name in names)
    about = [KINDS[kind].about, f"{_TRAINING} examples to train on", "their targets", f"{_TEST} examples to predict"]
    widest = max(len(str(folder / name)) for name in names)
    trained = f"--inputs {inputs} --targets {targets} --test {test}"
    wrote = [f"  {str(folder / name):<{widest}}  {what}" for name, what in zip(names, about, strict=True)]
    if KINDS[kind].gated:
        return [
            "wrote",
            *wrote,
            "try",
            f"  netsor check {network}",
            f"  netsor ntk {network} --inputs {inputs} --nngp --budget 60",
            f"  netsor ntk {network} --inputs {inputs} --width 2000 --seeds 4",
        ]
    return [
        "wrote",
        *wrote,
        "try",
        f"  netsor check {network}",
        f"  netsor ntk {network} --inputs {inputs}",
        f"  netsor predict {network} {trained} --kernel ntk",
        f"  netsor train {network} {trained} --steps 3",
    ]
