"""Pictures that can be read: nothing overlaps, nothing is cut, passes and layers are aligned."""

import re
from itertools import combinations
from pathlib import Path

import pytest

from netsor.api import load, loads
from netsor.show.drawing.build import build_scene
from netsor.show.drawing.layout import Box, Layout, infer_layout

PROGRAMS = Path(__file__).parents[2] / "programs"
SOME = [
    "algorithm1", "layernorm", "attention", "convolution", "mlp_backprop", "rnn", "sgd_two_hidden",
    "figures/figure4_attention", "figures/figure4_layernorm", "figures/figure5_convolution",
    "figures/figure6_backpropagation", "networks/layernorm",
]  # fmt: skip
ALL = sorted(str(p.relative_to(PROGRAMS).with_suffix("")) for p in PROGRAMS.rglob("*.netsor"))


def layout(name: str, folding: str = "auto") -> Layout:
    return infer_layout(build_scene(load(PROGRAMS / f"{name}.netsor").program, folding=folding))  # type: ignore[arg-type]


def overlap(a: Box, b: Box) -> bool:
    return abs(a.x - b.x) < (a.w + b.w) / 2 and abs(a.y - b.y) < (a.h + b.h) / 2


def points(path: str) -> list[tuple[float, float]]:
    """Points along a path of lines and cubics."""
    out: list[tuple[float, float]] = []
    for letter, rest in re.findall(r"([MLC])([^MLC]*)", path):
        numbers = [float(x) for x in rest.split()]
        pairs = list(zip(numbers[::2], numbers[1::2]))
        if letter != "C":
            start = out[-1] if out else pairs[0]
            steps = [k / 8 for k in range(1, 9)]
            out += [(start[0] + t * (pairs[0][0] - start[0]), start[1] + t * (pairs[0][1] - start[1])) for t in steps]
            continue
        p = [out[-1], *pairs]
        for t in (k / 16 for k in range(1, 17)):
            w = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            out.append((sum(a * q[0] for a, q in zip(w, p)), sum(a * q[1] for a, q in zip(w, p))))
    return out


def verify_readable(found: Layout) -> None:
    boxes = dict(found.boxes)
    boxes |= {f"label {i}": r.label for i, r in enumerate(found.routes) if r.label is not None}
    for (a, x), (b, y) in combinations(boxes.items(), 2):
        assert not overlap(x, y), (a, b)
    for b in boxes.values():
        assert b.x - b.w / 2 >= -1 and b.x + b.w / 2 <= found.width + 1
        assert b.y - b.h / 2 >= -1 and b.y + b.h / 2 <= found.height + 1
    for r in found.routes:
        own = {r.edge.source, r.edge.target}
        for x, y in points(r.path):
            for key, b in found.boxes.items():
                inside = abs(x - b.x) < b.w / 2 - 1 and abs(y - b.y) < b.h / 2 - 1
                assert key in own or not inside, (r.edge.source, r.edge.target, key)


@pytest.mark.parametrize("name", SOME)
def test_nothing_overlaps_and_no_line_runs_through_a_symbol(name: str) -> None:
    verify_readable(layout(name))


ARCHITECTURES = dict(
    re.findall(
        r"^```netsor (\w+)\.netsor\n(.*?)^```$",
        (PROGRAMS.parent / "docs" / "architectures.md").read_text(encoding="utf-8"), flags=re.M | re.S,
    )
)  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_usual_architectures_are_readable_and_no_wider_than_two_pages(name: str) -> None:
    found = infer_layout(build_scene(loads(ARCHITECTURES[name]).program))
    verify_readable(found)
    assert found.width < 2600


@pytest.mark.slow
@pytest.mark.parametrize("folding", ["auto", "lanes", "all"])
@pytest.mark.parametrize("name", ALL)
def test_every_program_of_the_gallery_is_readable(name: str, folding: str) -> None:
    verify_readable(layout(name, folding))


def test_forward_runs_right_and_backward_runs_left_below_it() -> None:
    found = layout("mlp_backprop")
    for e in found.scene.edges:
        a, b = found.scene.ends(e)
        if a.part == b.part:
            step = found.boxes[b.key].x - found.boxes[a.key].x
            assert step < 0 if a.part == "backward" else step > 0, (a.key, b.key)
    lowest = max(b.y for k, b in found.boxes.items() if found.scene.nodes[k].part == "forward")
    assert all(b.y > lowest for k, b in found.boxes.items() if found.scene.nodes[k].part != "forward")


def test_error_signals_stand_below_their_vectors() -> None:
    found = layout("mlp_backprop")
    pairs = [(k, n.twin) for k, n in found.scene.nodes.items() if n.twin]
    assert len(pairs) == 10
    for d, x in pairs:
        assert found.boxes[d].x == found.boxes[x].x


def test_members_of_a_layer_are_in_one_column() -> None:
    found = layout("mlp_backprop")
    for layer in (1, 2, 3):
        assert found.boxes[f"h[{layer},1]"].x == found.boxes[f"h[{layer},2]"].x
    found = layout("attention")
    assert len({found.boxes[f"key[{t}]"].x for t in (1, 2, 3)}) == 1


def test_layouts_are_the_same_every_time() -> None:
    assert layout("convolution").boxes == layout("convolution").boxes
