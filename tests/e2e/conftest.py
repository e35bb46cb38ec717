"""A real app in a real Chromium. The browser is the system's; without one these tests are skipped, except in CI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        message = "There is no Chromium on this machine; install one to run the browser tests."
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    return browser_type_launch_args | {"executable_path": found, "args": ["--no-sandbox", "--disable-gpu", *quiet]}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A large window, in which nothing moves: without a GPU, drawing that takes processor time."""
    return browser_context_args | {"viewport": {"width": 1440, "height": 1000}, "reduced_motion": "reduce"}


@pytest.fixture(autouse=True)
def _patience() -> None:
    """As long in every test, whichever ran before it in this process: what a test sets holds for all that follow."""
    expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where screenshots go; `make screenshots` copies the one that the README shows."""
    folder = Path(os.environ.get("CROSSROADS_SCREENSHOTS", ROOT / "test-results" / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def running_app(data: Path, arguments: Sequence[str], environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CROSSROADS_"))}
    command = [sys.executable, "-m", "crossroads", "demo", "--headless", "--port", str(port), *arguments]
    with (data / "app.log").open("wb") as log:
        app = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | {"CROSSROADS_DATA": str(data)} | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_healthy(port, app)
        yield f"http://127.0.0.1:{port}"
    finally:
        app.terminate()
        app.wait(30)


def wait_until_healthy(port: int, app: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert app.poll() is None, "the app ended before it served a page"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        try:
            app.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("the app did not answer within a minute")


@pytest.fixture(scope="session")
def scripted_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one app that answers from its script, for all tests that need no data folder of their own."""
    with running_app(tmp_path_factory.mktemp("scripted"), (), {"CROSSROADS_SCRIPTED": "true"}) as address:
        yield address


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start the app with a data folder, arguments and extra environment; returns its address."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda data=tmp_path, arguments=(), **environment: stack.enter_context(
            running_app(data, arguments, environment)
        )
