"""From the factory of a module to a checked network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from netsor.api import Document, load_source
from netsor.diagnostics import NetsorError, Source
from netsor.importer.export import Exported, export
from netsor.importer.network import Network, Part, assemble
from netsor.importer.operations import ONE_HOT, RULES, WHOLE
from netsor.importer.parameters import MATRIX, Parameter, Parameters, blocks
from netsor.importer.refusal import Refusal
from netsor.importer.terms import SCALAR
from netsor.importer.text import Declared, Writer, Written
from netsor.importer.translate import Translation

# About so many numbers can be followed through a layer in a few minutes.
_MOST_NUMBERS = 200_000


@dataclass(frozen=True)
class Imported(Document):
    """A network made from a module: its text, and what was assumed in it."""

    text: str = ""
    notes: tuple[str, ...] = ()
    _written: Written | None = field(default=None, repr=False, compare=False)
    _network: Network | None = field(default=None, repr=False, compare=False)

    def inputs(self, example: Any) -> dict[str, np.ndarray[Any, Any]]:
        """One example of the module, a tensor or a list of them, as the inputs of the network, by name.

        An input has shape (d,), or (T, d) where it is a family.
        """
        assert self._network is not None
        tensors = example if isinstance(example, (list, tuple)) else [example]
        numbers = np.concatenate([np.asarray(x).reshape(-1) for x in tensors])
        out = {}
        for x in self._network.inputs:
            token, value = np.divmod(-x.rows - 1, ONE_HOT)
            rows = (numbers[token] == value).astype(float) if x.tokens else numbers[x.rows].astype(float)
            out[x.name] = rows if len(rows) > 1 else rows[0]
        return out

    @property
    def paths(self) -> dict[str, str]:
        """For each declared name, such as `W[2]`, the path of the module's parameter that it is a part of."""
        assert self._written is not None
        return {name: d.parameter.path for name, d in self._written.names.items()}

    def weights(self, module: Any) -> dict[str, np.ndarray[Any, Any]]:
        """The weights of a module of the factory as those of the network, by name.

        Matrices have shape (n, n) or (n, d), vectors (n,); `netsor.finite.run(…, given=weights)` runs with them. A bias
        c of the output has shape (n,) too: coordinates that are all c/√n, for c = Σ_α c_α/√n.
        """
        assert self._written is not None
        held: dict[Parameter, np.ndarray[Any, Any]] = {}
        for d in self._written.names.values():
            if d.parameter not in held:
                held[d.parameter] = _blocks(module, d.parameter)
        n = next(held[p].shape[-1] for p in held if p.wide)
        return {name: _weights(held[d.parameter], n, d) for name, d in self._written.names.items()}


def import_module(
    factory: Callable[[int], Any],
    example: Any,
    *,
    init: Mapping[str, str] | None = None,
    name: str = "",
    origin: str = "",
) -> Imported:
    """See `netsor.from_torch`; `name` is the network's, `origin` what its head comment names."""
    try:
        return _import(factory, example, dict(init or {}), name or _name(factory), origin)
    except Refusal as refused:
        raise refused.error() from refused


def _import(factory: Any, example: Any, init: dict[str, str], name: str, origin: str) -> Imported:
    exported = _exported(factory, example)
    units: dict[tuple[str, int], int] = {}
    while True:
        try:
            return _made(exported, factory, example, init, units, name, origin)
        except Refusal as refused:
            # Groups may be smaller parts of the width than any axis is, and neighbours of an axis one unit.
            finer = refused.finer >= 2 and all(u % refused.finer == 0 for u in exported.units)
            if not finer and refused.units.items() <= units.items():
                raise
            if finer:
                exported = replace(exported, units=tuple(u // refused.finer for u in exported.units))
            elif not units.keys().isdisjoint(refused.units):
                raise
            units |= refused.units


def _made(
    exported: Exported, factory: Any, example: Any, init: dict[str, str], units: dict[tuple[str, int], int], name: str,
    origin: str,
) -> Imported:  # fmt: skip
    parameters = Parameters(exported, init, units)
    translation = Translation(exported, parameters, RULES)
    with np.errstate(all="ignore"):
        outputs = translation.run()
        network = assemble(translation, outputs)
    notes = _notes(exported, network, translation, init)
    comments = _comments(exported, origin or _name(factory), example, notes)
    written = Writer(network, name, comments).write()
    from netsor.syntax.format import format_source

    source = Source(f"{name}.netsor", written.text)
    with contextlib.suppress(NetsorError):  # the checker says what is wrong
        source = Source(source.name, format_source(source))
    document = load_source(source)
    return Imported(document.report, document.settings, document.data, source.text, tuple(notes), written, network)


def _exported(factory: Any, example: Any) -> Exported:
    shapes = _shapes(example)
    if any(isinstance(s, torch.Tensor) and not s.is_floating_point() for s in shapes):
        return export(factory, lambda n: _examples(shapes, n, False), WHOLE)
    try:
        return export(factory, lambda n: _examples(shapes, n, False), WHOLE)
    except Refusal as refused:
        if all(isinstance(s, torch.Tensor) for s in shapes) or not _wants_integers(refused):
            raise
        try:
            return export(factory, lambda n: _examples(shapes, n, True), WHOLE)
        except Refusal:
            raise refused from None


def _wants_integers(refused: Refusal) -> bool:
    text = refused.message + str(refused.__cause__)
    return any(words in text for words in ("'indices'", "scalar type Long", "tensors used as indices"))


def _shapes(example: Any) -> list[Any]:
    if isinstance(example, torch.Tensor):
        shapes: list[Any] = [example]
    elif isinstance(example, Sequence) and example and all(isinstance(s, int) for s in example):
        shapes = [tuple(example)]
    else:
        shapes = list(example)
    verify_size([tuple(s.shape) if isinstance(s, torch.Tensor) else tuple(s) for s in shapes])
    return shapes


def verify_size(shapes: Sequence[Sequence[int]]) -> None:
    """Raises Refusal where the inputs have more numbers than can be followed, before anything holds them."""
    size = sum(math.prod(shape) for shape in shapes)
    if size > _MOST_NUMBERS:
        raise Refusal(
            f"the example has {size:,} numbers, more than {_MOST_NUMBERS:,}",
            "each of them is followed through the module",
            hint="give a smaller example: one row, a short sequence, a small image",
        )


def _examples(shapes: list[Any], n: int, integers: bool) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    out = []
    for s in shapes:
        if isinstance(s, torch.Tensor):
            out.append(s.double() if s.is_floating_point() else s)
        elif integers:
            out.append(torch.zeros(tuple(s), dtype=torch.long))
        else:
            out.append(torch.randn(tuple(s), dtype=torch.float64, generator=generator))
    return tuple(out)


def _name(factory: Any) -> str:
    name = getattr(factory, "__name__", "module")
    return name if name.isidentifier() and name not in ("n", "network", "program") else "module"


def _notes(exported: Exported, network: Network, translation: Translation, init: dict[str, str]) -> list[str]:
    notes = []
    training = network.training
    first, unit = exported.widths[0], exported.units[0]
    if first != unit:
        notes.append(f"n is {_fraction(unit, first)} of the width that the factory is called with")
    known = [_parameter(x) for x in (*training.trained, *training.vanishing, *training.left_out)]
    uniform = sorted({p.path for p in known if p.uniform_matrix})
    if uniform:
        notes.append(
            "n×n matrices drawn from uniform laws are Gaussian ones of the same variance, with the same limit: "
            + _listed(uniform)
        )
    for path, law in init.items():
        notes.append(f"the law of {path} was given: {law}")
    units = {0: "", 1: " divided by n"}.get(training.unit, f" divided by n^{training.unit}")
    notes.append(f"the NTK is the limit of the module's own Σ ∂f/∂θ ∂f'/∂θ{units}")
    biases = {p.path for p in known if p.kind == SCALAR}
    if training.vanishing:
        notes.append(
            "parameters whose share of it vanishes are not trained here: "
            + _listed(sorted({_parameter(x).path for x in training.vanishing}))
        )
    if training.left_out:
        notes.append(
            "not trained here, though their share of it does not vanish, since they act through a mean over the width "
            "and move n times as fast as a trained vector of the language: "
            + _listed(sorted({_parameter(x).path for x in training.left_out}))
        )
    numbers = sorted({p.path for p in translation.parameters.all.values() if p.trained and p.kind == SCALAR} - biases)
    if numbers:
        notes.append(
            "numbers that stay where they start, since their share of the NTK "
            + ("vanishes: " if training.unit > 0 else "is random, and not part of the limit: ")
            + _listed(numbers)
        )
    notes += [f"tokens are one-hot rows of {x.dimension} numbers in {x.name}" for x in network.inputs if x.tokens]
    unused = sorted(
        name for name, _ in exported.modules[0].named_parameters() if name not in translation.parameters.all
    )
    if unused:
        notes.append("parameters that no output uses: " + _listed(unused))
    return [*notes, *translation.notes, *network.notes]


def _parameter(part: Part) -> Parameter:
    assert part[0].parameter is not None
    return part[0].parameter


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else ", ".join(names[:7]) + f" and {len(names) - 7} more"


def _fraction(a: int, b: int) -> str:
    from fractions import Fraction

    return str(Fraction(a, b))


def _comments(exported: Exported, origin: str, example: Any, notes: list[str]) -> list[str]:
    shapes = [tuple(s.shape) if isinstance(s, torch.Tensor) else tuple(s) for s in _shapes(example)]
    shown = ", ".join(str(s).replace(" ", "") for s in shapes)
    lines = [f"Made by `netsor import` from {origin}(n), example of shape {shown}."]
    import textwrap

    for note in notes:
        lines += textwrap.wrap(f"- {note}", 116, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return lines


def _blocks(module: Any, p: Parameter) -> np.ndarray[Any, Any]:
    """The blocks of a parameter one after the other, as arrays along the width."""
    for part in p.path.split("."):
        module = getattr(module, part)
    t = module.detach().double()
    for which, k in enumerate(p.wide):
        # Units of `inner` entries: the i-th block holds the (i mod inner)-th of each.
        c, inner = p.array.shape[k], p.interleaved.get(which, 1)
        parts = t.unflatten(k, (c // inner, t.shape[k] // c, inner))
        t = parts.transpose(k + 1, k + 2).flatten(k, k + 2)
    found = blocks(t, p.array.shape, p.widths)
    return np.asarray(found.reshape(-1, *found.shape[len(p.array.shape) :]))


def _weights(held: np.ndarray[Any, Any], n: int, d: Declared) -> np.ndarray[Any, Any]:
    """The numbers of a member, without their power of n."""
    p = d.parameter
    power = float(p.power(p.array.index(d.blocks[0]))) + (0.5 if p.kind == MATRIX else 0.0)
    values = held[d.blocks] / n**power
    if p.kind == SCALAR:
        return np.full(n, values[0] / np.sqrt(n))
    return np.ascontiguousarray(values.T) if d.is_input else np.asarray(values[0])
