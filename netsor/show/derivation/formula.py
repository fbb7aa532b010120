"""Expressions of a derivation as formulas."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.core import MatMul
from netsor.expr import (
    ONE,
    WIDTH,
    ZERO,
    Add,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Function,
    Logic,
    Mul,
    Pow,
    Star,
    Sym,
    mul,
    postorder,
    power,
    split_coefficient,
    star_quotient,
)
from netsor.expr.printing import is_builtin
from netsor.show.derivation.algebra import size
from netsor.show.derivation.data import ref_text
from netsor.show.derivation.lines import WIDEST_LAW, Derivation, Form, Gaussian, PseudoInverse, names_in
from netsor.show.derivation.symbols import (
    COEFFICIENT,
    HAT,
    HATTED,
    MEAN,
    kind,
    names,
    symbol,
)
from netsor.show.formula import tree as f
from netsor.show.formula.text import Text, digits
from netsor.show.formula.tree import ATOM, PRODUCT, SUM, Name, Number, Sign, Tree

# Written out beyond this many nodes, a formula is no longer one; it would not fit in memory either.
_LARGEST = 60_000


class Formulas:
    """The formulas of one derivation as trees."""

    def __init__(self, derivation: Derivation, full: bool = False):
        self.full = full
        self.derivation = derivation
        self.numbered: dict[Sym, int] = {}
        used = names_in(derivation)
        self._coefficient, self._short = _free_letter("abcde", used), _free_letter("κλμνγ", used)
        # Formulas share most of their parts: one tree stands in all places.
        self._done: dict[Expr, Tree] = {}
        for line in derivation.lines:
            for s in line.left:
                if kind(s) == COEFFICIENT:
                    self.numbered.setdefault(s, len(self.numbered) + 1)

    def __call__(self, form: Form) -> Tree:
        """A form as a formula of its own."""
        if isinstance(form, Gaussian):
            return self._law(form)
        if isinstance(form, PseudoInverse):
            rows = f.Matrix(tuple(self(e) for r in form.c for e in r), len(form.c))
            return f.PseudoInverse(rows, f.Matrix(tuple(map(self, form.b)), 1, column=True))
        # E of something, alone, needs no brackets.
        c, rest = split_coefficient(form)
        if kind(rest) != MEAN:
            return self._tree(form)
        inside = self._tree(self._integrand(rest))
        mean = f.Mean(inside, whole=inside.strength > SUM)
        if abs(c) == 1:
            return mean if c == 1 else f.Negated(mean)
        scaled = f.Product((_number(abs(c)), mean))
        return scaled if c > 0 else f.Negated(scaled)

    def _law(self, form: Gaussian) -> Tree:
        k = len(form.mean)
        mean: Tree = _number(0)
        if any(form.mean):
            mean = f.Matrix(tuple(map(_number, form.mean)), 1, column=True) if k > 1 else _number(form.mean[0])
        if k > WIDEST_LAW and not self.full:
            inside = f.Listed((mean, Sign("K")))
            return f.Listed((f.Law(inside), f.Words(f"K is {k} × {k}; --full shows it")))
        covariance: Tree = f.Matrix(tuple(self(x) for r in form.covariance for x in r), k)
        if form.scale is not ONE:
            covariance = f.Product((self(form.scale), covariance))
        return f.Law(f.Listed((mean, covariance)))

    def joined(self, symbols: Sequence[Sym]) -> Tree:
        """Left sides: one, or several in brackets."""
        trees = tuple(map(self, symbols))
        return trees[0] if len(trees) == 1 else f.Brackets(f.Listed(trees))

    def definition(self, function: Function) -> Tree:
        """A function of the program as its definition."""
        params = tuple(Name(str(p.name)) for p in function.params)
        head = f.Call(f.Function(Name(function.name)), params[: function.vectors], params[function.vectors :])
        return f.Row((head, Sign("="), self._tree(function.body)))

    def _integrand(self, s: Expr) -> Expr:
        d = self.derivation
        assert isinstance(s, Sym)
        # With `full` every Z is written out.
        return d.means[s] if self.full else d.in_vectors.get(s, d.means[s])

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _tree(self, root: Expr) -> Tree:
        if size(root) > _LARGEST:
            return Sign("…")
        for node in postorder(root):
            if node not in self._done:
                self._done[node] = self._node(node)
        return self._done[root]

    def _node(self, node: Expr) -> Tree:
        at = self._done
        match node:
            case Const():
                return _number(node.value)
            case Sym():
                return self._symbol(node)
            case Add():
                return self._sum(node)
            case Mul():
                return self._product(node)
            case Pow():
                return self._power(node)
            case Apply():
                return self._apply(node)
            case Call():
                return f.Call(f.Builtin(node.fn), tuple(at[c] for c in node.children))
            case Cmp():
                a, b = (at[c] for c in node.children)
                return f.Compare(node.op, a, b)
            case Logic():
                return f.Logic(node.op, tuple(at[c] for c in node.children))
            case Cond():
                test, then, other = (at[c] for c in node.children)
                if node.then is ONE and node.other is ZERO:
                    return f.Indicator(test)
                if node.then is ZERO and node.other is ONE:
                    return f.Indicator(f.Logic("not", (test,)))
                return f.Branches(test, then, other)
            case Star():
                return self._tree(star_quotient(node))
            case _:
                raise TypeError(type(node).__name__)

    def _symbol(self, node: Sym) -> Tree:
        match kind(node):
            case "Z":
                return f.Over("Z", Name(names(node)[0]))
            case "θ":
                return Name(names(node)[0])
            case "Ẑ" if names(node)[0] in self.derivation.plain:
                return f.Over("Z", Name(names(node)[0]))
            case "Ẑ" | "Ẑ!" | "Ż" as letter:
                return f.Over(letter[0], self._applied(names(node)[0]))
            case "θ̊":
                return f.Limit(Name(names(node)[0]))
            case "a":
                return _numbered(self._coefficient, self.numbered.get(node, 0))
            case "κ":
                return _numbered(self._short, names(node)[0])
            case "⟨⟩":
                refs = [Name(ref_text(r)) for r in names(node)]
                return f.Applied(refs[0], True, refs[1], tight=True) if len(refs) == 2 else refs[0]
            case "E":
                return f.Mean(self._tree(self._integrand(node)))
            case "Cov":
                a, b = map(self._hatted, names(node))
                return f.Covariance(a, None if Text()(a) == Text()(b) else b)
            case "∂":
                x, partner = names(node)
                below = f.Over("Ẑ", self._applied(partner))
                return f.Mean(f.Derivative(f.Over("Z", Name(x)), below), whole=True)
            case _:
                return Sign("n") if node is WIDTH else Name(str(node.name))

    def _applied(self, name: str) -> Tree:
        i = self.derivation.program.by_name[name]
        assert isinstance(i, MatMul)
        return f.Applied(Name(i.matrix), i.transposed, Name(i.vector))

    def _hatted(self, node: Sym) -> Tree:
        return self._symbol(symbol(HATTED, *names(node)) if kind(node) == HAT else node)

    def _sum(self, node: Expr) -> Tree:
        terms, minus = [], []
        for term in node.children:
            c, rest = split_coefficient(term)
            minus.append(c < 0)
            terms.append(_wrapped(self._tree(mul(Const(-c), rest)) if c < 0 else self._done[term], PRODUCT))
        return f.Sum(tuple(terms), tuple(minus))

    def _product(self, node: Expr) -> Tree:
        c, rest = split_coefficient(node)
        above: list[Tree] = []
        below: list[Tree] = []
        for factor in rest.children if isinstance(rest, Mul) else (rest,):
            inverse = _inverse(factor)
            if inverse is None:
                above.append(_wrapped(self._done[factor], PRODUCT))
            else:
                below.append(self._tree(inverse))
        # √2 · (1/√2) is 1 up to rounding, and is not told.
        if digits(abs(c)) != "1" or not above:
            above.insert(0, _number(abs(c)))
        out: Tree = f.Product(tuple(above)) if len(above) > 1 or not below else above[0]
        if below:
            down = below[0] if len(below) == 1 else f.Product(tuple(_wrapped(b, PRODUCT) for b in below))
            out = f.Fraction(out, down)
        return f.Negated(out) if c < 0 else out

    def _power(self, node: Pow) -> Tree:
        inverse = _inverse(node)
        if inverse is not None:
            return f.Fraction(_number(1), self._tree(inverse))
        if isinstance(node.exponent, Const) and node.exponent.value == 0.5:
            return f.Root(self._done[node.base])
        exponent = self._done[node.exponent]
        if isinstance(node.exponent, Const):
            exponent = Number(node.exponent.value, exact=False)
        return f.Power(_wrapped(self._done[node.base], ATOM), exponent)

    def _apply(self, node: Apply) -> Tree:
        function = node.function
        marks = tuple((str(p.name), k) for p, k in zip(function.params, node.orders, strict=True) if k)
        args = tuple(self._done[c] for c in node.children)
        # A function of the language has its derivatives in its first argument.
        single = len(function.params) == 1 or is_builtin(function) and not any(node.orders[1:])
        head = f.Function(Name(function.name), marks, single)
        return f.Call(head, args[: function.vectors], args[function.vectors :])


def _number(value: int | float) -> Tree:
    return Number(int(value) if abs(value) < 2**53 and float(value).is_integer() else value)


def _numbered(letter: str, k: int) -> Tree:
    return f.Subscript(Name(letter), (Number(k),))


def _wrapped(tree: Tree, least: int) -> Tree:
    return tree if tree.strength >= least else f.Brackets(tree)


def _free_letter(letters: str, used: Sequence[str]) -> str:
    """The first letter that no name of the program bears with a number, or the last."""
    taken = {x[0] for x in used if x[1:].strip("_[]").isdigit()}
    return next((c for c in letters if c not in taken), letters[-1])


def _inverse(e: Expr) -> Expr | None:
    if isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value < 0:
        return power(e.base, Const(-e.exponent.value))
    return None
