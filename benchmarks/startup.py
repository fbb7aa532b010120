"""What a check costs beside the import of the libraries it stands on: `netsor check` against `import lark, rich`.

    python benchmarks/startup.py [--runs 10]

Both run in fresh processes and in turns; the smallest processor time of each counts. Compiled files are kept for all of
them, as an installation has them, even where the environment says that none are written.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "programs" / "algorithm1.netsor"
COMMANDS = {
    "import lark, rich": [sys.executable, "-c", "import lark, rich.console"],
    "netsor check": [sys.executable, "-m", "netsor.cli.main", "check", str(PROGRAM)],
    "netsor --help": [sys.executable, "-m", "netsor.cli.main", "--help"],
    "netsor eval --limit": [sys.executable, "-m", "netsor.cli.main", "eval", str(PROGRAM), "--limit"],
}


def seconds(command: list[str], compiled: str) -> float:
    """The processor time of a child that keeps its compiled files in a folder."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=environment)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    best = dict.fromkeys(COMMANDS, float("inf"))
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(runs + 1):  # the first compiles
            for name, command in COMMANDS.items():
                best[name] = min(best[name], seconds(command, compiled))
    floor = best["import lark, rich"]
    for name, time in best.items():
        print(f"{name:22} {time:6.3f} s   {time / floor:5.2f} ×")


if __name__ == "__main__":
    main()
