"""From a core program to the scene that is drawn of it."""

from __future__ import annotations

from collections import Counter, defaultdict

from netsor.core import InputRef, MatMul, Moment, Nonlin, Program
from netsor.expr import Sym
from netsor.expr.printing import number_text, to_text
from netsor.show.drawing.fold import Folding, family_name, groups
from netsor.show.drawing.gates import Gates, shape, subscripted
from netsor.show.drawing.names import Piece, matrix_pieces, pieces, split
from netsor.show.drawing.passes import parts, twins
from netsor.show.drawing.scene import Edge, Kind, Node, Scene
from netsor.show.listing import moment_text


def build_scene(program: Program, of: list[str] | None = None, folding: Folding = "auto") -> Scene:
    """The nodes and edges of a program, of what the variables `of` depend on if given, else of all that is used."""
    return _Builder(program, of, folding).scene


class _Builder:
    def __init__(self, program: Program, of: list[str] | None, folding: Folding):
        self.p = program = program.evaluated
        self.kept = program.needed(of) if of else _all_used(program)
        self.symbol = groups(program, self.kept, folding)
        self.members: dict[str, list[str]] = defaultdict(list)
        for name in self._order():
            self.members[self.symbol[name]].append(name)
        self.part = parts(program)
        self.at = {i.name: float(k) for k, i in enumerate(program.instructions)}
        self.scene = Scene(program.name or "program")
        self.gates = Gates()
        made = [i for i in program.instructions if i.name in self.kept and not isinstance(i, MatMul)]
        self.shapes = Counter(shape(i) for i in made)
        self.seen: set[tuple[str, str, str, bool]] = set()
        for symbol, names in self.members.items():
            self._variable(symbol, names)
        for symbol, names in self.members.items():
            self._instruction(symbol, names)
        if of is None:
            self._readouts()
        self.scene.legends = self.gates.legends
        self.scene.folded = sum(len(m) - 1 for m in self.members.values())
        self.scene.matrices = [*program.matrix, *program.input_matrix]
        self._groups()

    def _order(self) -> list[str]:
        p = self.p
        given = [*p.group_of, *p.embedding, *p.constant]
        return [n for n in (*given, *(i.name for i in p.instructions)) if n in self.kept]

    def _variable(self, symbol: str, names: list[str]) -> None:
        p = self.p
        kinds: dict[str, Kind] = {"G-var": "G", "X-var": "X"}
        kind = kinds.get(p.kind_of(names[0]), "scalar")
        outputs = [o.name for o in p.outputs if o.scalar in names]
        # Names that the lowering made are not the reader's; the symbol says enough.
        quiet = all(self._is_made(n) for n in names) and not outputs
        twin = twins(p).get(names[0], "")
        self.scene.nodes[symbol] = Node(
            symbol,
            kind,
            () if quiet else pieces(symbol.strip()),
            self._tip(names),
            self.part.get(names[0], "forward"),
            len(names),
            ", ".join(outputs[:3]) + ("…" if len(outputs) > 3 else ""),
            quiet,
            self.symbol.get(twin, ""),
            split(names[0])[0],
            min(self.at.get(n, -9.0) for n in names),
        )

    def _is_made(self, name: str) -> bool:
        base = split(name)[0]
        stem, under, number = base.rpartition("_")
        i = self.p.by_name.get(name) or self.p.embedding.get(name)
        if not under or not number.isdigit() or i is None:
            return False
        return i.span is None or base not in i.span.source.text

    def _tip(self, names: list[str]) -> str:
        p, name = self.p, names[0]
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        if name in p.by_name:
            return f"{p.kind_of(name)}, {_instruction_text(p.by_name[name])}{more}"
        if name in p.embedding:
            e = p.embedding[name]
            return f"G-var in 𝒱: {name} := {e.matrix} {e.source}{more}"
        if name in p.constant:
            c = p.constant[name]
            return f"scalar in 𝒞: {name} = {to_text(c.value)} → {c.limit:.6g}{more}"
        g, k = p.group_of[name]
        return f"G-var in 𝒱: {name} ~ N({g.mean[k]:g}, {g.covariance[k][k]:g}){more}"

    def _instruction(self, symbol: str, names: list[str]) -> None:
        p, node = self.p, self.scene.nodes[symbol]
        made = [p.by_name[n] for n in names if n in p.by_name]
        for name in names:
            if name in p.embedding:
                e = p.embedding[name]
                self._edge(self._datum(str(e.source), node), symbol, e.matrix, False)
        for i in made:
            if isinstance(i, MatMul):
                self._edge(self.symbol[i.vector], symbol, i.matrix, i.transposed)
        wide = [i for i in made if isinstance(i, (Nonlin, Moment))]
        if not wide:
            return
        # The members of a family may differ at its ends; the one with the most arguments stands for them.
        most = max(wide, key=lambda i: len(i.vectors))
        if isinstance(most, Moment) and not most.vectors and isinstance(most.psi, Sym):
            # A scalar under another name needs no function.
            for i in wide:
                self._edge(self.symbol[i.scalars[0]], symbol, "", False, True)
            return
        bar = isinstance(most, Moment) and bool(most.vectors)
        gate = f"gate {symbol}"
        alike = len({shape(i) for i in wide}) == 1
        # Names that the picture does not show explain nothing.
        own = self.shapes[shape(most)] == 1 and not any(self._is_made(x) for x in (*most.vectors, *most.scalars))
        label = self.gates.text(most, own, alike)
        kind: Kind = "bar" if bar else "gate"
        self.scene.nodes[gate] = Node(
            gate, kind, label, node.tip, node.part, len(names), group=node.group, first=node.first - 0.5
        )
        for i in wide:
            for x in (*i.vectors, *i.scalars):
                self._edge(self.symbol[x], gate, "", False, x in i.scalars)
        self._edge(gate, symbol, "", False, node.kind == "scalar")

    def _datum(self, source: str, node: Node) -> str:
        base, indices = split(source)
        key = f"data {source}"
        if node.count > 1:
            rows = [str(self.p.embedding[n].source) for n in self.members[node.key]]
            key = f"data {family_name(list(dict.fromkeys(rows)))}"
        name = key.removeprefix("data ")
        if key not in self.scene.nodes:
            what = (
                "input"
                if isinstance(self.p.embedding[self.members[node.key][0]].source, InputRef)
                else "row of the data"
            )
            self.scene.nodes[key] = Node(key, "data", pieces(name), f"{what} {name}", node.part, group=base)
        return key

    def _edge(self, source: str, target: str, matrix: str, transposed: bool, scalar: bool = False) -> None:
        family = matrix
        old = next(
            (e for e in self.scene.edges if e.source == source and e.target == target and e.transposed == transposed),
            None,
        )
        if old is not None and (not matrix or not old.matrix):
            return
        if old is not None:
            if matrix not in old.tip.split(", "):
                old.tip += f", {matrix}"
                old.label = matrix_pieces(family_name(old.tip.split(", ")), transposed)
            return
        label = matrix_pieces(matrix, transposed) if matrix else ()
        self.scene.edges.append(Edge(source, target, family, transposed, label, matrix, scalar))

    def _readouts(self) -> None:
        for r in self.p.readouts:
            gate, key = f"gate {r.name}", f"readout {r.name}"
            text = " + ".join(
                ("" if c == 1 else number_text(c) + " ") + f"{subscripted(v)}ᵀ{subscripted(x)}" for c, v, x in r.terms
            )
            tip = f"output {r.name} := ({text}) / √n"
            label = (Piece("√n ⊙"),) if len(r.terms) == 1 and r.terms[0][0] == 1 else (Piece("√n Σ ⊙"),)
            self.scene.nodes[gate] = Node(gate, "bar", label, tip)
            self.scene.nodes[key] = Node(key, "scalar", pieces(r.name), tip, output=r.name)
            for _, v, x in r.terms:
                self._edge(self.symbol[v], gate, "", False)
                self._edge(self.symbol[x], gate, "", False)
            self._edge(gate, key, "", False, True)

    def _groups(self) -> None:
        for g in self.p.groups:
            shown = [n for n in g.names if n in self.kept]
            joint = any(g.covariance[i][j] for i in range(len(g.names)) for j in range(i))
            if len(shown) > 1 and joint:
                names = shown if len(shown) <= 6 else [*shown[:3], "…", shown[-1]]
                told: list[Piece] = []
                for n in names:
                    told += [*([Piece(", ")] if told else []), *((Piece(n),) if n == "…" else pieces(n))]
                self.scene.notes.append((*told, Piece(" jointly Gaussian")))


def _instruction_text(i: MatMul | Nonlin | Moment) -> str:
    if isinstance(i, MatMul):
        return f"MATMUL: {i.name} := {i.matrix}{'ᵀ' if i.transposed else ''} {i.vector}"
    if isinstance(i, Nonlin):
        return f"NONLIN: {i.name} := {to_text(i.psi)}"
    return f"MOMENT: {i.name} := {moment_text(i.psi, i.vectors)}"


def _all_used(p: Program) -> set[str]:
    names = {i.name for i in p.instructions} | set(p.group_of) | set(p.embedding) | set(p.constant)
    used = {x for i in p.instructions for x in ((i.vector,) if isinstance(i, MatMul) else (*i.vectors, *i.scalars))}
    ends = {o.scalar for o in p.outputs} | {x for r in p.readouts for _, v, h in r.terms for x in (v, h)}
    # A constant that nothing uses is not drawn; an unused instruction is, because someone wrote it.
    return {n for n in names if n in p.by_name or n in used or n in ends or n in p.embedding}
