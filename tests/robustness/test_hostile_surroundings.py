"""Every command with every option where a stream, a folder, a disk or the memory refuses: told, and nothing lost."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from calls import FILES, pairs
from server import Ended, Surroundings, can_mount, serving

# Small files whose disk is full, and one that has room for half of what is written.
_TMPFS = 'cp -r "$DIR" "$DIR.kept"; mount -t tmpfs -o size={size}k none "$DIR"; cp -r "$DIR.kept"/. "$DIR"'
SURROUNDINGS = [
    Surroundings("standard output on a full disk", stdout="/dev/full"),
    Surroundings("standard output closed", stdout=None),
    Surroundings("files that may not grow", limits={"FSIZE": 0}, stdout="/dev/null"),
    Surroundings("files of a page at most", limits={"FSIZE": 4096}, stdout="/dev/null"),
    Surroundings("a folder that is read-only", mount='mount --bind "$DIR" "$DIR"; mount -o remount,ro,bind "$DIR"'),
    Surroundings("a disk with room for a little", mount=_TMPFS.format(size=76)),
    Surroundings("few files at a time", limits={"NOFILE": 12}),
]
EVERY = list(pairs())
# Those of the short part: what prints, what writes a file, and what keeps a store.
FEW = [
    ["check", "m.netsor"], ["eval", "p.netsor", "--json"], ["fmt", "untidy.netsor"], ["new", "mlp", "folder"],
    ["draw", "p.netsor", "-o", "o.svg"], ["report", "p.netsor", "--width", "0", "-o", "r.html"],
    ["eval", "p.netsor", "--law", "y[2]", "--samples", "4", "--samples-to", "s.csv"],
    ["converge", "p.netsor", "--widths", "4,8", "--seeds", "2", "--jobs", "1"],
    ["converge", "p.netsor", "--widths", "4,8", "--seeds", "2", "--jobs", "1", "--store", "st.jsonl"],
]  # fmt: skip


# The answers in surroundings that refuse nothing, and the files that were there afterwards.
_usual: dict[tuple[str, ...], tuple[Ended, dict[str, bytes]]] = {}


def faults(calls: Sequence[list[str]], where: Surroundings, tmp_path: Path) -> list[str]:
    """What is wrong with the answers to calls in these surroundings, against those in good ones."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
    out = []
    with serving(Surroundings("nothing that refuses"), good) as usual, serving(where, bad) as server:
        for arguments in calls:
            if tuple(arguments) not in _usual:
                _usual[tuple(arguments)] = usual.call(arguments), usual.files()
                usual.restore(FILES)
            (expected, there), found = _usual[tuple(arguments)], server.call(arguments)
            wrong = _wrong(expected, found, where)
            # `fmt` and `check --fix` write to what they were given; all other files that were there are as they were.
            left = server.files()
            damaged = [n for n, text in FILES.items() if left[n] not in (text.encode(), there[n])]
            made = [n for n in left if n not in FILES and (n.startswith(".") or n.endswith((".tmp", ".new")))]
            if damaged or made:
                wrong.append(f"damaged {damaged}, left {made}")
            out += [f"netsor {' '.join(arguments)}: {w}\n{found}" for w in wrong]
            if "read-only" not in where.name:
                server.restore(FILES)
    return out


def _timeless(out: str) -> str:
    return re.sub(r'"seconds": [^,\n]*', "", out)


def _wrong(expected: Ended, found: Ended, where: Surroundings) -> list[str]:
    out = []
    if found.status not in (0, 1, 2) or "Traceback" in found.err or "E012" in found.err:
        out.append(f"status {found.status}")
    if where.stdout == "/dev/full" and expected.out and not (found.status and "could not be written" in found.err):
        out.append("a full disk is not told")
    if where.stdout is None and found.status != expected.status:
        out.append(f"status {found.status} for {expected.status}")
    if found.status == 0 and where.stdout == "" and _timeless(found.out) != _timeless(expected.out):
        out.append(f"another answer than {expected.out!r}")
    if found.status != expected.status and not found.err:
        out.append("nothing is said")
    return out


@pytest.mark.parametrize("where", SURROUNDINGS, ids=lambda s: s.name)
def test_some_commands(where: Surroundings, tmp_path: Path) -> None:
    if where.mount and not can_mount():
        pytest.skip("nothing can be mounted here")
    assert not faults(FEW, where, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("where", SURROUNDINGS, ids=lambda s: s.name)
def test_every_command_with_every_option(where: Surroundings, tmp_path: Path) -> None:
    if where.mount and not can_mount():
        pytest.skip("nothing can be mounted here")
    assert not faults(EVERY, where, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [40, 120, 300, 600])
def test_memory_beyond_what_is_used_already(megabytes: int, tmp_path: Path) -> None:
    """As with `ulimit -v`, for a process that has already imported what it runs."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of a process is read from /proc")
    calls = random.Random(megabytes).sample(EVERY, 60)
    assert not faults(calls, Surroundings("little memory", memory=megabytes * 2**20), tmp_path)
