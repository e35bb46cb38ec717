"""A real app in a real Chromium. The browser is the system's; without one these tests are skipped, except in CI."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import BrowserContext, Error, expect

ROOT = Path(__file__).resolve().parents[2]
_STACKS = Path(__file__).with_name("stacks")
_LOGS: dict[str, Path] = {}
"""The address of each app that was started -> its log."""

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first takes a quarter less processor time than the same browser with a window that nobody sees."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine now and then does something late: such a test is run again once, and is named then.

    One that fails twice has failed. The other tests have one try.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed says what stood on its page: nobody can look at it afterwards."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        try:
            text = f"{page.url}\n{page.locator('body').inner_text(timeout=10_000)}"
        except Error as fault:
            text = f"nothing could be read: {fault}"
        report.sections.append(("What stood on the page", text[:8000]))
        report.sections += [("What the threads of the app did", one) for one in _what_apps_did(page.url)]
    return report


def _what_apps_did(url: str) -> list[str]:
    """The stacks of all threads of the app at `url`, for faults that a page does not show; none for other servers."""
    log = next((log for address, log in _LOGS.items() if url.startswith(address)), None)
    if log is None or not log.exists():
        return []
    begin = log.stat().st_size
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            mine = process.environ().get("PYTHONPATH", "").startswith(str(_STACKS))
            if mine and "streamlit" in process.cmdline() and url.split("/")[2].split(":")[1] in process.cmdline():
                process.send_signal(signal.SIGUSR1)
    time.sleep(2)  # it is written by the other process
    with log.open("rb") as file:
        file.seek(begin)
        return [file.read().decode(errors="replace")[:20_000]]


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


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    """Opening a page and clicking have as long as what is expected: half a minute is too short on a busy machine."""
    context.set_default_timeout(60_000)
    return context


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
            env=inherited
            | {"CROSSROADS_DATA": str(data), "CROSSROADS_PAID_API__STAND_IN": "false", "PYTHONPATH": str(_STACKS)}
            | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _LOGS[f"http://127.0.0.1:{port}"] = data / "app.log"
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
