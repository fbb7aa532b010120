"""What is drawn of a program: kinds, gates, passes, folding."""

from pathlib import Path

import pytest

from netsor.api import load, loads
from netsor.core import Program
from netsor.show.drawing.build import build_scene
from netsor.show.drawing.names import accents, pieces, plain
from netsor.show.drawing.scene import Scene

PROGRAMS = Path(__file__).parents[2] / "programs"


def program(name: str) -> Program:
    return load(PROGRAMS / f"{name}.netsor").program


def scene(text: str, folding: str = "none") -> Scene:
    return build_scene(loads(text).program, folding=folding)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def algorithm1() -> Scene:
    return build_scene(program("algorithm1"))


def test_kinds_follow_the_paper(algorithm1: Scene) -> None:
    kinds = {k: n.kind for k, n in algorithm1.nodes.items()}
    assert {k for k, v in kinds.items() if v == "G"} == {"v", "g", "g̃", "h", "h̃"}
    assert {k for k, v in kinds.items() if v == "X"} == {"z", "z̃", "dh", "δh̃", "δx̃"}
    assert {k for k, v in kinds.items() if v == "scalar"} == {"f", "χ", "θ", "Δf̃"}


def test_a_moment_of_vectors_has_the_bar_and_one_of_scalars_has_not(algorithm1: Scene) -> None:
    assert algorithm1.nodes["gate θ"].kind == "bar"
    assert algorithm1.nodes["gate χ"].kind == "gate"
    assert plain(algorithm1.nodes["gate θ"].label) == "⊙"
    assert plain(algorithm1.nodes["gate χ"].label) == "ℓ′"


def test_long_functions_are_explained_below(algorithm1: Scene) -> None:
    assert plain(algorithm1.nodes["gate δx̃"].label) == "ψ1"
    (legend,) = algorithm1.legends
    assert legend.text == "(h̃, δh̃) = √n (φ(h̃ + δh̃ / √n) − φ(h̃))"


def test_passes_are_told_by_error_signals(algorithm1: Scene) -> None:
    parts = {k: n.part for k, n in algorithm1.nodes.items() if not n.is_gate}
    assert parts["dh"] == "backward"
    assert {parts[k] for k in ("g", "z̃", "h̃", "θ")} == {"forward"}
    assert {parts[k] for k in ("δh̃", "δx̃", "Δf̃", "χ", "f")} == {"after"}
    assert algorithm1.nodes["dh"].twin == "h"


def test_transposes_are_marked_and_tied_weights_are_one() -> None:
    found = build_scene(program("mlp_backprop"))
    back = [e for e in found.edges if e.transposed]
    assert back and all(plain(e.label).endswith("⊤") for e in back)
    assert {e.matrix for e in back} <= {e.matrix for e in found.edges if e.matrix and not e.transposed}
    assert all(found.nodes[e.target].part == "backward" for e in back)


def test_a_program_without_error_signals_has_one_pass() -> None:
    assert {n.part for n in build_scene(program("marchenko_pastur")).nodes.values()} == {"forward"}


def test_chance_names_are_no_error_signals() -> None:
    found = scene("vector d2, x ~ N(0, 1)\ny := d2 + x\noutput m := mean(y)\n")
    assert {n.part for n in found.nodes.values()} == {"forward"}


def test_functions_of_one_form_share_a_sign() -> None:
    text = "vector x, y ~ N(0, 1)\nvector w ~ N(0, 2)\n"
    text += "a := x * tanh(x + w) - 2\nb := y * tanh(y + w) - 2\noutput m := mean(a * b)\n"
    found = scene(text)
    assert plain(found.nodes["gate a"].label) == plain(found.nodes["gate b"].label) == "ψ1"
    assert [entry.text for entry in found.legends] == ["(x, y) = x tanh(x + y) − 2"]


@pytest.mark.parametrize(
    ("expression", "sign"),
    [
        ("tanh(x)", "tanh"), ("x + y", "+"), ("x + y + w", "Σ"), ("x - y", "−"), ("relu(x + y)", "relu(Σ)"),
        ("x * y", "⊙"), ("(x + y) / 2", "Σ/2"), ("x^2", "(·)²"),
        ("x * y + y * w", "Σ ⊙"), ("c * x + d * y", "Σ θx"), ("x * y + c * x", "x y + c x"),
    ],
)  # fmt: skip
def test_short_functions_stand_in_the_gate(expression: str, sign: str) -> None:
    found = scene(f"vector x, y, w ~ N(0, 1)\nscalar c = 2\nscalar d = 3\nz := {expression}\noutput m := mean(z)\n")
    assert plain(found.nodes["gate z"].label) == sign


def test_a_network_ends_in_its_readout() -> None:
    found = build_scene(load(PROGRAMS / "networks" / "mlp_erf.netsor").program)
    assert found.nodes["readout f"].output == "f"
    assert {found.nodes[e.source].kind for e in found.edges if e.target == "gate f"} == {"G", "X"}
    assert any(n.kind == "data" for n in found.nodes.values())


def test_of_restricts_to_what_is_needed() -> None:
    found = build_scene(program("algorithm1"), ["h̃"])
    assert {k for k, n in found.nodes.items() if not n.is_gate} == {"g̃", "z̃", "h̃"}


def test_folding_names_ranges_and_counts_members() -> None:
    found = build_scene(program("rnn"), folding="all")
    node = found.nodes["h[1…3,1…2]"]
    assert node.count == 6 and node.kind == "X"
    assert found.nodes["s[0,1…2]"].kind == "G"
    assert found.folded > 0


def test_lanes_fold_inputs_and_keep_layers() -> None:
    names = set(build_scene(program("mlp_backprop"), folding="lanes").nodes)
    assert {"h[1,1…2]", "h[2,1…2]", "h[3,1…2]", "dh[1,1…2]"} <= names


def test_large_programs_fold_by_themselves_and_small_ones_do_not() -> None:
    assert build_scene(program("attention")).folded == 0
    text = "matrix W\nvector x[0, 1..40] ~ N(0, 1)\nfor a in 1..40:\n    for l in 1..6:\n"
    text += "        x[l, a] := tanh(W x[l-1, a])\n"
    text += "output m := mean(x[6, 1] * x[6, 2])\n"
    assert len(scene(text, "auto").nodes) < 40
    assert len(scene(text).nodes) > 400


DEEP = """matrix W
vector x[0], y[0] ~ N(0, 1)
for l in 1..{depth}:
    x[l] := tanh(W x[l-1])
output m := mean(x[{depth}]^2)
"""


def test_chains_that_are_wider_than_a_page_become_loops() -> None:
    """Layers that are listed are drawn one by one; fourteen vectors in a row without a name to share stay a row."""
    assert build_scene(loads(DEEP.format(depth=9)).program).folded == 0
    deep = build_scene(loads(DEEP.format(depth=10)).program)
    assert deep.nodes["x[1…10]"].count == 10 and len(deep.nodes) < 10
    row = "vector x0 ~ N(0, 1)\nmatrix W\n"
    row += "".join(f"y{c} := W x{k}\nx{k + 1} := tanh(y{c})\n" for k, c in enumerate("abcdefghijklmn"))
    assert build_scene(loads(row + "output m := mean(x14^2)\n").program).folded == 0


def test_names_are_mathematics() -> None:
    assert [(p.text, p.italic, p.shift) for p in pieces("h̃1[2,-1]")] == [("h̃", True, ""), ("1;2,−1", False, "sub")]
    assert accents("δh̃") == [("δh", "˜", True)]
    assert accents("ẑ") == [("z", "ˆ", False)]


PLAIN = """network plain(ξ : 2)
matrix U : (n, 2) ~ N(0, 1/2)
matrix W ~ N(0, 1/n)
vector v ~ N(0, 1)
h := W tanh(U ξ)
output f := vᵀ tanh(h) / √n
"""


def test_the_steps_of_sgd_fold_as_a_loop_does() -> None:
    trained = loads(PLAIN).sgd([[1.0, 0.5], [0.3, -1.0]], [0.5, -1.0], steps=5)
    found = build_scene(trained.program, folding="all")
    assert found.nodes["δh_t[1…5,1…2]"].count == 10
    assert len(found.nodes) < 60 < len(build_scene(trained.program, folding="lanes").nodes)
    # Two numbers of one line are no steps.
    few = scene("matrix W, V\nvector x ~ N(0, 1)\nδh := tanh(W x + V x)\noutput m := mean(δh)\n")
    assert len([n for n in few.nodes.values() if n.kind == "G"]) == 3
