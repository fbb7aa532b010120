"""From translated tensors to a network: what the outputs read, which inputs meet which matrices, what is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from netsor.importer.arrays import Array, Index
from netsor.importer.inputs import Input, InputMatrices, find_inputs, order_note
from netsor.importer.laws import Power, neat
from netsor.importer.parameters import Parameter
from netsor.importer.refusal import Refusal
from netsor.importer.tensors import Tensor
from netsor.importer.terms import SCALAR, VECTOR, ZERO, Entry, Term, mul, settled, subterms
from netsor.importer.translate import Translation

HALF = Fraction(1, 2)
Part = tuple[Array, Index]  # a member of an array of a parameter: a matrix or a vector
Matrices = Mapping[Parameter, InputMatrices]


@dataclass(frozen=True)
class Training:
    """The parts of parameters that are trained, and the power of n by which the module's gradient kernel is divided.

    The share of those that are `vanishing` tends to 0; those `left_out` have one that the language cannot say.
    """

    trained: set[Part]
    unit: int
    vanishing: set[Part]
    left_out: set[Part]


@dataclass
class Network:
    """All that the text says."""

    inputs: list[Input]
    matrices: dict[Parameter, InputMatrices]
    arrays: list[Array]
    outputs: list[Array]
    readout: Array | None  # vectors that were added where the module returns the units themselves
    notes: list[str]
    training: Training


def assemble(translation: Translation, outputs: Sequence[Tensor]) -> Network:
    notes: list[str] = []
    results: list[Array] = []
    added = Array("v", (1,))
    uses_added = False
    for t in outputs:
        axes = [a for a in t.entries.shape if a != 1]
        wide = bool(t.widths)
        blocks = 1
        entries = t.entries.reshape([t.size(i).c for i in range(t.ndim)])
        if wide:
            uses_added = True
            place = next(i for i in range(t.ndim) if t.size(i).width)
            blocks = t.size(place).c
            added = Array("v", (blocks,))
            moved = np.moveaxis(entries, place, -1)
        else:
            moved = entries[..., None]
        del axes
        array = Array("f", moved.shape[:-1])
        for index in np.ndindex(*moved.shape[:-1]):
            parts = list(moved[index])
            try:
                if wide:
                    array.terms[index] = _read_units(parts, added, blocks)
                else:
                    array.terms[index] = _readout(parts[0], translation)
            except Refusal as refused:
                # The operation that was read last is the one that made the output.
                refused.place = refused.place or translation.place
                raise
        results.append(array)
    if uses_added:
        scale = "" if added.shape == (1,) else f", divided by √{added.shape[0]}"
        notes.append(
            f"the module returns units: each output is a readout vᵀx/√n{scale} of them with v ~ N(0, 1), not trained"
        )
    arrays = _reached(translation.arrays, results)
    _fix_numbers(arrays)
    _verify_live(results, arrays, translation)
    inputs, matrices = find_inputs(translation, arrays)
    notes += [note for x in inputs if (note := order_note(x)) is not None]
    training = _training(results, arrays, matrices)
    _verify_apart(matrices, [*arrays, *results])
    readout = added if uses_added else None
    return Network(inputs, matrices, arrays, results, readout, notes, training)


# Readouts


def _read_units(parts: list[Entry], added: Array, blocks: int) -> Term:
    terms = []
    for i, e in enumerate(parts):
        if e.power > 0:
            raise Refusal(f"the units that the module returns grow like n^{e.power}")
        v = Term("var", (), (added, (i,)), VECTOR)
        terms.append(Term("readout", (v, settled(e)), 1.0 if blocks == 1 else blocks**-0.5, SCALAR, e.term.live))
    return Term("sum", tuple(terms), kind=SCALAR, live=any(t.live for t in terms))


def _readout(e: Entry, translation: Translation) -> Term:
    if e.kind == VECTOR:
        raise AssertionError
    products: list[tuple[Power, Term]] = []
    biases: dict[tuple[Array, Index, Fraction], float] = {}
    shift = False
    for factor, term in _linear(e.term, Power(1.0, e.power)):
        if term is None:
            shift = shift or factor.c != 0
        elif term.op == "var":
            key = (*term.value, factor.p)
            biases[key] = biases.get(key, 0.0) + factor.c
        else:
            products.append((factor, term))
    if not products:
        raise Refusal("an output is a number that depends on no weight of the readout")
    _verify_size(max(f.p for f, _ in products), biases)
    if shift:
        _note(translation, "a constant that is added to an output, which no kernel sees, is left out")
    out = [_inner_product(factor, term) for factor, term in products]
    for (array, index, p), c in biases.items():
        bias = Term("var", (), (array, index), SCALAR)
        out.append(Term("bias", (bias,), Power(neat(c), p), SCALAR))
        _note_bias(translation, array, index)
    return Term("sum", tuple(out), kind=SCALAR, live=any(t.live for t in out))


def _verify_size(top: Fraction, biases: Any) -> None:
    """Refuse outputs that grow with the width, or vanish; n^top stands before vᵀx/n."""
    growth = max([top - HALF, *(p for _, _, p in biases)])
    if growth > 0:
        inside = (
            "; or a few sums over the width that are divided by √n and used inside, as those of a low-rank factor or a "
            "gate of few units, stay random as n → ∞"
        )
        raise Refusal(
            f"the output grows like n^{growth}" + (", or is random in the limit" if growth == HALF else ""),
            "outputs are readouts vᵀx/√n, whose weights have a standard deviation of c/√n"
            + (inside if growth == HALF else ""),
            hint="initialize the last layer with std 1/√n: nn.init.normal_(w, std=w.shape[1] ** -0.5)"
            + (", and divide sums that are used inside by n" if growth == HALF else ""),
        )
    if top < HALF:
        raise Refusal(
            f"the output vanishes like n^({top - HALF})",
            "outputs are readouts vᵀx/√n; with weights of order 1/n, as in mean-field and maximal-update "
            "parametrizations, or a plain mean or a softmax over the width, the output is not random in the limit",
            hint="multiply the output by √n, or initialize the last layer with std 1/√n",
        )


def _inner_product(factor: Power, term: Term) -> Term:
    """c vᵀx/√n for c √n times the inner product vᵀx/n."""
    a, b = term.args
    if not _is_readout_vector(a):
        a, b = b, a
    if not _is_readout_vector(a):
        raise Refusal(
            "the output is an inner product of two activations divided by √n",
            "an output is vᵀx/√n with a trained or drawn vector v",
            hint="end in a linear layer, or divide by n",
        )
    x = settled(Entry(b, factor.p - HALF))
    return Term("readout", (a, x), factor.c, SCALAR, b.live and factor.p == HALF)


def _note(translation: Translation, text: str) -> None:
    if text not in translation.notes:
        translation.notes.append(text)


def _note_bias(translation: Translation, array: Array, index: Index) -> None:
    """What the declaration of a bias of the output, a number N(0, s), leaves unsaid."""
    assert array.parameter is not None
    law, path = array.parameter.laws[index], array.parameter.path
    if law.kind == "uniform":
        _note(translation, f"`{path}`, a bias of the output drawn from a uniform law, is a Gaussian of that variance")
    if law.mean.c != 0:
        _note(translation, f"`{path}`, a bias of the output, has the mean {law.mean.c:g}, which no kernel sees")


def _is_readout_vector(t: Term) -> bool:
    return t.op == "var" and t.value[0].parameter is not None and t.kind == VECTOR


def _linear(t: Term, factor: Power) -> Iterator[tuple[Power, Term | None]]:
    """A scalar as Σ c n^p · (inner product, parameter of unit size, or 1)."""
    if t.op == "num" and t.origin is not None:
        array, index, multiple = t.origin
        assert array.parameter is not None
        power = Power(1.0, array.parameter.power(index))
        yield factor.times(multiple).times(power), Term("var", (), (array, index), SCALAR)
    elif t.op == "num":
        yield factor.times(t.value), None
    elif t.op == "sum":
        for a in t.args:
            yield from _linear(a, factor)
    elif t.op == "prod" and sum(a.op != "num" for a in t.args) == 1:
        for a in t.args:
            factor = factor.times(a.value) if a.op == "num" else factor
        yield from _linear(next(a for a in t.args if a.op != "num"), factor)
    elif t.op == "div" and t.args[1].op == "num":
        value = t.args[1].value
        yield from _linear(t.args[0], factor.times(Power(1 / value.c, -value.p)))
    elif t.op == "mean":
        yield from _sum_of_products(t.args[0], factor)
    elif t.op == "dot" or t.op == "var" and t.value[0].parameter is not None:
        yield factor, t
    elif t.op == "var":
        array, index = t.value
        yield from _linear(array.terms[index], factor)
    else:
        raise Refusal(
            f"an output is `{t.value or t.op}` of the network's last sums",
            "outputs are readouts vᵀx/√n, sums of the last layer's units with random weights",
            hint="return what comes before: logits in the place of probabilities, sums in the place of means",
        )


def _sum_of_products(t: Term, factor: Power) -> Iterator[tuple[Power, Term | None]]:
    """(1/n) Σ_α of a sum of products v x, as `(v * x).sum(-1)` spells a readout."""
    if t.op == "sum":
        for a in t.args:
            yield from _sum_of_products(a, factor)
        return
    if t.op == "var" and t.value[0].parameter is None:
        array, index = t.value
        yield from _sum_of_products(array.terms[index], factor)
        return
    numbers = [a for a in t.args if a.op == "num"] if t.op == "prod" else []
    factors = [a for a in t.args if a.op != "num"] if t.op == "prod" else [t]
    for a in numbers:
        factor = factor.times(a.value)
    v = next((a for a in factors if _is_readout_vector(a)), None)
    if v is None:
        raise Refusal(
            "an output is a mean over the width of activations",
            "outputs are readouts vᵀx/√n, sums of the last layer's units with random weights",
            hint="return what comes before: logits in the place of probabilities, sums in the place of means",
        )
    rest = [a for a in factors if a is not v]
    x = mul(*map(Entry, rest)).term if rest else Term("ones", kind=VECTOR)
    yield factor, Term("dot", (v, x), kind=SCALAR, live=x.live)


# Reach and order


def references(t: Term) -> Iterator[Term]:
    return (x for x in subterms(t) if x.op == "var")


def _reached(arrays: list[Array], outputs: list[Array]) -> list[Array]:
    """The arrays that outputs need, with the entries that they need."""
    needed: dict[Array, set[Index]] = {}
    stack = [x.value for o in outputs for t in o.terms.values() for x in references(t)]
    while stack:
        array, index = stack.pop()
        if index in needed.setdefault(array, set()):
            continue
        needed[array].add(index)
        if index in array.terms:
            stack += [x.value for x in references(array.terms[index])]
    out = []
    for a in arrays:
        if a in needed:
            a.terms = {i: t for i, t in a.terms.items() if i in needed[a]}
            out.append(a)
    return out


def _fix_numbers(arrays: list[Array]) -> None:
    """In all but outputs, put for a parameter that is a number the number that it starts at; refuse random ones."""

    def settle(t: Term) -> Term:
        args = tuple(settle(a) for a in t.args)
        if t.op == "sum":
            constant = sum(a.value.c for a in args if a.op == "num" and a.origin is not None and a.value.p == 0)
            args = tuple(a for a in args if not (a.op == "num" and a.origin is not None and a.value.p == 0))
            if constant:
                args = (*args, Term("num", value=Power(constant)))
            if len(args) == 1:
                return args[0]
        same = all(a is b for a, b in zip(args, t.args)) and len(args) == len(t.args)
        return t if same else Term(t.op, args, t.value, t.kind, t.live)

    for a in arrays:
        a.terms = {i: settle(t) for i, t in a.terms.items()}
        for t in a.terms.values():
            for x in references(t):
                p = x.value[0].parameter
                if p is not None and p.kind == SCALAR:
                    raise Refusal(
                        f"`{p.path}` is a random number that every unit meets, and stays random as n → ∞",
                        "a network's numbers inside are constants; weights are matrices and vectors along the width",
                        hint="start it at a constant: nn.init.constant_(p, 0.5)",
                        place=a.place,
                    )


def _verify_live(outputs: list[Array], arrays: list[Array], translation: Translation) -> None:
    if not any(_has_input(t) for a in arrays for t in a.terms.values()):
        raise Refusal("no output depends on the example")
    if all(t.live for o in outputs for t in o.terms.values()):
        return
    for a in arrays:
        for t in a.terms.values():
            if t.live:
                continue
            for x in subterms(t):
                number = x.args[0] if x.op == "prod" else x
                if number.op == "num" and number.value.p < 0 and any(y.live for y in x.args[1:]):
                    raise Refusal(
                        f"the data vanish as the width grows: they enter here with the factor n^({number.value.p})",
                        "the limit does not depend on the example. nn.RNN, nn.LSTM and nn.GRU draw their input weights "
                        "from U(-1/√n, 1/√n), as wide as n×n matrices need it, and not from U(-1/√d, 1/√d)",
                        hint="initialize input weights independently of n: "
                        "nn.init.normal_(rnn.weight_ih_l0, std=d ** -0.5)",
                        place=a.place,
                    )
    raise Refusal("the data vanish as the width grows: the limit does not depend on the example")


def _has_input(t: Term) -> bool:
    return any(x.op == "columns" for x in subterms(t))


def _influences(outputs: list[Array], arrays: list[Array], mean: Fraction = ZERO) -> dict[Part, Fraction]:
    """For each part of a parameter the largest power of n with which its entries of unit size reach an output.

    `mean` is added on the way through a mean over the width: a scalar that is one depends on each unit like 1/n, and a
    readout vᵀx/√n like 1/√n.
    """
    reach: dict[tuple[Any, Index], Fraction] = {}

    def down(t: Term, p: Fraction) -> None:
        stack = [(t, p)]
        while stack:
            x, q = stack.pop()
            if x.op == "var":
                reach[x.value] = max(reach.get(x.value, q), q)
            elif x.op == "bias":
                stack.append((x.args[0], q + x.value.p))
            elif x.op == "prod":
                q += sum((a.value.p for a in x.args if a.op == "num"), ZERO)
                stack += [(a, q) for a in x.args if a.op != "num"]
            else:
                stack += [(a, q + mean if x.op in ("dot", "mean") else q) for a in x.args]

    for o in outputs:
        for t in o.terms.values():
            down(t, ZERO)
    for a in reversed(arrays):
        for i, t in a.terms.items():
            if (a, i) in reach:
                down(t, reach[a, i])
    return {(a, i): p for (a, i), p in reach.items() if a.parameter is not None}


def _power(part: Part, matrices: Matrices) -> Fraction:
    """See `Parameter.power`; the columns of an input matrix have one law."""
    array, index = part
    p = array.parameter
    assert p is not None
    m = matrices.get(p)
    return p.power(p.array.index(m.columns[index][0]) if m is not None and m.array is array else index)


def _training(outputs: list[Array], arrays: list[Array], matrices: Matrices) -> Training:
    """What is trained, and the power of n by which the module's own gradient kernel is divided.

    The entries of a parameter are n^p times those of unit size (for a matrix N(0, s/n) the unit is w in w/√n), so that
    the sum of the squares of ∂f/∂θ is n^(-2p) times that in the units.
    """
    direct, through_means = (_influences(outputs, arrays, mean) for mean in (ZERO, -HALF))
    parts = [x for x in direct if x[0].parameter is not None and x[0].parameter.trained]
    if not parts:
        return Training(set(), 0, set(), set())
    # The order of a part's share, and what it would be if no mean stood between it and the output.
    order = {x: 2 * (through_means[x] - _power(x, matrices)) for x in parts}
    bare = {x: 2 * (direct[x] - _power(x, matrices)) for x in parts}
    top = max(order.values())
    trained = {x for x in parts if bare[x] == top}
    # A multiplier that grew with n would be needed.
    left_out = {x for x in parts if order[x] == top and bare[x] > top}
    unit = int(top) if top.denominator == 1 else 0
    return Training(trained, unit, {x for x in parts if x not in trained | left_out}, left_out)


def _verify_apart(matrices: dict[Parameter, InputMatrices], arrays: list[Array]) -> None:
    """Refuse a table that meets the example and is used otherwise too, such as one that embeds tokens and reads out."""
    for p, m in matrices.items():
        is_column = np.zeros(p.array.shape, bool)
        is_column.flat[np.concatenate(list(m.columns.values()))] = True
        for a in arrays:
            for t in a.terms.values():
                if any(x.value[0] is p.array and is_column[x.value[1]] for x in references(t)):
                    raise Refusal(
                        f"`{p.path}` meets the example and is used once more, as an embedding that is tied to the head",
                        "a network's input matrices meet the example only. The output of a token would hold its own "
                        "vector, |e|²/√n, which grows with the width where there is a residual stream",
                        hint="give the head weights of its own: tie_word_embeddings=False, or nn.Linear(d, vocabulary)",
                        place=a.place if a.place.path or a.place.source else None,
                    )
