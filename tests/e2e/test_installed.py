"""Installed from a wheel into an environment of its own, and run from another folder, it does what a checkout does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ROOT, wait_until_healthy

pytestmark = pytest.mark.slow

PACKAGE = "crossroads_app"
FOLDERS = (".streamlit", "backends", "evaluation", "pages", "sample_docs", "terminal", "ui")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
NOT_IN_A_CLEAN_CHECKOUT = (".*_cache", ".git", ".hypothesis", ".venv", "*.egg-info", "__pycache__", "build", "data")
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree: what a build leaves behind would lie in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*NOT_IN_A_CLEAN_CHECKOUT))
    command = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(tree)]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and of this one's packages those that are not the checkout."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    subprocess.run([*PIP, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    (_site_packages(environment) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return environment


def _site_packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def _variables() -> dict[str, str]:
    ours = ("CROSSROADS_", "OPENAI_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _run(environment: Path, folder: Path, *command: str) -> str:
    program = [str(environment / "bin" / command[0]), *command[1:]]
    done = subprocess.run(program, cwd=folder, env=_variables(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_the_product_is_made_of_and_nothing_else(wheel: Path) -> None:
    files = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    product = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    with ZipFile(wheel) as archive:
        names = [Path(name) for name in archive.namelist()]
    assert {name.parts[0].partition("-")[0] for name in names} == {PACKAGE, "crossroads"}
    held = {str(name.relative_to(PACKAGE)) for name in names if name.parts[0] == PACKAGE}
    assert held == product | {"crossroads.py", "streamlit_app.py"}


def test_one_folder_is_added_to_site_packages(installed: Path, tmp_path: Path) -> None:
    added = {path.name.partition("-")[0] for path in _site_packages(installed).iterdir()}
    assert added == {PACKAGE, "crossroads", "dependencies.pth"}
    code = "import importlib.util as u, sys; print([name for name in sys.argv[1:] if u.find_spec(name)])"
    assert _run(installed, tmp_path, "python", "-c", code, *FOLDERS[1:], "crossroads").strip() == "[]"


def test_its_commands_run_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert "stand-in" in _run(installed, tmp_path, "crossroads", "--help")
    answered = json.loads(_run(installed, tmp_path, "crossroads", "ask", "Door?", "--set", "scripted=true", "--json"))
    assert answered["answers"][0]["text"] == "raw heard: Door? "
    handbook = _site_packages(installed) / PACKAGE / "sample_docs" / "handbook"
    read = [str(handbook / name) for name in ("leave-policy.md", "returns-policy.pdf")]
    indexed = json.loads(_run(installed, tmp_path, "crossroads", "index", *read, "--json"))
    assert [(file["file"], file["state"]) for file in indexed["files"]] == [
        ("leave-policy.md", "indexed"),
        ("returns-policy.pdf", "indexed"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_its_app_opens_with_the_settings_of_the_current_folder(installed: Path, tmp_path: Path, page: Page) -> None:
    (tmp_path / ".env").write_text("CROSSROADS_SCRIPTED=true\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(installed / "bin" / "crossroads"), "demo", "--headless", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, env=_variables(), start_new_session=True) as app:
        try:
            wait_until_healthy(port, app)
            page.goto(f"http://127.0.0.1:{port}/rag")
            expect(page.get_by_text("Answers come from a script, not from models.")).to_be_visible(timeout=PATIENCE_MS)
            expect(page.get_by_role("navigation").get_by_text("Compare")).to_be_visible()
        finally:
            app.terminate()
            app.wait(30)
