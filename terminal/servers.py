"""`crossroads stand-in` and `crossroads demo`."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from backends.storage.files import prepared
from terminal.shared import Set, overrides_of, report, settings_of


def stand_in(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8377,
    set_: Set = None,
) -> None:
    """Serve the default model on loopback in place of a paid API, until interrupted."""
    from backends.models.weights import pending, resolve
    from backends.remote import stand_in as server
    from backends.settings import DEFAULT_MODEL

    settings = settings_of(set_)
    prepared(settings.data)
    if waiting := pending(DEFAULT_MODEL, settings.data):
        report(waiting.what)
    report("starting the stand-in, about 10 s")
    running = server.start(resolve(DEFAULT_MODEL, settings.data).folder, settings.data, port)
    report(f"Ready at {running.url} for model {running.model}. Stop with Ctrl-C.")
    try:
        server.wait(running)
    finally:
        server.stop(running, settings.data)


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    headless: Annotated[bool, typer.Option(help="Do not open a browser window.")] = False,
    set_: Set = None,
) -> None:
    """Open the browser app."""
    from backends.settings import STARTED_WITH

    script = Path(__file__).resolve().parents[1] / "streamlit_app.py"
    settings = settings_of(set_)
    prepared(settings.data)
    overrides = overrides_of(set_) | {"data": str(settings.data.resolve())}
    if "stand_in" not in settings.paid_api.model_fields_set:
        overrides["paid_api.stand_in"] = "true"
    environment = os.environ | {STARTED_WITH: json.dumps(overrides)}
    # -P: in the current folder lie the user's data and `.env`, but no code of ours
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.maxUploadSize", str(max(25, math.ceil(settings.rag.max_file_mb)))]
    if headless:
        command += ["--server.headless", "true"]
    try:
        raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
