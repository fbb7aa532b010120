"""E7xx: runs at a finite width; the programs of E703 and E704 are found wanting by `netsor eval --width 64`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import whole
from netsor.diagnostics.data import Diagnostic, Span

E700 = Entry(
    "E700",
    "a run would take years",
    "The time of a run is estimated from its instructions, its width and the number of draws before anything "
    "begins. A sweep over coordinates that nobody keeps needs hardly any memory, so an absurd width shows "
    "here and not in the memory.",
    "netsor eval programs/algorithm1.netsor --width 1000 --seeds 1e15",
    "netsor eval programs/algorithm1.netsor --width 1000 --seeds 10",
    "Setup B.2",
)


def too_long(program: str, n: int, draws: int, years: int, day: int) -> Diagnostic:
    """A run that would take more than a year; `day` is the width that takes a day, or 0."""
    whose = f"`{program}`" if program else "the program"
    runs = "one draw" if draws == 1 else f"{whole(draws)} draws"
    return E700(
        f"{runs} of {whose} at width {whole(n)} would take about {whole(years)} years",
        notes=("nothing was begun; the time is a rough estimate",),
        hint=f"--width {day} takes about a day" if day else "ask for fewer draws",
    )


E701 = Entry(
    "E701",
    "a width must be a whole number of at least 1",
    "At width n vectors have n coordinates and matrices n×n entries.",
    "netsor eval programs/algorithm1.netsor --width 0",
    "netsor eval programs/algorithm1.netsor --width 1024",
    "Setup B.2",
)


def bad_width(width: object) -> Diagnostic:
    return E701(f"the width is {width!r}, and n is a whole number of at least 1", hint="for example --width 1024")


E702 = Entry(
    "E702",
    "a run does not fit into the memory",
    "The memory of a run is estimated before anything is allocated: n² numbers for each matrix that is held at "
    "a time with the dense engine, two vectors for each product with the lazy one, with both the vectors alive at "
    "a time. A run that needs more than the system has free is refused. The message says how wide it may "
    "be. Single precision halves the need.",
    "netsor eval programs/algorithm1.netsor --width 1000000000000",
    "netsor eval programs/algorithm1.netsor --width 1000000",
    "Setup B.2",
)


def no_memory() -> Diagnostic:
    """The system gave no more memory to something whose need was not computed before."""
    return E702(
        "the memory that can be had does not suffice",
        notes=("what was finished and kept in files is whole",),
        hint="ask for less: a smaller width, fewer inputs, steps or draws",
    )


def too_little_memory(
    program: str, n: int, needed: str, limit: str, engines: Mapping[str, str], widest: Mapping[str, int]
) -> Diagnostic:
    """A run that does not fit; what each engine needs, and the largest width that fits for each."""
    parts = [f"the {engine} engine needs {size}" for engine, size in engines.items()]
    hints = [f"--width {w} fits (engine {engine})" for engine, w in widest.items() if w > 0]
    whose = f"`{program}`" if program else "the program"
    return E702(
        f"{whose} at width {whole(n)} needs {needed} of memory, and {limit} can be had",
        notes=("nothing was allocated: " + "; ".join(parts),),
        hint="; ".join(hints) or "ask for fewer outputs",
    )


E703 = Entry(
    "E703",
    "an output is not a finite number",
    "A logarithm or a root of a negative number, a division by zero or an overflow makes a coordinate that is "
    "not a number, and so is an output that depends on it. The message names the first instruction that makes "
    "such a coordinate out of finite ones.",
    "vector x ~ N(0, 1)\ny := log(x)\noutput m := mean(y)\n",
    "vector x ~ N(0, 1)\ny := log(x^2 + 1)\noutput m := mean(y)\n",
    "Eqs. 60, 61",
)


def constant_not_finite(name: str, span: Span | None, text: str, value: float, n: int) -> Diagnostic:
    """A member of 𝒞 that is infinite or undefined at this width."""
    return E703(
        f"`{name}` has no finite value at n = {whole(n)}",
        span,
        f"{text} is {_what(value)} at this width",
        hint="choose another width",
    )


def below_range(name: str, span: Span | None, number: float, dtype: str) -> Diagnostic:
    """A number of a ψ that is zero in the precision of the run, whose results would all be wrong."""
    return E703(
        f"`{name}` has no value in {dtype}: {number:g} is zero there",
        span,
        f"{number:g} is below the smallest number of {dtype}",
        hint="use --dtype float64",
    )


def output_not_finite(
    output: str,
    name: str,
    span: Span | None,
    kind: Literal["mean", "product", "coordinate"],
    value: float,
    where: int,
    n: int,
    draw: int,
) -> Diagnostic:
    """A non-finite output; `name` is the first variable that is not finite though its arguments are."""
    what = _what(value)
    labels = {
        "mean": f"this mean is {what}",
        "product": f"this product overflows: it is {what} at coordinate {where + 1}",
        "coordinate": f"{what} at coordinate {where + 1}",
    }
    return E703(
        f"`{output}` is not finite at n = {whole(n)}: `{name}` is where it begins",
        span,
        labels[kind],
        notes=(f"seen with draw {draw}; everything `{name}` is computed from is finite",),
        hint="keep its arguments inside the domain, for instance log(x^2 + 1e-6), or use --dtype float64",
    )


def lost_to_underflow(output: str, name: str, span: Span | None, dtype: str, n: int, draw: int) -> Diagnostic:
    """An output that is zero, or has lost its digits, because numbers that it is computed from are too small."""
    other = "use --dtype float64, or " if dtype == "float32" else ""
    return E703(
        f"`{output}` has no value in {dtype} at n = {whole(n)}: numbers of `{name}` are too small for it",
        span,
        f"numbers below the range of {dtype} arise here",
        notes=(f"seen with draw {draw}",),
        hint=f"{other}take a power of ten out, and multiply by it at the end",
    )


def kernel_lost_to_underflow(network: str, dtype: str, n: int, draw: int) -> Diagnostic:
    """A kernel of a drawn network with an entry that is zero because numbers that it is made of are too small."""
    return E703(
        f"a kernel of `{network}` has an entry without a value in {dtype} at n = {whole(n)}: numbers that it is made "
        "of are too small for it",
        notes=(f"seen with draw {draw}",),
        hint="take a power of ten out of the inputs or of the variances, and multiply by it at the end",
    )


def training_lost_to_underflow(
    network: str, name: str, span: Span | None, dtype: str, n: int, t: int, draw: int
) -> Diagnostic:
    """Outputs of a drawn network that are zero after t steps because numbers that they are made of are too small."""
    other = "use --dtype float64, or " if dtype == "float32" else ""
    after = f"after step {t}" if t else "before the first step"
    return E703(
        f"the outputs of `{network}` have no value in {dtype} at n = {whole(n)} {after}: numbers of `{name}` are too "
        "small for it",
        span,
        f"numbers below the range of {dtype} arise here",
        notes=(f"seen with draw {draw}",),
        hint=f"{other}take a power of ten out of the inputs or of the variances",
    )


def kernel_not_finite(network: str, n: int, draw: int) -> Diagnostic:
    """A kernel of a drawn network that has an entry without a value."""
    return E703(
        f"a kernel of `{network}` is not finite at n = {whole(n)}",
        notes=(f"seen with draw {draw}",),
        hint="keep arguments inside the domain of their functions, for instance log(x^2 + 1e-6)",
    )


def training_not_finite(network: str, n: int, t: int, draw: int) -> Diagnostic:
    """The outputs of a drawn network that are infinite or NaN after t steps."""
    after = f"after step {t}" if t else "before the first step"
    rate = "take a smaller `--lr`, or " if t else ""
    return E703(
        f"the outputs of `{network}` are not finite at n = {whole(n)} {after}",
        notes=(f"seen with draw {draw}",),
        hint=f"{rate}keep arguments inside the domain of their functions, for instance log(x^2 + 1e-6)",
    )


def _what(value: float) -> str:
    if value != value:
        return "not a number"
    return "infinite" if value > 0 else "minus infinity"


E704 = Entry(
    "E704",
    "a Dirac mass has no value at a finite width",
    "The derivative of a jump is a Dirac mass. In the limit only its expectation counts; a coordinate of a vector "
    "of finite width has no such value, and no finite number of samples has the right mean.",
    "vector x ~ N(0, 1)\ny := relu''(x)\noutput m := mean(y)\n",
    "vector x ~ N(0, 1)\ny := relu'(x)\noutput m := mean(y)\n",
    "Remark B.6",
)


def dirac_mass(name: str, span: Span | None) -> Diagnostic:
    return E704(
        f"`{name}` has no value at a finite width: its ψ holds a Dirac mass",
        span,
        "the derivative of a jump stands here",
        notes=("a Dirac mass has expectations, hence a limit, but no value at a coordinate",),
        hint="take the limit of this output instead, or replace the jump by a smooth function",
    )


E705 = Entry(
    "E705",
    "a name that the run does not know",
    "What can be asked of a run: outputs of the program, one of the engines auto, dense and lazy, float64 or "
    "float32, and at least one draw.",
    "netsor eval programs/algorithm1.netsor --width 64 --engine sparse",
    "netsor eval programs/algorithm1.netsor --width 64 --engine lazy",
)


def several_widths(widths: Sequence[int]) -> Diagnostic:
    return E705(
        f"`--law` compares with one width, and `--width` names {len(widths)}", hint=f"for example --width {max(widths)}"
    )


def incomplete_law(message: str, hint: str = "") -> Diagnostic:
    """Options of `--law` that need another one."""
    return E705(message, hint=hint)


def bad_seeds(seeds: object) -> Diagnostic:
    return E705(
        f"{seeds!r} says neither how many draws to run, nor which",
        notes=("a run makes at least 1 draw; draws are counted from 0",),
        hint="for example --seeds 20",
    )


def bad_seed(seed: object) -> Diagnostic:
    return E705(f"{seed!r} is not a seed: seeds are whole numbers from 0 to 2^64 − 1", hint="write `seed=0`")


def bad_choice(what: str, given: object, known: Iterable[str]) -> Diagnostic:
    """An output, engine or precision that does not exist."""
    names = list(known)
    close = get_close_matches(str(given), names, 1)
    return E705(
        f"there is no {what} `{given}`",
        notes=(f"there is {', '.join(names[:12])}{', …' if len(names) > 12 else ''}",) if names else (),
        hint=f"did you mean `{close[0]}`?" if close else "",
    )


def no_output(name: str, known: Iterable[str]) -> Diagnostic:
    """An output that a limit was asked for and that the program has not."""
    names = list(known)
    return E705(f"there is no output `{name}`", notes=(f"there is {', '.join(names[:12])}",) if names else ())


E706 = Entry(
    "E706",
    "an array does not fit the variable it is given for",
    "Numbers may be given for the inputs of a network, shape (d,) or one row for each token, and in the place of "
    "draws for matrices, (n, n) or (n, d), and initial vectors, (n,). Given matrices are multiplied as they are, "
    "which the lazy engine, that holds none, cannot.",
    "netsor eval rnn.netsor --width 64 --data X=three_columns.npy",
    "netsor eval rnn.netsor --width 64 --data X=four_columns.npy",
    "Setup B.2, Setup D.1",
)


def bad_array(name: str, why: str) -> Diagnostic:
    """Numbers that do not fit the variable or the input of a network that they are given for."""
    return E706(f"the numbers given for `{name}` do not fit: {why}")


E707 = Entry(
    "E707",
    "the results of a study cannot be kept",
    "A study of convergence writes each result to a file as soon as it is there. If the file cannot be written, a "
    "study does not begin; if the disk is full in the middle of it, it goes on in memory and says so at its end.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --store /no/such/folder/study.jsonl",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --store study.jsonl",
)


def picture_unwritten(path: object, why: str) -> Diagnostic:
    return E707(f"the picture cannot be written to `{path}`: {why}", hint="make room, or choose another place")


def not_kept(path: object, why: str) -> Diagnostic:
    """A store that takes no results."""
    return E707(
        f"results cannot be kept in `{path}`: {why}",
        notes=("what was finished before is in the file, and stays there",),
        hint="choose another file, or make room",
    )


E708 = Entry(
    "E708",
    "a cluster cannot be used",
    "With `--dask ADDRESS` the tasks of a study go to a running scheduler of dask.distributed, which must be "
    "installed here (`pip install 'netsor[dask]'`) and must answer at that address.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --dask nowhere",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e4 --seeds 20 --dask tcp://scheduler:8786",
)


def needs_distributed() -> Diagnostic:
    return E708("`--dask` needs dask.distributed", hint="pip install 'netsor[dask]'")


def no_scheduler(address: str, why: str) -> Diagnostic:
    return E708(
        f"no scheduler answers at `{address}`",
        notes=(why,),
        hint="start one with `dask scheduler` and workers with `dask worker ADDRESS`",
    )


E709 = Entry(
    "E709",
    "a device cannot be used",
    "`--device` names a device of torch or CuPy, such as cuda or cuda:1, or an array module and its device, such "
    "as torch:cpu. The module must be installed, with array-api-compat, and must find the device.",
    "netsor eval programs/algorithm1.netsor --width 4096 --device cuda:99",
    "netsor eval programs/algorithm1.netsor --width 4096 --device cuda",
)


def needs_module(device: str, module: str) -> Diagnostic:
    return E709(
        f"the device `{device}` needs {module} and array-api-compat", hint=f"pip install 'netsor[arrays]' {module}"
    )


def no_device(device: str, why: str) -> Diagnostic:
    return E709(
        f"there is no device `{device}` here",
        notes=(why,),
        hint="leave --device out to run on this machine's cores",
    )


W710 = Entry(
    "W710",
    "the workers of a study were lost",
    "A process that computes for a study was killed, as the system does where memory ends, or the scheduler of a "
    "cluster went away. What was finished is kept; the rest is done in the process that asked, with the same "
    "numbers. A cluster's single worker may stop without this: its tasks go to another.",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e8 --seeds 20 --jobs 64",
    "netsor converge programs/algorithm1.netsor --widths 1e2..1e8 --seeds 20 --jobs 2",
    severity="warning",
)


def lost_workers(work: str, why: str, left: int, killed: bool) -> Diagnostic:
    """Workers of `work` that ended, `killed` or without memory, or that their scheduler lost."""
    return W710(
        f"the workers of {work} were lost before it was done",
        notes=(
            f"{'one task was' if left == 1 else f'{left} tasks were'} left, and done in this process, "
            "with the same numbers",
            *([why] if why else []),
        ),
        hint="a process that is killed often lacked memory: fewer `--jobs` need less"
        if killed
        else "look at the scheduler's and the workers' own messages",
    )


E711 = Entry(
    "E711",
    "a store that is not to be written to",
    "`netsor converge` keeps the result of each finished run in a store. A file that is not one is left as it is; "
    "one with results is used with `--resume` and emptied with `--overwrite`; and one that another process is "
    "writing to is refused.",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store programs/algorithm1.netsor",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store study.jsonl",
)


def store_in_use(path: object) -> Diagnostic:
    return E711(
        f"`{path}` is in use by another study",
        hint="wait for its end, or keep this study elsewhere: `--store OTHER.jsonl`",
    )


def not_a_store(path: object) -> Diagnostic:
    return E711(
        f"`{path}` is not a store of a study, and is left as it is",
        hint="name a file that does not exist yet, such as `--store study.jsonl`",
    )


def store_with_results(path: object, count: int) -> Diagnostic:
    return E711(
        f"`{path}` has {count} finished task{'s' if count > 1 else ''} already",
        hint="`--resume` goes on from them, and `--overwrite` starts anew",
    )


W712 = Entry(
    "W712",
    "a store has damaged lines",
    "Each line of a store is the result of one task. A line that is not whole, as the last may be where a process "
    "was killed, is skipped, and what it held is computed again.",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store damaged.jsonl --resume",
    "netsor converge programs/algorithm1.netsor --widths 100 --seeds 5 --store study.jsonl --resume",
    severity="warning",
)


def damaged_lines(lines: str, path: object) -> Diagnostic:
    """`lines` says how many, with their verb."""
    return W712(
        f"{lines} damaged in `{path}`",
        notes=("what they held is computed again; the last line of a run that was killed may be half a line",),
    )
