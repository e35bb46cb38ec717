"""How long from nothing to a page one can type into, and to the first word of the first local answer; and the memory.

Each repeat starts the app in a fresh process as `crossroads demo --headless` does and opens it in a real Chromium that
is already running but has an empty cache; next to it, a bare script in a fresh process loads the same converted
weights and makes the first token of the same prompt. Both clocks start when the process is started. The way to the
first word in the app includes the page change to the raw model, the typing and the drawing. The browser's own memory
is not counted, though it uses the same cores.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from playwright.sync_api import Browser

from backends.models.weights import resolve
from backends.settings import DEFAULT_MODEL, Settings
from benchmarks.bench import SHORT_QUESTION, Bench, Outcome
from benchmarks.browser import ask_raw, browser, check_answering, fresh_page, open_compare_page
from benchmarks.children import child, line_from, rss_mb
from benchmarks.figures import Figure

NAME = "start_up"


@dataclass(frozen=True, slots=True)
class _App:
    interactive_s: float
    interactive_rss_mb: float
    first_text_s: float
    first_text_rss_mb: float


@dataclass(frozen=True, slots=True)
class _Script:
    first_token_s: float
    first_token_rss_mb: float


def run(bench: Bench) -> Outcome:
    """Measure app and script in turn."""
    folder = resolve(DEFAULT_MODEL, bench.data).folder
    settings = bench.settings()
    apps: list[_App] = []
    scripts: list[_Script] = []
    repeats = bench.repeats(5)
    with browser() as started:
        for repeat in range(repeats):
            bench.report(f"start {repeat + 1} of {repeats}: the app, then the bare script")
            apps.append(_start_app(started, bench.data))
            scripts.append(_start_script(folder, settings))
    raw = {"app": [asdict(app) for app in apps], "script": [asdict(script) for script in scripts]}
    return Outcome(_figures(apps, scripts), _NOTES, raw)


_NOTES = (
    "The files had been read while the data folder was made, so app and script both find them in the page cache.",
    "The app loads the fine-tuned and RAG columns in the background meanwhile; its memory includes what "
    "of that was done.",
)


def _figures(apps: list[_App], scripts: list[_Script]) -> tuple[Figure, ...]:
    app = {field.name: tuple(getattr(one, field.name) for one in apps) for field in fields(_App)}
    script = {field.name: tuple(getattr(one, field.name) for one in scripts) for field in fields(_Script)}
    bare = "bare script, first token"
    return (
        Figure(NAME, "process start to a page one can type into", "s", app["interactive_s"]),
        Figure(NAME, "memory at that moment (RSS, whole tree)", "MB", app["interactive_rss_mb"]),
        Figure(
            NAME,
            "process start to the first text of a raw answer",
            "s",
            app["first_text_s"],
            bare,
            script["first_token_s"],
            "difference",
        ),
        Figure(
            NAME,
            "memory at that moment (RSS, whole tree)",
            "MB",
            app["first_text_rss_mb"],
            bare,
            script["first_token_rss_mb"],
            "difference",
        ),
    )


def _start_app(started: Browser, data: Path) -> _App:
    port = free_port()
    command = ["-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port), "--server.headless", "true"]
    with fresh_page(started) as page:
        began = time.monotonic()
        with child(command, data, log=Path(os.devnull)) as process:
            open_compare_page(page, f"http://127.0.0.1:{port}")
            interactive_s = time.monotonic() - began
            interactive_rss_mb = rss_mb(process.pid)
            ask_raw(page, SHORT_QUESTION)
            first_text_s = time.monotonic() - began
            first_text_rss_mb = rss_mb(process.pid)
            check_answering(page)
            return _App(interactive_s, interactive_rss_mb, first_text_s, first_text_rss_mb)


def _start_script(folder: Path, settings: Settings) -> _Script:
    began = time.monotonic()
    with child(["-m", "benchmarks.bare", str(folder), settings.system_prompt, SHORT_QUESTION]) as process:
        assert process.stdin is not None
        process.stdin.write("\n\n")
        process.stdin.flush()
        step = ""
        while step != "answered":
            step = json.loads(line_from(process))["step"]
        first_token_s = time.monotonic() - began
        return _Script(first_token_s, rss_mb(process.pid))


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
