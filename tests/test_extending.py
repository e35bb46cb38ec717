"""What docs/extending.md says is tried: its code in a copy of the tree, on a page of its own and on Compare."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


def file_in_document(name: str) -> str:
    return next(re.finditer(rf"```python\n(# {re.escape(name)}\n.*?)```", DOCUMENT, re.DOTALL)).group(1)


def line_in_document(ends: str) -> str:
    return next(re.finditer(rf"```\n(.*{re.escape(ends)}.*,)\n```", DOCUMENT)).group(1)


CODE, LINE = file_in_document("backends/shout.py"), line_in_document("backends.shout:SPEC")
SECTION = "ui/rag/longest.py"

_PAGES = """
import json, re
from streamlit.testing.v1 import AppTest

def opened(run, page):
    at = run.run()
    assert not at.exception, at.exception
    at.text_area(key=f"question:{page}").input("say it")
    at.button(key=f"ask:{page}").click().run()
    assert not at.exception, at.exception
    columns = [node for node in at.main if str(getattr(node, "key", "")).startswith("answer-")]
    said = [re.sub(r"\\\\(.)", r"\\1", one.value) for column in columns for one in column.markdown]
    return {
        "texts": said,
        "titles": [title.value for title in at.title],
        "markdown": [one.value for one in at.markdown],
        "fields": [field.label for field in at.number_input],
        "code": [code.value for code in at.code],
    }

OWN = "from ui.shell import draw_page\\ndraw_page('shout')"
own_page = opened(AppTest.from_string(OWN, default_timeout=120), "shout")
compare = opened(AppTest.from_file("pages/compare.py", default_timeout=120), "compare")
entry = AppTest.from_file("streamlit_app.py", default_timeout=120).run()
assert not entry.exception, entry.exception
print(json.dumps({"own": own_page, "compare": compare}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree without what is large or private."""
    copy = tmp_path / "tree"
    left_out = shutil.ignore_patterns(".git", ".venv", "data", "tests", "docs", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


def run(tree: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CROSSROADS_"))}
    environment = inherited | {"PYTHONPATH": str(tree), "CROSSROADS_DATA": str(tree.parent / "data")} | more
    return subprocess.run(
        [sys.executable, *command], cwd=tree, env=environment, capture_output=True, text=True, timeout=300
    )


def added(tree: Path) -> None:
    """What the document asks for: one file and one line."""
    (tree / "backends" / "shout.py").write_text(CODE, encoding="utf-8")
    registry = tree / "backends" / "registry.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count('    "backends.rag:SPEC",\n') == 1
    registry.write_text(text.replace('    "backends.rag:SPEC",\n', f'    "backends.rag:SPEC",\n    {LINE}\n'))


def test_one_file_and_one_line_make_an_approach_with_a_page_and_a_column(tree: Path) -> None:
    added(tree)
    only = {"CROSSROADS_RAW__MODEL": str(tree.parent / "none"), "CROSSROADS_SHOUT__MARKS": "2"}
    finished = run(tree, "-c", _PAGES, **only)
    assert finished.returncode == 0, finished.stderr[-3000:]
    seen = json.loads(finished.stdout.splitlines()[-1])
    assert seen["own"]["titles"] == ["Shout"]
    assert "Exclamation marks" in seen["own"]["fields"]
    assert any(text.strip() == "SAY IT !!" for text in seen["own"]["texts"])
    assert "say it" in seen["own"]["code"]  # what happened inside
    assert any("Choose it** for trying how an approach is added." in text for text in seen["own"]["markdown"])
    assert any(text.strip() == "SAY IT !!" for text in seen["compare"]["texts"])


def test_it_is_asked_and_set_on_the_terminal(tree: Path) -> None:
    added(tree)
    command = ("-m", "crossroads", "ask", "say it", "--approach", "shout", "--set", "shout.marks=3", "--json")
    finished = run(tree, *command)
    assert finished.returncode == 0, finished.stderr[-3000:]
    (answer,) = json.loads(finished.stdout)["answers"]
    assert (answer["approach"], answer["text"], answer["status"]) == ("shout", "SAY IT !!!", "ok")
    assert answer["latency_s"] is not None
    refused = run(tree, "-m", "crossroads", "ask", "say it", "--set", "shout.volume=3")
    assert refused.returncode == 2
    assert "There is no setting called 'shout.volume'" in refused.stderr.replace("\n", " ").replace("│", "")


_LONGEST = """
from streamlit.testing.v1 import AppTest
at = AppTest.from_string("from ui.shell import draw_page\\ndraw_page('rag')", default_timeout=120)
at.query_params["section"] = "Longest"
at.run()
assert not at.exception, at.exception
print([one.value for one in at.info])
"""


def test_one_file_and_one_line_make_a_section(tree: Path) -> None:
    (tree / SECTION).write_text(file_in_document(SECTION), encoding="utf-8")
    page = tree / "ui" / "rag" / "page.py"
    before = page.read_text(encoding="utf-8")
    page.write_text(before.replace("SECTIONS = (\n", f"SECTIONS = (\n    {line_in_document('ui.rag.longest:draw')}\n"))
    finished = run(tree, "-c", _LONGEST, CROSSROADS_RAW__MODEL=str(tree.parent / "none"))
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert "There is nothing to show yet. Add documents in the section Documents." in finished.stdout


def test_what_the_document_adds_keeps_the_rules_of_the_tree(tree: Path) -> None:
    added(tree)
    files = ["backends/shout.py", "evaluation/scorers/brief.py", SECTION]
    for name in files:
        (tree / name).write_text(file_in_document(name), encoding="utf-8")
    for command in (["check"], ["format", "--check"]):
        finished = run(tree, "-m", "ruff", *command, *files)
        assert finished.returncode == 0, finished.stdout
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    finished = run(tree, "-c", program)
    assert finished.returncode == 0, finished.stdout


def packaged(tree: Path, code: str) -> Path:
    """A folder of site-packages with a package that brings an approach by its entry point."""
    site = tree.parent / "site"
    (site / "shouting").mkdir(parents=True)
    (site / "shouting" / "__init__.py").write_text(code)
    info = site / "shouting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crossroads.approaches]\nshout = shouting:SPEC\n")
    return site


def test_an_installed_package_adds_one_by_its_entry_point(tree: Path) -> None:
    site = packaged(tree, CODE)
    command = ("-m", "crossroads", "ask", "say it", "--approach", "shout", "--json")
    finished = run(tree, *command, PYTHONPATH=f"{tree}{os.pathsep}{site}")
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert json.loads(finished.stdout)["answers"][0]["text"] == "SAY IT !"


def test_a_package_that_fails_is_told_and_takes_nothing_away(tree: Path) -> None:
    site = packaged(tree, "raise RuntimeError('it is broken')\n")
    program = "from backends import registry; print([s.id for s in registry.specs()], registry.faults())"
    finished = run(tree, "-c", program, PYTHONPATH=f"{tree}{os.pathsep}{site}")
    assert finished.stdout.strip() == (
        "['raw', 'fine_tuned', 'paid_api', 'rag'] "
        "('The approach shout of an installed package could not be loaded: it is broken.',)"
    )
