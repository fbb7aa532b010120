"""The page that `netsor report` writes: well-formed, self-contained, complete."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from netsor.api import load, loads
from netsor.cli.main import main
from netsor.report import collect, fragment, page
from netsor.report.formulas import derivation_rows

PROGRAMS = Path(__file__).parents[2] / "programs"
ALGORITHM1 = str(PROGRAMS / "algorithm1.netsor")
_VOID = {"meta", "br", "img", "link", "hr", "input"}


class Tree(HTMLParser):
    """Checks that tags close in order, and gathers what a reader and a browser need."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open[-4:])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Tree:
    tree = Tree()
    tree.feed(html)
    tree.close()
    assert tree.open == []
    return tree


@pytest.fixture(scope="module")
def html() -> str:
    return page(collect(load(ALGORITHM1).report, 128, 4, ["h", "δx̃"], "netsor report algorithm1.netsor"))


def test_the_page_is_well_formed(html: str) -> None:
    read(html)


def test_the_page_needs_no_network_and_no_script(html: str) -> None:
    tree = read(html)
    assert not {"script", "link", "iframe", "img", "object"} & {t for t, _ in tree.tags}
    assert not [a for _, a in tree.tags for k in ("src", "href", "data") if (v := a.get(k)) and not v.startswith("#")]
    assert "@import" not in html and "url(" not in html
    # Names of standards, not addresses.
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
    }


def test_every_part_is_there_and_can_be_reached(html: str) -> None:
    tree = read(html)
    ids = {a["id"] for _, a in tree.tags if "id" in a}
    targets = [a["href"] for t, a in tree.tags if t == "a"]
    assert targets == ["#drawing", "#listing", "#checks", "#limits", "#convergence", "#laws", "#derivation", "#origin"]
    assert {str(t)[1:] for t in targets} <= ids
    for word in ("NETSOR⊤⁺", "pseudo-Lipschitz", "0.1025672698", "width 128, 4 draws", "ZMOMENT, Eq. 63", "Python 3"):
        assert word in tree.text
    assert "netsor report algorithm1.netsor" in tree.text


def test_pictures_have_words_for_those_who_cannot_see_them(html: str) -> None:
    pictures = [a for t, a in read(html).tags if t == "svg"]
    assert len(pictures) == 7
    assert all(a.get("role") == "img" and a.get("aria-label") for a in pictures)


def test_headings_go_down_one_step_at_a_time(html: str) -> None:
    levels = [int(t[1]) for t, _ in read(html).tags if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:]))


def test_names_of_the_listing_tell_their_kind(html: str) -> None:
    tips = [a["title"] for t, a in read(html).tags if t == "span" and "title" in a]
    assert "h: G-var by MATMUL, line 23" in [re.sub(r"line \d+", "line 23", str(t)) for t in tips]
    assert any(str(t).startswith("W: matrix") for t in tips)


def test_the_same_page_every_time() -> None:
    document = load(ALGORITHM1)
    one, two = (page(collect(document.report, 64, 2)) for _ in range(2))
    assert one == two


def test_files_that_are_included_are_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "gain.netsor").write_text("# twice <that>\nparam gain = 2\n", encoding="utf-8")
    (tmp_path / "blocks.netsor").write_text('include "gain.netsor"\nf(u) = gain * u\n', encoding="utf-8")
    main_file = tmp_path / "p.netsor"
    text = 'include "blocks.netsor"\ninclude "gain.netsor"\ninclude std\nvector x ~ N(0, 1)\noutput mean(f(mish(x)))\n'
    main_file.write_text(text, encoding="utf-8")
    report = load(main_file).report
    assert [Path(s.name).name for s in report.included] == ["gain.netsor", "blocks.netsor", "std.netsor"]
    found = page(collect(report, None))
    tree = read(found)
    for part in (text, "# twice <that>", "# --- layers ---"):
        assert tree.text.count(part) == 1
    assert "The standard library (std.netsor)" in tree.text and "includes (gain.netsor)" in tree.text


def test_a_network_has_a_page_without_limits() -> None:
    html = page(collect(load(PROGRAMS / "networks" / "mlp_erf.netsor").report))
    tree = read(html)
    assert "NTKTRAIN" in tree.text
    assert "limits" not in {a.get("id") for _, a in tree.tags}


def test_a_limit_that_does_not_exist_is_said() -> None:
    text = "vector v ~ N(0, 1)\ny := exp(v^2)\noutput m := mean(y)\noutput k := mean(v^2)\n"
    tree = read(page(collect(loads(text).report, None)))
    assert "does not exist" in tree.text
    assert any(a.get("class") == "diagnostics" for _, a in tree.tags)


def test_names_are_escaped() -> None:
    text = '# a < b & "c" <script>alert(1)</script>\nvector v ~ N(0, 1)\noutput m := mean(if v < 0 then 1 else v)\n'
    tree = read(page(collect(loads(text).report, None)))
    assert "script" not in {t for t, _ in tree.tags}


def test_without_runs_there_is_no_convergence() -> None:
    ids = {a.get("id") for _, a in read(page(collect(load(ALGORITHM1).report, None))).tags}
    assert "convergence" not in ids and "limits" in ids


def test_a_fragment_leaves_the_page_around_it_alone() -> None:
    html = fragment(collect(load(ALGORITHM1).report, None))
    read(html)
    style = html[html.index("<style>") + 7 : html.index("</style>")]
    selectors = re.findall(r"^([^@{}\n]+)\{", style, re.MULTILINE)
    assert all(s.strip().startswith((".ns", "body.ns", "/*")) for part in selectors for s in part.split(","))


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["-o", "a.pdf"], "E030", ".html"),
        (["-o", "no/such/a.html"], "E031", "no folder"),
        (["-o", "a.html", "--vectors", "hh"], "E033", "did you mean `h`?"),
        (["-o", "a.html", "--vectors", "θ"], "E033", "not a vector"),
    ],
)
def test_wrong_usage_writes_nothing(
    options: list[str],
    code: str,
    part: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", ALGORITHM1, "--width", "0", *options]) == 2
    said = capsys.readouterr()
    assert said.out == "" and f"error[{code}]" in said.err and part in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_program_with_errors_gets_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "wrong.netsor", tmp_path / "a.html"
    source.write_text("y := W x\n", encoding="utf-8")
    assert main(["report", str(source), "-o", str(target)]) == 1
    assert "E201" in capsys.readouterr().err and not target.exists()


def test_the_command_on_the_page_makes_the_page_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--width", "32", "--seeds", "2", "--vectors", "h", "-o", "a.html"]
    assert main(["report", ALGORITHM1, *options]) == 0
    first = Path("a.html").read_text(encoding="utf-8")
    command = re.search(r'<section id="origin".*?<pre class="wrap">(.*?)</pre>', first, re.DOTALL)
    assert command is not None
    import shlex

    assert main(shlex.split(command[1])[1:]) == 0
    assert Path("a.html").read_text(encoding="utf-8") == first


def test_no_row_of_a_formula_is_wider_than_paper() -> None:
    # What a page of paper cuts off cannot be scrolled to.
    document = load(PROGRAMS / "batchnorm.netsor")
    rows = derivation_rows(document.derive())
    assert re.search(r"a formula of [\d,]+ characters; <code>netsor derive --full</code> shows it", rows)
    assert max(len(re.sub(r"<[^>]*>|\s", "", r)) for r in re.findall(r"<math.*?</math>", rows, re.DOTALL)) < 190
