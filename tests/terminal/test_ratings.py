"""`crossroads ratings`: sessions are listed, and exported once they are over."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.ratings import sessions
from evaluation.ratings.model import Item, Plan
from terminal.commands import app


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_sessions_are_listed_and_exported() -> None:
    assert "no rating sessions yet" in run("ratings").output
    with closing(Store(load_settings({}))) as store:
        made = sessions.begin_session(store, "Lamps", Plan(), [Item(0, "Why?", {"raw": "a", "rag": "b"})])
        id = made.session.id
        listed = json.loads(run("ratings", "list", "--json").stdout)["sessions"]
        assert listed == [{"session": id, "name": "Lamps", "state": "open", "round": 1, "raters": 0, "ratings": 0}]
        refused = run("ratings", "export", id, "all.zip")
        assert refused.exit_code == 1
        assert "not over" in refused.output
        assert not Path("all.zip").exists()
        sessions.set_state(store, id, "closed")
    assert f"{id}  closed       0 ratings by 0: Lamps" in run("ratings").output
    assert run("ratings", "export", id, "all.zip").exit_code == 0
    assert "recompute.py" in zipfile.ZipFile("all.zip").namelist()
    missing = run("ratings", "export", "nothing", "all.zip")
    assert missing.exit_code == 1
    assert "There is no such rating session." in missing.output
