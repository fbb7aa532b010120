"""Expressions of a derivation as formulas, in one style or another."""

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
from netsor.expr.functions import FUNCTIONS
from netsor.show.derivation.algebra import size
from netsor.show.derivation.data import ref_text
from netsor.show.derivation.lines import WIDEST_LAW, Derivation, Form, Gaussian, PseudoInverse, names_in
from netsor.show.derivation.style import Latex, Text
from netsor.show.derivation.symbols import (
    COEFFICIENT,
    COVARIANCE,
    DATA,
    DOT,
    HAT,
    HATTED,
    LIMIT,
    MEAN,
    SCALAR,
    SHORT,
    SLOPE,
    VECTOR,
    kind,
    names,
)

# How strongly a piece binds: a sum least.
_SUM, _PRODUCT, _POWER, _ATOM = range(4)
Piece = tuple[str, int]
# Written out beyond this many nodes, a formula is no longer one; it would not fit in memory either.
_LARGEST = 60_000


class Formulas:
    """The formulas of one derivation in one style."""

    def __init__(self, derivation: Derivation, style: Text | Latex, full: bool = False):
        self.full = full
        self.derivation = derivation
        self.style = style
        self.numbered: dict[Sym, int] = {}
        used = names_in(derivation)
        self._coefficient, self._short = _free_letter("abcde", used), _free_letter("κλμνγ", used)
        # What is spelled once is spelled: formulas share most of their parts.
        self._done: dict[Expr, Piece] = {}
        for line in derivation.lines:
            for s in line.left:
                if kind(s) == COEFFICIENT:
                    self.numbered.setdefault(s, len(self.numbered) + 1)

    def __call__(self, form: Form) -> str:
        """A form as a formula of its own."""
        s = self.style
        if isinstance(form, Gaussian):
            law = self._normal()
            mean = s.number(0) if not any(form.mean) else s.column([self._signed(m) for m in form.mean])
            if len(form.mean) == 1:
                mean = self._signed(form.mean[0])
            k = len(form.mean)
            if k > WIDEST_LAW and not self.full:
                return f"{law}({mean}, K){s.aside(f'K is {k} × {k}; --full shows it')}"
            scale = "" if form.scale is ONE else self(form.scale) + s.times
            covariance = s.matrix([[self(x) for x in r] for r in form.covariance])
            return law + s.brackets(f"{mean}, {scale}{covariance}")
        if isinstance(form, PseudoInverse):
            return s.pseudo(s.matrix([[self(e) for e in r] for r in form.c]), s.column([self(e) for e in form.b]))
        # E of something, alone, needs no brackets.
        c, rest = split_coefficient(form)
        if kind(rest) == MEAN:
            inside, strength = self._piece(self._integrand(rest))
            bare = strength > _SUM
            text = s.expectation(inside, whole=bare)
            return text if c == 1 else f"{self._signed(c)}{s.times}{text}" if abs(c) != 1 else f"{s.minus}{text}"
        return self._piece(form)[0]

    def joined(self, symbols: Sequence[Sym]) -> str:
        """Left sides: one, or several in brackets."""
        pieces = [self(s) for s in symbols]
        return pieces[0] if len(pieces) == 1 else self.style.brackets(", ".join(pieces))

    def _normal(self) -> str:
        return "\\mathcal{N}" if isinstance(self.style, Latex) else "N"

    def _signed(self, value: int | float) -> str:
        value = int(value) if float(value).is_integer() else value
        return (self.style.minus if value < 0 else "") + self.style.number(value)

    def _integrand(self, s: Expr) -> Expr:
        d = self.derivation
        assert isinstance(s, Sym)
        # With `full` every Z is written out.
        return d.means[s] if self.full else d.in_vectors.get(s, d.means[s])

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _piece(self, root: Expr) -> Piece:
        if size(root) > _LARGEST:
            return "…", _ATOM
        return self._piece_of(root, self._done)

    def _node(self, node: Expr, done: dict[Expr, Piece]) -> Piece:
        s = self.style
        match node:
            case Const():
                return self._signed(node.value), _ATOM if node.value >= 0 else _SUM
            case Sym():
                return self._symbol(node)
            case Add():
                return self._sum(node, done), _SUM
            case Mul():
                return self._product(node, done)
            case Pow():
                return self._power(node, done)
            case Apply():
                return self._apply(node, done), _ATOM
            case Call():
                fences = FUNCTIONS[node.fn].fences
                if fences is not None and isinstance(s, Latex):
                    return done[node.children[0]][0].join(fences), _ATOM
                return f"{s.call(node.fn)}{s.brackets(', '.join(done[c][0] for c in node.children))}", _ATOM
            case Cmp():
                a, b = (done[c][0] for c in node.children)
                return f"{a} {s.compare[node.op]} {b}", _SUM
            case Logic():
                word = s.words[node.op]
                parts = [done[c][0] for c in node.children]
                return (f"{word} ({parts[0]})" if node.op == "not" else f" {word} ".join(parts)), _SUM
            case Cond():
                test, then, other = (done[c][0] for c in node.children)
                if node.then is ONE and node.other is ZERO:
                    return s.indicator(test), _ATOM
                if node.then is ZERO and node.other is ONE:
                    return s.indicator(f"{s.words['not']} ({test})"), _ATOM
                return s.branches(test, then, other), _ATOM
            case Star():
                return self._piece(star_quotient(node))
            case _:
                raise TypeError(type(node).__name__)

    def _symbol(self, node: Sym) -> Piece:
        s = self.style
        what = kind(node)
        if what in (VECTOR, SCALAR):
            name = s.name(names(node)[0])
            return (s.over("Z", name), _POWER) if what == VECTOR else (name, _ATOM)
        if what in (HAT, HATTED, DOT):
            name = names(node)[0]
            i = self.derivation.program.by_name[name]
            assert isinstance(i, MatMul)
            if what == HAT and name in self.derivation.plain:
                return s.over("Z", s.name(name)), _POWER
            return s.over("Ż" if what == DOT else "Ẑ", s.product(i.matrix, i.transposed, i.vector)), _POWER
        if what == LIMIT:
            text = s.limit(names(node)[0])
            return text, _ATOM if "°" not in text and "circ" not in text else _POWER
        if what == COEFFICIENT:
            return s.indexed(self._coefficient, self.numbered.get(node, 0)), _ATOM
        if what == DATA:
            refs = [ref_text(r) for r in names(node)]
            return (s.inner(*refs), _POWER) if len(refs) == 2 else (s.name(refs[0]), _ATOM)
        if what == SHORT:
            return s.indexed(self._short, names(node)[0]), _ATOM
        if what == MEAN:
            return s.expectation(self._piece(self._integrand(node))[0], whole=False), _POWER
        if what == COVARIANCE:
            a, b = (self._hatted(t) for t in names(node))
            return s.covariance(a, b), _PRODUCT if a == b else _POWER
        if what == SLOPE:
            x, partner = names(node)
            i = self.derivation.program.by_name[partner]
            assert isinstance(i, MatMul)
            hat = s.over("Ẑ", s.product(i.matrix, i.transposed, i.vector))
            return s.slope(s.over("Z", s.name(x)), hat), _PRODUCT
        if node is WIDTH:
            return "n", _ATOM
        return s.name(str(node.name)), _ATOM

    def _hatted(self, node: Sym) -> str:
        from netsor.show.derivation.symbols import symbol

        return self._symbol(symbol(HATTED, *names(node)) if kind(node) == HAT else node)[0]

    def _wrap(self, piece: Piece, least: int) -> str:
        return piece[0] if piece[1] >= least else self.style.brackets(piece[0])

    def _sum(self, node: Expr, done: dict[Expr, Piece]) -> str:
        s = self.style
        text = ""
        for term in node.children:
            c, rest = split_coefficient(term)
            if c < 0:
                flipped = self._piece_of(mul(Const(-c), rest), done)
                text += f" {s.minus} " if text else s.minus
                text += self._wrap(flipped, _PRODUCT)
            else:
                text += f" + {self._wrap(done[term], _PRODUCT)}" if text else self._wrap(done[term], _PRODUCT)
        return text

    def _piece_of(self, e: Expr, done: dict[Expr, Piece]) -> Piece:
        for node in postorder(e):
            if node not in done:
                done[node] = self._node(node, done)
        return done[e]

    def _product(self, node: Expr, done: dict[Expr, Piece]) -> Piece:
        s = self.style
        c, rest = split_coefficient(node)
        above: list[str] = []
        below: list[Piece] = []
        for f in rest.children if isinstance(rest, Mul) else (rest,):
            inverse = _inverse(f)
            if inverse is None:
                above.append(self._wrap(done[f], _PRODUCT))
            else:
                below.append(self._piece_of(inverse, done))
        # √2 · (1/√2) is 1 up to rounding, and is not told.
        if s.number(abs(c)) != s.number(1) or not above:
            above.insert(0, s.number(abs(c)))
        text = s.times.join(above)
        if below:
            down = below[0] if len(below) == 1 else (s.times.join(self._wrap(p, _PRODUCT) for p in below), _PRODUCT)
            text = s.fraction(text, down[0], down[1] >= _POWER)
        return (s.minus + text, _SUM) if c < 0 else (text, _PRODUCT)

    def _power(self, node: Pow, done: dict[Expr, Piece]) -> Piece:
        s = self.style
        inverse = _inverse(node)
        if inverse is not None:
            down = self._piece_of(inverse, done)
            return s.fraction(s.number(1), down[0], down[1] >= _POWER), _PRODUCT
        base = done[node.base]
        if isinstance(node.exponent, Const) and node.exponent.value == 0.5:
            return s.root(base[0]), _POWER
        strong = base[1] >= _ATOM or base[1] == _POWER and kind(node.base) == MEAN
        inside = base[0] if strong and kind(node.base) != MEAN else s.brackets(base[0])
        exponent = node.exponent.value if isinstance(node.exponent, Const) else done[node.exponent][0]
        return s.power(inside, exponent), _POWER

    def _apply(self, node: Apply, done: dict[Expr, Piece]) -> str:
        s = self.style
        f = node.function
        marks = tuple((str(p.name), k) for p, k in zip(f.params, node.orders, strict=True) if k)
        head = s.function(f.name, marks, len(f.params) == 1)
        args = [done[c][0] for c in node.children]
        inside = ", ".join(args[: f.vectors])
        if args[f.vectors :]:
            inside += ("; " if inside else "") + ", ".join(args[f.vectors :])
        return head + s.brackets(inside) if marks or not isinstance(s, Latex) else f"{head}{s.brackets(inside)}"

    def definition(self, f) -> str:  # noqa: ANN001
        """A function of the program as its definition."""
        params = [self.style.name(str(p.name)) for p in f.params]
        head, tail = params[: f.vectors], params[f.vectors :]
        inside = ", ".join(head) + ("; " + ", ".join(tail) if tail else "")
        name = self.style.function(f.name, (), True)
        return f"{name}{self.style.brackets(inside)} = {self._piece(f.body)[0]}"


def _free_letter(letters: str, used: Sequence[str]) -> str:
    """The first letter that no name of the program bears with a number, or the last."""
    taken = {x[0] for x in used if x[1:].strip("_[]").isdigit()}
    return next((c for c in letters if c not in taken), letters[-1])


def _inverse(f: Expr) -> Expr | None:
    if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value < 0:
        return power(f.base, Const(-f.exponent.value))
    return None
