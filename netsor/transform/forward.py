"""The forward pass on concrete inputs: one copy of the network's program for each example (Def. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from netsor.core import MatMul, Nonlin, Output, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.expr import Expr, add, as_expr, mul, substitute, sym
from netsor.transform.builder import Builder
from netsor.transform.examples import Example, Rows, read_examples, symbolic_example
from netsor.transform.names import TILDE, Names, decorate, split
from netsor.transform.parameters import shared

Values = dict[str, Expr]
Terms = tuple[tuple[float, str, str], ...]


def reduced(network: Program) -> Program:
    """The network without instructions that no readout needs. Raises NetsorError (E651, E652)."""
    if network.kind != "network":
        raise NetsorError(derived.not_a_network(network.name))
    if not network.readouts:
        raise NetsorError(derived.no_readout(network.name))
    needed = network.needed()
    return replace(
        network,
        instructions=tuple(i for i in network.instructions if i.name in needed),
        embeddings=tuple(e for e in network.embeddings if e.name in needed),
    )


def forward(builder: Builder, network: Program, example: Example) -> Values:
    """Add the forward pass of one example, and return the values of the network's variables on it."""
    names, stamp = builder.names, example.stamp
    values: Values = {name: sym(name) for name in (*network.group_of, *network.constant)}
    for e in network.embeddings:
        source, row = example.sources[e.source]
        values[e.name] = builder.embedding(names.of(e.name, stamp), e.matrix, source, row)
    for i in network.instructions:
        name = names.of(i.name, stamp)
        if isinstance(i, MatMul):
            values[i.name] = builder.matmul(name, i.matrix, i.transposed, values[i.vector])
        elif isinstance(i, Nonlin):
            values[i.name] = builder.nonlin(name, instantiated(i.psi, values))
        else:
            values[i.name] = builder.moment(name, instantiated(i.psi, values))
    return values


def instantiated(psi: Expr, values: Values) -> Expr:
    """A ψ of the network with the variables of an example as its arguments."""
    return substitute(psi, {s: values[s.name] for s in psi.free if isinstance(s.name, str) and s.name in values})


@dataclass
class Instances:
    """The forward passes of several examples in one program under construction.

    `examples` are the distinct examples, `row_of` the position among them of each row of the inputs, and `values` the
    variables of the network on each.
    """

    network: Program
    builder: Builder
    examples: list[Example] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    test_row_of: list[int] = field(default_factory=list)
    _position: dict[tuple[object, ...], int] = field(default_factory=dict, repr=False)

    def add(self, example: Example) -> int:
        """The position of an example in `examples`; examples with the same numbers share one position."""
        position = self._position.setdefault(example.key, len(self.examples))
        if position == len(self.examples):
            self.examples.append(example)
            self.values.append(forward(self.builder, self.network, example))
        return position


def instances(network: Program, rows: Rows | None, test: Rows | None = None) -> Instances:
    """The forward passes of a network on `rows` and then on `test`; without rows, of one example without numbers."""
    network = reduced(network)
    # Without rows there is only one example, and every variable keeps its name.
    names = Names(network, shared(network))
    given = {i.name: names.fresh(i.name, ("data", i.name)) for i in network.inputs}
    out = Instances(network, Builder(network, names))
    if rows is None:
        data, example = symbolic_example(network)
        out.builder.data.extend(replace(d, name=given[d.name]) for d in data)
        out.row_of.append(out.add(example))
        return out
    data, examples = read_examples(network, rows, given)
    out.builder.data.extend(data)
    out.row_of.extend(out.add(e) for e in examples)
    if test is not None:
        tilde = {i.name: names.fresh(decorate(given[i.name], TILDE), ("data", i.name, "test")) for i in network.inputs}
        data, examples = read_examples(network, test, tilde, test=True)
        out.builder.data.extend(data)
        out.test_row_of.extend(out.add(e) for e in examples)
    return out


def instantiate(network: Program, rows: Rows) -> Program:
    """The forward pass on every row, with the covariances Σ c c' Cov(v, v') xᵀx'/n of the readouts as outputs.

    Their limits are the covariances of the Gaussian process of f₀ (D.1.1); the output of rows j ≤ i of a readout f is
    `f[j,i]`.
    """
    made = instances(network, rows)
    builder, names = made.builder, made.builder.names
    outputs: list[Output] = []
    for r in made.network.readouts:
        base, indices = split(r.name)
        for i, p in enumerate(made.row_of, start=1):
            for j, q in enumerate(made.row_of[:i], start=1):
                name = names.scalar("", base, (*indices, j, i))
                psi = readout_covariance(made.network, r.terms, r.terms, made.values[p], made.values[q])
                outputs.append(Output(name, builder.scalar(name, psi)))
    return builder.build(network.name, outputs)


def readout_covariance(network: Program, terms: Terms, others: Terms, values: Values, other_values: Values) -> Expr:
    """The ψ whose mean is the covariance of two readouts given their embeddings, Σ c c' Cov(v, v') x ⊙ x'."""
    return add(
        *(
            mul(as_expr(c * d * covariance_of(network, v, w)), values[x], other_values[y])
            for c, v, x in terms
            for d, w, y in others
        )
    )


def covariance_of(network: Program, v: str, w: str) -> float:
    """Cov(v_α, w_α) of two vectors, which is 0 unless both are in one group of 𝒱."""
    if v not in network.group_of or w not in network.group_of:
        return 0.0
    (g, i), (h, j) = network.group_of[v], network.group_of[w]
    return g.covariance[i][j] if g is h else 0.0
