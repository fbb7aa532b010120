"""A step of SGD on one example as two core programs: the forward pass, and what the step moves.

The forward program ends with the outputs f/√n = Σ c vᵀx/n. The backward program has the error signals dh = √n ∂f/∂h
(Eqs. 74–78) and, with `pull` = −η/B χ of each output, the vectors that the parameters move along: Σ pull dg for every
g = W h, g = U ξ and every trained vector (Eqs. 73, 126; D.4.1). Both run at once on all rows, and at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netsor.core import DataRef, InputRef, MatMul, Program
from netsor.expr import ZERO, Expr, Sym, add, as_expr, mul
from netsor.finite.plan import Plan, make_plan
from netsor.transform.backward import Backward, at_start
from netsor.transform.forward import Instances, instances
from netsor.transform.names import Stamp
from netsor.transform.parameters import moving, trainable


@dataclass(frozen=True)
class RankOne:
    """ΔW = n^{-3/2} σ² a bᵀ for a matrix W of variance σ²/n, with the names of the vectors a and b."""

    matrix: str
    a: str
    b: str


@dataclass(frozen=True)
class Leaf:
    """A vector U ξ, with the name of Σ pull dg by which a step moves it, if U is trained."""

    name: str
    embedding: str
    matrix: str
    source: InputRef | DataRef
    change: str | None


@dataclass(frozen=True)
class Template:
    """The two programs with their plans; a plan reads what it does not make itself.

    `outputs` are the f/√n, `pulls` the scalars that the backward program is given, `kept` the vectors and scalars that
    it takes from the forward program, and `many` the variables that differ between examples. `variances` has the σ² of
    the trained matrices and of the input matrices, and `vectors` for each trained vector b the pairs (C, name) of
    √n Δb = Σ C Σ pull db'.
    """

    network: Program
    forward: Program
    forward_plan: Plan
    backward: Program
    backward_plan: Plan
    outputs: tuple[Expr, ...]
    pulls: tuple[str, ...]
    kept: frozenset[str]
    many: frozenset[str]
    terms: tuple[RankOne, ...]
    leaves: tuple[Leaf, ...]
    variances: dict[str, float]
    vectors: dict[str, tuple[tuple[float, str], ...]]

    def uses(self, matrix: str) -> int:
        """How many terms of rank one a step on one example adds to a matrix."""
        return sum(term.matrix == matrix for term in self.terms)


def template(network: Program) -> Template:
    """The programs of a step of SGD on one example. Raises NetsorError as `netsor.transform.sgd` does."""
    made = instances(network, None)
    network, builder, values = made.network, made.builder, made.values[0]
    trained = trainable(network)
    back = Backward(made, moving(network, trained))
    # A space keeps these names apart from those of a program.
    outputs = tuple(
        builder.moment(f"output {j}", add(*(mul(as_expr(c), values[v], values[x]) for c, v, x in r.terms)))
        for j, r in enumerate(network.readouts)
    )
    before = len(builder.instructions)
    several = len(network.readouts) > 1
    pulls = [builder.constant(f"pull {j}", 0.0) for j in range(len(outputs))]
    errors = [
        back.errors(r.terms, values, Stamp().toward(j + 1 if several else None), at_start(made))
        for j, r in enumerate(network.readouts)
    ]

    def change(*names: str) -> str | None:
        """The vector Σ pull dh over these variables of the network and all outputs; None where it is zero."""
        parts = (mul(pull, found.get(x, ZERO)) for pull, found in zip(pulls, errors, strict=True) for x in names)
        moved = builder.nonlin(f"change {names[0]}", add(*parts))
        return str(moved.name) if isinstance(moved, Sym) else None

    terms = []
    for i in network.instructions:
        if isinstance(i, MatMul) and i.matrix in trained.matrices:
            g, h = change(i.name), values[i.vector]
            if g is not None and isinstance(h, Sym):
                terms.append(RankOne(i.matrix, *((str(h.name), g) if i.transposed else (g, str(h.name)))))
    vectors: dict[str, tuple[tuple[float, str], ...]] = {}
    changes = {b: change(b) for b in trained.vectors}
    for b, covariances in trained.vectors.items():
        pairs = ((c, changes[other]) for other, c in covariances)
        vectors[b] = tuple((c, name) for c, name in pairs if name is not None)
    leaves = _leaves(made, set(trained.input_matrices), change)
    program = builder.build(network.name).evaluated
    targets = [x for term in terms for x in (term.a, term.b)]
    targets += [leaf.change for leaf in leaves if leaf.change] + [
        name for pairs in vectors.values() for _, name in pairs
    ]
    forward = replace(program, instructions=program.instructions[:before])
    backward = replace(program, instructions=program.instructions[before:])
    made_by = {i.name for i in forward.instructions}
    targets = list(dict.fromkeys(targets))
    own = [x for x in targets if x in backward.by_name]
    needed = backward.needed(own)
    kept = frozenset(x for x in [*needed, *targets] if x in made_by)
    is_scalar = {x for x in kept if program.kind_of(x) == "scalar"}
    heads = [str(e.name) for e in outputs if isinstance(e, Sym)]
    heads = [name_of(e) for e in outputs if isinstance(e, Sym)]
    return Template(
        network=network,
        forward=forward,
        forward_plan=_reading(make_plan(forward, [*heads, *sorted(is_scalar)], sorted(kept - is_scalar))),
        backward=backward,
        backward_plan=_reading(make_plan(backward, [], own)),
        outputs=outputs,
        pulls=tuple(name_of(pull) for pull in pulls),
        kept=kept,
        many=_differing(program, leaves, pulls),
        terms=tuple(terms),
        leaves=leaves,
        variances={**trained.matrices, **trained.input_matrices},
        vectors=vectors,
    )


def name_of(e: Expr) -> str:
    """The name of a variable."""
    assert isinstance(e, Sym)
    return str(e.name)


def _leaves(made: Instances, trained: set[str], change: Callable[..., str | None]) -> tuple[Leaf, ...]:
    """The vectors U ξ of an example, each once, whatever the number of variables that stand for it."""
    names: dict[str, list[str]] = {}
    for e in made.network.embeddings:
        names.setdefault(name_of(made.values[0][e.name]), []).append(e.name)
    found = []
    for leaf, embeddings in names.items():
        e = made.network.embedding[embeddings[0]]
        found.append(Leaf(leaf, e.name, e.matrix, e.source, change(*embeddings) if e.matrix in trained else None))
    return tuple(found)


def _reading(plan: Plan) -> Plan:
    """The plan with the vectors that it does not make read from what exists before it, and left there."""
    given = {v for stage in plan.stages for v in stage.draws}
    for stage in plan.stages:
        stage.reads |= set(stage.draws)
        stage.kept -= given
        stage.free = [v for v in stage.free if v not in given]
        stage.free_sweep = [v for v in stage.free_sweep if v not in given]
        stage.draws = []
    return plan


def _differing(program: Program, leaves: tuple[Leaf, ...], pulls: list[Expr]) -> frozenset[str]:
    """The variables that depend on the example."""
    found = {leaf.name for leaf in leaves if isinstance(leaf.source, InputRef)}
    found |= {name_of(pull) for pull in pulls}
    for i in program.instructions:
        if not found.isdisjoint((i.vector,) if isinstance(i, MatMul) else (*i.vectors, *i.scalars)):
            found.add(i.name)
    return frozenset(found)
