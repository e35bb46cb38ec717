"""What docs/extending.md says of scorers is tried: its code in a copy of the tree, in records, tables and exports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
CODE = next(re.finditer(r"```python\n(# evaluation/scorers/(\w+)\.py\n.*?)```", DOCUMENT, re.DOTALL))
LINE = next(re.finditer(r"```\n(\"evaluation\.scorers\.\w+:SCORER\",)\n```", DOCUMENT)).group(1)
LAST = '    "evaluation.scorers.semantic:SCORER",\n'
TITLE = "At most 40 words"

QUESTIONS = f"question,key_facts\nSay yes,yes\nSay {'yes ' * 50},yes\n"

_PROGRAM = """
import json
from pathlib import Path
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner
from backends.settings import load_settings
from terminal.commands import app
from evaluation.attribution import answers_csv, read_attribution, stored_attributions

def said(*arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout

def page(section):
    code = f"from ui.fine_tuned.{section} import draw; from ui.resources import settings; draw(settings())"
    at = AppTest.from_string(code, default_timeout=120).run()
    assert not at.exception, at.exception
    if section == "proof":
        at.button_group(key="flips").set_value("All (2)").run()
        assert not at.exception, at.exception
    return [{name: list(map(str, table.value[name])) for name in table.value} for table in at.dataframe]

asked = ("prove", "brambleworth", "--questions", "asked.csv")
found = {
    "proof": json.loads(said(*asked, "--json")),
    "sentences": said(*asked),
    "attribution": json.loads(said("attribute", "asked.csv", "--json")),
    "proof_tables": page("proof"),
    "attribution_tables": page("attribution"),
}
(file,) = stored_attributions(load_settings().data)
found["csv"] = answers_csv(read_attribution(file).rows).decode("utf-8-sig")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the tree shows once the document's file and line are in it; answers come from the script."""
    tree = tmp_path_factory.mktemp("extended") / "tree"
    left_out = shutil.ignore_patterns(".git", ".venv", "data", "tests", "docs", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, tree, ignore=left_out)
    (tree / "evaluation" / "scorers" / f"{CODE.group(2)}.py").write_text(CODE.group(1), encoding="utf-8")
    registry = tree / "evaluation" / "scorers" / "__init__.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count(LAST) == 1
    registry.write_text(text.replace(LAST, f"{LAST}    {LINE}\n"))
    (tree / "asked.csv").write_text(QUESTIONS)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CROSSROADS_"))}
    own = {"PYTHONPATH": str(tree), "CROSSROADS_DATA": str(tree.parent / "data"), "CROSSROADS_SCRIPTED": "true"}
    command = [sys.executable, "-c", _PROGRAM]
    finished = subprocess.run(command, cwd=tree, env=inherited | own, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr[-3000:]
    made: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return made


def test_it_is_in_the_records(found: dict[str, Any]) -> None:
    half = {"value": 0.5, "scored": 2, "not_applicable": 0, "failed": 0}
    for arm in (found["proof"]["base"], found["proof"]["tuned"], *found["attribution"]["arms"].values()):
        assert arm["scores"]["brief"].items() >= half.items()
        assert arm["scores"]["semantic"].items() >= {"value": None, "scored": 0, "not_applicable": 2}.items()
    short, long = found["proof"]["questions"]
    assert short["base"]["scores"]["brief"] == {"value": True, "status": "scored", "reason": None}
    assert long["adapter"]["scores"]["brief"]["value"] is False


def test_it_is_in_the_sentences(found: dict[str, Any]) -> None:
    half = "50 % (1 of 2; 95 % interval 9\u201391)"
    assert f"{TITLE}: Base {half}; Adapter {half}." in found["sentences"]


def test_it_is_in_the_tables_of_both_sections(found: dict[str, Any]) -> None:
    scores, flips, *_ = found["proof_tables"]
    assert scores["Score"] == [TITLE]
    assert scores["Adapter"] == ["50 % (1 of 2; 95 % interval 9\u201391)"]
    arms = found["attribution_tables"][0]
    assert arms[TITLE] == ["50 % (1 of 2; 95 % interval 9\u201391)"] * 4
    assert flips[f"{TITLE}, base"] == ["yes", "no"]


def test_it_is_in_the_export(found: dict[str, Any]) -> None:
    columns, first, *_ = found["csv"].splitlines()
    place = columns.split(",").index("base_brief")
    assert columns.split(",")[place - 2 : place + 2] == ["base_right", "base_semantic", "base_brief", "base_latency_s"]
    assert first.split(",")[place] == "1"
