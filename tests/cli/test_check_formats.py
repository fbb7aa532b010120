"""`netsor check --format github|sarif`: what other programs read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from netsor.cli.formats import github, sarif
from netsor.cli.main import main
from netsor.diagnostics import Diagnostic, Edit, Label, Source, Span

SOURCE = Source("a,b: 50%.netsor", "vector x ~ N(0, 1)\ny = x\nz := (x\n  + x\n")
FAULT = Diagnostic(
    "E108", "100%: a line,\nbroken", Span(SOURCE, 21, 22), label="`:=` expected", notes=("a note",), hint="write `:=`",
    labels=(Label(Span(SOURCE, 0, 6), "here"),), edits=(Edit(Span(SOURCE, 21, 22), ":=", safe=True),),
)  # fmt: skip


def unescaped(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def test_github_escapes_what_would_end_a_line_or_a_property() -> None:
    line = github(FAULT)
    found = re.fullmatch(r"::error ([^\n]*?)::([^\n]*)", line)
    assert found is not None
    properties = dict(item.split("=", 1) for item in found[1].split(","))
    assert {k: unescaped(v) for k, v in properties.items()} == {
        "file": SOURCE.name, "line": "2", "endLine": "2", "col": "3", "endColumn": "4",
        "title": "E108: 100%: a line,\nbroken",
    }  # fmt: skip
    assert unescaped(found[2]) == "`:=` expected\na note\nhelp: write `:=`"


def test_github_without_a_place_and_over_several_lines() -> None:
    assert github(Diagnostic("E001", "gone")).startswith("::error title=E001%3A gone::gone")
    several = github(Diagnostic("W901", "maybe", Span(SOURCE, 25, 36), "warning"))
    assert several.startswith("::warning ") and "line=3,endLine=4" in several and "col=" not in several
    assert github(Diagnostic("W901", "so", severity="note")).startswith("::notice ")


def verify_sarif(log: dict[str, Any]) -> None:
    """What the schema of SARIF 2.1.0 requires of the parts that are used, and its rules between them."""
    assert log["version"] == "2.1.0" and log["$schema"].startswith("https://") and len(log["runs"]) == 1
    (run,) = log["runs"]
    assert set(run) == {"tool", "columnKind", "results"} and run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert driver["name"] == "netsor" and re.fullmatch(r"\d+\.\d+\.\d+", driver["version"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for result in run["results"]:
        assert set(result) <= {"ruleId", "ruleIndex", "level", "message", "locations", "relatedLocations", "fixes"}
        assert ids[result["ruleIndex"]] == result["ruleId"] and result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        for location in [*result.get("locations", []), *result.get("relatedLocations", [])]:
            place = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9%/._~:+-]+", place["artifactLocation"]["uri"])
            verify_region(place["region"])
        for fix in result.get("fixes", []):
            assert fix["description"]["text"]
            for change in fix["artifactChanges"]:
                assert change["artifactLocation"]["uri"] and change["replacements"]
                for replacement in change["replacements"]:
                    verify_region(replacement["deletedRegion"])
                    assert isinstance(replacement["insertedContent"]["text"], str)


def verify_region(region: dict[str, int]) -> None:
    assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
    assert all(isinstance(v, int) and v >= 1 for v in region.values())
    assert (region["startLine"], region["startColumn"]) <= (region["endLine"], region["endColumn"])


def test_sarif() -> None:
    log = json.loads(json.dumps(sarif([FAULT, Diagnostic("E001", "gone"), FAULT])))
    verify_sarif(log)
    result = log["runs"][0]["results"][0]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 4},
            "insertedContent": {"text": ":="},
        }
    ]
    assert log["runs"][0]["tool"]["driver"]["rules"][1]["shortDescription"]["text"]


def test_the_command_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.netsor", tmp_path / "so schön.netsor"
    good.write_text("vector x ~ N(0, 1)\noutput m := mean(x)\n", encoding="utf-8")
    bad.write_text(SOURCE.text, encoding="utf-8")
    files = [str(good), str(bad), str(tmp_path / "none.netsor")]
    assert main(["check", *files, "--format", "sarif"]) == 2
    log = json.loads(capsys.readouterr().out)
    verify_sarif(log)
    assert {r["ruleId"] for r in log["runs"][0]["results"]} == {"E001", "E105", "E108"}
    assert main(["check", *files, "--format", "github"]) == 2
    assert all(line.startswith("::error ") for line in capsys.readouterr().out.splitlines())
    assert main(["check", *files[:1], "--format", "github"]) == 0
    assert capsys.readouterr().out == ""


def test_json_is_a_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.netsor"
    path.write_text(SOURCE.text, encoding="utf-8")
    main(["check", str(path), "--json"])
    first = capsys.readouterr().out
    main(["check", str(path), "--format", "json"])
    assert capsys.readouterr().out == first


def test_diff_goes_with_text_and_json_alone(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "x.netsor", "--diff", "--format", "sarif"])
    assert caught.value.code == 2
