"""A report in a real browser (chromium, headless): it loads, nothing overflows a phone, and it prints."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netsor.api import load
from netsor.report import collect, page

PROGRAMS = Path(__file__).parents[2] / "programs"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="chromium is not installed")]

# Told by the page itself: a script of the test, not of the report.
PROBE = """<script>
addEventListener('load', () => {
  const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
    && !e.closest('.scroll, pre, .tablebox, .step'));
  const empty = [...document.querySelectorAll('math, svg')].filter(e => e.getBoundingClientRect().width < 4);
  document.title = JSON.stringify({wide: wide.length, empty: empty.length, width: document.documentElement.scrollWidth,
    window: innerWidth});
});
</script>"""


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report") / "a.html"
    material = collect(load(PROGRAMS / "algorithm1.netsor").report, 64, 3, ["h"], "netsor report")
    target.write_text(page(material).replace("</body>", PROBE + "</body>"), encoding="utf-8")
    return target


def browse(tmp_path: Path, *options: str) -> str:
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars --disable-sync"
    flags += f" --disable-background-networking --disable-component-update --user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run([str(BROWSER), *flags.split(), *options], capture_output=True, text=True, timeout=120)
    return done.stdout


@pytest.mark.parametrize("width", [1200, 500])
def test_nothing_overflows(report_file: Path, tmp_path: Path, width: int) -> None:
    out = browse(tmp_path, f"--window-size={width},900", "--dump-dom", report_file.as_uri())
    title = out[out.index("<title>") + 7 : out.index("</title>")]
    assert '"wide":0' in title and '"empty":0' in title, title
    assert f'"width":{width}' in title, title


def test_it_prints(report_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.pdf"
    browse(tmp_path, f"--print-to-pdf={target}", "--no-pdf-header-footer", report_file.as_uri())
    assert target.read_bytes().startswith(b"%PDF")


def test_a_screenshot_is_not_blank(report_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    browse(tmp_path, f"--screenshot={target}", "--window-size=500,1800", report_file.as_uri())
    assert target.stat().st_size > 40_000, sys.platform
