"""A factory run at two widths, and the graphs of its modules beside each other."""

from __future__ import annotations

import contextlib
import io
import linecache
import logging
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import torch

from netsor.importer.record import Recorder
from netsor.importer.refusal import Place, Refusal
from netsor.importer.tensors import Size

# Widths with many divisors, so that heads and groups divide them; the second pair for groups of 32.
WIDTHS = ((24, 48), (96, 192))


@dataclass
class Node:
    """One operation at all widths: its arguments are nodes and numbers, those of each width beside each other."""

    name: str
    target: Any
    args: tuple[tuple[Any, ...], ...]
    kwargs: tuple[dict[str, Any], ...]
    values: tuple[Any, ...]
    place: Place


@dataclass
class Exported:
    widths: tuple[int, ...]
    units: tuple[int, ...]
    modules: tuple[Any, ...]
    recorders: tuple[Recorder, ...]
    nodes: list[Node]
    # For placeholders: ("parameter" | "buffer" | "constant", its name), or ("input", its number).
    placeholders: dict[str, tuple[str, Any]]
    constants: tuple[dict[str, Any], ...]
    outputs: list[str]
    examples: tuple[Any, ...]

    def size(self, sizes: Sequence[int]) -> Size:
        """The size of an axis, from its sizes at all widths."""
        if all(s == sizes[0] for s in sizes):
            return Size(sizes[0], False)
        if any(s % u for s, u in zip(sizes, self.units)) or len({s // u for s, u in zip(sizes, self.units)}) > 1:
            shown = ", ".join(f"{s} at n = {w}" for s, w in zip(sizes, self.widths))
            raise Refusal(f"an axis is neither finite nor a multiple of the width: {shown}")
        return Size(sizes[0] // self.units[0], True)

    def sizes(self, values: Sequence[Any]) -> list[Size]:
        return [self.size(s) for s in zip(*(v.shape for v in values), strict=True)]


@contextlib.contextmanager
def _in_doubles() -> Iterator[None]:
    """What the user's code makes without naming a type, weights and constants of its forward pass, is in doubles."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def build(factory: Callable[[int], Any], widths: Sequence[int]) -> list[tuple[Any, Recorder]]:
    """The modules at these widths, with the laws of their weights."""
    out = []
    for n in widths:
        recorder = Recorder()
        torch.manual_seed(0)
        with _in_doubles(), recorder:
            module = factory(n)
        if not isinstance(module, torch.nn.Module):
            raise Refusal(
                f"the factory returned {type(module).__name__} and not an nn.Module",
                hint="import `FILE.py:FACTORY` where FACTORY(n) returns the module of width n",
            )
        out.append((module.double(), recorder))
    return out


def export(
    factory: Callable[[int], Any], examples: Callable[[int], tuple[Any, ...]], kept: Collection[str] = ()
) -> Exported:
    """The module of a factory at two widths, exported, with the operations `kept` whole; raises Refusal."""
    failure: BaseException | None = None
    for widths in WIDTHS:
        try:
            return _export(factory, examples, widths, kept)
        except (Refusal, ImportError, NameError, SyntaxError):
            raise
        except (Exception, SystemExit) as fault:  # whatever the user's own code raises
            failure = failure or fault
    assert failure is not None
    if isinstance(failure, _NotExported):
        raise Refusal(*failure.args[:-1], hint=failure.args[-1], place=failure.place) from failure.cause
    raise Refusal(
        f"the factory or its module failed at width {WIDTHS[0][0]}: {type(failure).__name__}: {_first(failure)}",
        hint="the example must have the shape of one batch that the module takes (--example 1,4,3)",
        place=_user_place(failure),
    ) from failure


def _decompositions(kept: Collection[str]) -> Any:
    """torch's table of decompositions without the operations that are kept as they are, by name."""
    table = torch.export.default_decompositions()
    for operation in list(table):
        if operation._schema.name.removeprefix("aten::") in kept:
            table.pop(operation)
    return table


class _NotExported(Exception):
    place: Place | None = None
    cause: BaseException | None = None


def _export(factory: Callable[[int], Any], examples: Any, widths: tuple[int, ...], kept: Collection[str]) -> Exported:
    built = build(factory, widths)
    modules = tuple(m for m, _ in built)
    _compare_parameters(modules, widths)
    units = _units(modules, widths)
    inputs = tuple(examples(n) for n in widths)
    programs = []
    for module, given in zip(modules, inputs, strict=True):
        with _quiet(), _in_doubles():
            try:
                exported = torch.export.export(module, given, strict=False)
                programs.append(exported.run_decompositions(_decompositions(kept)))
            except (Exception, SystemExit) as fault:
                with torch.no_grad():
                    module(*given)  # a fault of the module itself is told as such
                raise _not_exported(fault) from fault
    return _align(programs, modules, tuple(r for _, r in built), widths, units, inputs)


def _not_exported(fault: BaseException) -> _NotExported:
    text = str(fault)
    if "data-dependent" in text or "GuardOnDataDependent" in type(fault).__name__ or "unbacked" in text:
        told = _NotExported(
            "the module branches on the values of tensors",
            "what is done must be the same for every input and every weight",
            "write the choice with torch.where, or make it on sizes alone",
        )
    else:
        told = _NotExported(
            f"torch.export does not take the module: {_first(fault)}", "see the documentation of torch.export", ""
        )
    told.place = _user_place(fault)
    told.cause = fault
    return told


def _first(fault: BaseException) -> str:
    return next((line for line in str(fault).splitlines() if line.strip()), type(fault).__name__)[:300]


def _user_place(fault: BaseException) -> Place | None:
    frames = []
    tb = fault.__traceback__
    while tb is not None:
        frames.append((tb.tb_frame.f_code.co_filename, tb.tb_lineno))
        tb = tb.tb_next
    for file, line in reversed(frames):
        if _is_users(file):
            return Place("", f"{file}:{line}", linecache.getline(file, line).strip())
    cause = fault.__cause__ or fault.__context__
    return _user_place(cause) if cause is not None else None


def _is_users(file: str) -> bool:
    """Whether a file is the user's own: neither of torch, of Python, nor of this package."""
    theirs = (os.path.dirname(torch.__file__), os.path.dirname(__file__), os.path.dirname(os.__file__))
    return not file.startswith((*theirs, "<"))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch.export tells of much that is no matter of the user's."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.export", "torch._dynamo")]
    levels = [g.level for g in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for g in loggers:
            g.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for g, level in zip(loggers, levels):
                g.setLevel(level)


def _compare_parameters(modules: tuple[Any, ...], widths: Sequence[int]) -> None:
    names = [[name for name, _ in m.named_parameters()] for m in modules]
    if any(n != names[0] for n in names):
        differ = sorted(set(names[0]) ^ set(names[-1]))[:4]
        raise Refusal(
            f"the factory makes other parameters at width {widths[0]} than at width {widths[-1]}: {', '.join(differ)}",
            "the number of layers, heads and other parts must not depend on the width",
        )


def _units(modules: tuple[Any, ...], widths: tuple[int, ...]) -> tuple[int, ...]:
    """The greatest common divisor of all sizes that grow with the width, at each width."""
    units = [0] * len(widths)
    for named in zip(*(m.named_parameters() for m in modules), strict=True):
        for sizes in zip(*(p.shape for _, p in named), strict=True):
            if len(set(sizes)) == 1:
                continue
            if any(s * widths[0] != sizes[0] * w for s, w in zip(sizes, widths)):
                shown = " and ".join(f"{s} at n = {w}" for s, w in zip(sizes, widths))
                raise Refusal(
                    f"`{named[0][0]}` has an axis that is not a multiple of the width: {shown}",
                    hint="sizes must be c·n or not depend on n",
                )
            units = [gcd(u, s) for u, s in zip(units, sizes)]
    if 0 in units:
        raise Refusal(
            "no parameter has an axis that grows with the width",
            "the factory is called with the width n and must use it: `def make(n): return Model(hidden=n)`",
        )
    return tuple(units)


def _align(
    programs: list[Any],
    modules: tuple[Any, ...],
    recorders: tuple[Recorder, ...],
    widths: tuple[int, ...],
    units: tuple[int, ...],
    inputs: tuple[Any, ...],
) -> Exported:
    graphs = [list(p.graph.nodes) for p in programs]
    same = len({len(g) for g in graphs}) == 1 and all(len({str(x.target) for x in row}) == 1 for row in zip(*graphs))
    if not same:
        where = next((row[0] for row in zip(*graphs) if len({str(x.target) for x in row}) > 1), graphs[0][-1])
        raise Refusal(
            f"the module does other operations at width {widths[0]} than at width {widths[-1]}",
            "a branch or a loop depends on the width",
            place=_place(where),
        )
    # Where sizes of activations are smaller parts of the width than those of parameters, such as heads.
    all_units = list(units)
    for row in zip(*graphs):
        for value in zip(*(_tensors(x.meta.get("val")) for x in row)):
            for sizes in zip(*(v.shape for v in value)):
                if len(set(sizes)) > 1 and all(s * widths[0] == sizes[0] * w for s, w in zip(sizes, widths)):
                    all_units = [gcd(u, s) for u, s in zip(all_units, sizes)]
    nodes: list[Node] = []
    placeholders: dict[str, tuple[str, Any]] = {}
    outputs: list[str] = []
    names = {x.name: x for x in graphs[0]}
    for row in zip(*graphs):
        first = row[0]
        if first.op == "output":
            continue
        if first.op == "call_function":
            nodes.append(
                Node(
                    first.name,
                    first.target,
                    tuple(_plain(x.args) for x in row),
                    tuple(_plain(x.kwargs) for x in row),
                    tuple(x.meta.get("val") for x in row),
                    _place(first),
                )
            )
    count = 0
    signature = programs[0].graph_signature
    for spec in signature.input_specs:
        kind = spec.kind.name
        if kind == "USER_INPUT":
            placeholders[getattr(spec.arg, "name", f"#{count}")] = ("input", count)
            count += 1
        else:
            stored = {"PARAMETER": "parameter", "BUFFER": "buffer"}.get(kind, "constant")
            placeholders[spec.arg.name] = (stored, spec.target)
    wanted = [spec.arg for spec in signature.output_specs if spec.kind.name == "USER_OUTPUT"]
    outputs += [arg.name for arg in wanted if getattr(arg, "name", None) in names]
    constants = tuple({**p.constants, **p.state_dict} for p in programs)
    return Exported(widths, tuple(all_units), modules, recorders, nodes, placeholders, constants, outputs, inputs)


@dataclass(frozen=True)
class Use:
    """A reference to the value of another node."""

    name: str


def _plain(arguments: Any) -> Any:
    return torch.fx.node.map_arg(arguments, lambda x: Use(x.name))


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [v for v in value if isinstance(v, torch.Tensor)] if isinstance(value, (tuple, list)) else []


_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in \S+\n\s*(?P<text>[^\n]*)')


def _place(node: Any) -> Place:
    stack = node.meta.get("nn_module_stack") or {}
    path = list(stack.values())[-1][0] if stack else ""
    frames = [m for m in _FRAME.finditer(node.meta.get("stack_trace") or "") if _is_users(m["file"])]
    if not frames:
        return Place(path)
    frame = frames[-1]
    return Place(path, f"{frame['file']}:{frame['line']}", frame["text"].strip())
