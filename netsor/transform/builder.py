"""Building a core program one instruction at a time, without repetitions.

Values are expressions: zero, the symbol of a variable, or a number where no variable is needed. Equal instructions give
the same variable, so that what two examples, two tokens or two steps share is computed once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from netsor.core import (
    Constant,
    Data,
    DataRef,
    Embedding,
    Group,
    InputMatrix,
    Instruction,
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    Output,
    Program,
)
from netsor.deadline import verify_time
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import divergence
from netsor.expr import (
    WIDTH,
    ZERO,
    Add,
    Const,
    Expr,
    Mul,
    Star,
    Sym,
    add,
    as_expr,
    canonical,
    diff,
    mul,
    numbers,
    postorder,
    power,
    star,
    substitute,
    sym,
)
from netsor.expr.asymptotics import width_limit
from netsor.expr.nodes import has_infinite_constant
from netsor.transform.names import Names

ROOT_N = power(WIDTH, Const(0.5))
ONE_OVER_ROOT_N = power(WIDTH, Const(-0.5))


class Builder:
    """A core program under construction, with the 𝒲, and the members of 𝒱 and 𝒞 of no example, from `network`."""

    def __init__(self, network: Program, names: Names):
        self.names = names
        self.matrices: tuple[Matrix, ...] = network.matrices
        self.input_matrices: tuple[InputMatrix, ...] = network.input_matrices
        self.groups: list[Group] = list(network.groups)
        self.constants: list[Constant] = list(network.constants)
        self.data: list[Data] = list(network.data)
        self.embeddings: list[Embedding] = []
        self.instructions: list[Instruction] = []
        self._vectors: set[str] = {name for g in network.groups for name in g.names}
        self._scalars: set[str] = {c.name for c in network.constants}
        self._made: dict[tuple[object, ...], Sym] = {}
        self._ones: Sym | None = None

    def embedding(self, name: str, matrix: str, source: DataRef, row: Sequence[float]) -> Sym:
        """U ξ, a member of 𝒱; where the row has no numbers yet, equal sources give equal embeddings."""
        key = ("embedding", matrix, tuple(row) or source)
        if key not in self._made:
            self.embeddings.append(Embedding(name, matrix, source))
            self._vectors.add(name)
            self._made[key] = sym(name)
        return self._made[key]

    def constant(self, name: str, value: Expr | float) -> Expr:
        """A member of 𝒞 with the value of `value` as a function of n."""
        e = as_expr(value)
        if ("constant", name) not in self._made:
            self.constants.append(Constant(name, e, width_limit(numbers(e))))
            self._scalars.add(name)
            self._made["constant", name] = sym(name)
        return self._made["constant", name]

    def matmul(self, name: str, matrix: str, transposed: bool, x: Expr) -> Expr:
        """MATMUL: W x or Wᵀ x, where x is zero or a variable."""
        if x is ZERO:
            return ZERO
        assert isinstance(x, Sym) and x.name in self._vectors
        key = ("matmul", matrix, transposed, x)
        if key not in self._made:
            self._add(key, name, MatMul(name, matrix, transposed, x.name))
            self._vectors.add(name)
        return self._made[key]

    def nonlin(self, name: str, psi: Expr) -> Expr:
        """NONLIN⁺: a variable with the value ψ (Eq. 60), or ψ itself where it is zero or a variable already.

        Raises NetsorError where a number in ψ is beyond the doubles (E506), as `moment` does.
        """
        if psi is ZERO or (isinstance(psi, Sym) and psi.name in self._vectors):
            return psi
        vectors, scalars = self._arguments(psi)
        if not vectors:
            # ψ has the same value in every coordinate, as the gradient of a mean has; a NONLIN needs at least one
            # vector.
            psi = mul(psi, self._constant_vector())
            vectors, scalars = self._arguments(psi)
        key = ("nonlin", canonical(psi))
        if key not in self._made:
            self._add(key, name, Nonlin(name, psi, vectors, scalars))
            self._vectors.add(name)
        return self._made[key]

    def moment(self, name: str, psi: Expr) -> Expr:
        """MOMENT: the mean of ψ over coordinates (Eq. 61), or ψ itself where it is a number or a scalar already."""
        if isinstance(psi, Const) or (isinstance(psi, Sym) and psi.name in self._scalars):
            return psi
        key = ("moment", canonical(psi))
        if key not in self._made:
            self._add(key, name, Moment(name, psi, *self._arguments(psi)))
            self._scalars.add(name)
        return self._made[key]

    def scalar(self, name: str, psi: Expr) -> str:
        """The name of a scalar with the value of the mean of ψ, as an output needs it."""
        made = self.moment(name, psi)
        if isinstance(made, Const):
            key = ("moment", made)
            if key not in self._made:
                self._add(key, name, Moment(name, made, ()))
                self._scalars.add(name)
            made = self._made[key]
        assert isinstance(made, Sym)
        return str(made.name)

    def build(self, name: str, outputs: Iterable[Output] = (), prune: bool = False) -> Program:
        """The program so far; with `prune`, without the instructions that no output needs."""
        made = Program(
            name=name, matrices=self.matrices, input_matrices=self.input_matrices, groups=tuple(self.groups),
            embeddings=tuple(self.embeddings), constants=tuple(self.constants), data=tuple(self.data),
            instructions=tuple(self.instructions), outputs=tuple(outputs),
        )  # fmt: skip
        if not prune:
            return made
        needed = made.needed()
        return Program(
            name=name, matrices=self.matrices, input_matrices=self.input_matrices, groups=tuple(self.groups),
            embeddings=tuple(e for e in self.embeddings if e.name in needed),
            constants=tuple(c for c in self.constants if c.name in needed), data=tuple(self.data),
            instructions=tuple(i for i in self.instructions if i.name in needed), outputs=made.outputs,
        )  # fmt: skip

    def _add(self, key: tuple[object, ...], name: str, i: Instruction) -> None:
        verify_time()
        if name in self._vectors or name in self._scalars:
            raise AssertionError(f"two variables named {name}")
        if isinstance(i, (Nonlin, Moment)) and any(has_infinite_constant(e) for e in postorder(i.psi)):
            raise NetsorError(divergence.derived_too_large(name))
        self.instructions.append(i)
        self._made[key] = sym(name)

    def _arguments(self, psi: Expr) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The vectors and the scalars of ψ, in order of occurrence."""
        names = [s.name for s in postorder(psi) if isinstance(s, Sym) and s in psi.free and s is not WIDTH]
        unknown = [x for x in names if x not in self._vectors and x not in self._scalars]
        if unknown:
            raise AssertionError(f"no variables: {unknown}")
        return tuple(x for x in names if x in self._vectors), tuple(x for x in names if x in self._scalars)

    def _constant_vector(self) -> Sym:
        if self._ones is None:
            name = self.names.fresh("one")
            self.groups.append(Group((name,), (1.0,), ((0.0,),)))
            self._vectors.add(name)
            self._ones = sym(name)
        return self._ones


def coefficient_and_symbol(e: Expr) -> bool:
    """Whether an expression is a variable, or a product of a coefficient and a variable."""
    return isinstance(e, Sym) or (isinstance(e, Mul) and len(e.children) == 2 and isinstance(e.children[1], Sym))


def difference(psi: Expr, now: Mapping[Sym, Expr], moved: Mapping[Sym, Expr]) -> Expr:
    """√n (ψ(x_{t+1}) − ψ(x_t)), where x_{t+1} = x_t + δx/√n: ψ* of Eq. 84.

    `now` are the x_t and `moved` the non-zero δx_{t+1} of the variables of ψ. Terms of ψ that are affine in the
    variables that move are taken out of the quotient, in which they would cancel: (φ(x) + b)* is φ*(x) + δb.
    """
    curved: list[Expr] = []
    straight: list[Expr] = []
    for term in psi.children if isinstance(psi, Add) else (psi,):
        moving = [s for s in postorder(term) if isinstance(s, Sym) and s in moved and s in term.free]
        slopes = [diff(term, s) for s in moving]
        if any(slope.free & frozenset(moving) for slope in slopes):
            curved.append(term)
        else:
            steps = zip(slopes, moving, strict=True)
            straight.extend(mul(substitute(slope, dict(now)), moved[s]) for slope, s in steps)
    body = add(*curved)
    e = _fresh_bound(body)
    ahead = {s: add(x, mul(moved[s], e)) if s in moved else x for s, x in now.items()}
    return add(star(e, substitute(body, ahead), ONE_OVER_ROOT_N), *straight)


def _fresh_bound(psi: Expr) -> Sym:
    """The bound variable of a ψ*, different from those of the ψ*'s inside ψ; the parser uses the same one."""
    bound = {node.bound for node in postorder(psi) if isinstance(node, Star)}
    e, depth = sym(("ψ*", "e")), 0
    while e in bound:
        depth += 1
        e = sym(("ψ*", "e", depth))
    return e
