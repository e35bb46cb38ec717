"""How long a switch of adapters takes, against loading the base anew.

A switch is what a question waits for when another adapter has answered before: its file is read, checked and merged,
the base stays as it is. Two folders take turns. The reference reads the base's converted weights into memory a second
time, from the system's cache and without an adapter: what would come on top if each adapter brought its base along.
"""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.models import inference
from backends.models.adapter_view import load_adapter
from backends.models.local import LocalModel
from backends.raw import RawBackend
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal

NAME = "adapters"
_GOAL = Goal(1000, "at most", "ms")


def run(bench: Bench) -> Outcome:
    """The base is read and two switches are made, in turn. The first round is a warm-up."""
    if not bench.adapter:
        return Outcome((), ("There was no adapter, so no switch was measured.",))
    backend = RawBackend(bench.settings())
    list(backend.load(threading.Event()))
    base, folder = backend.base, adapter_folder(bench.adapter, bench.data)
    other = bench.data / "another adapter"
    shutil.copytree(folder, other, dirs_exist_ok=True)
    switches: list[float] = []
    loads: list[float] = []
    repeats = bench.repeats(9)
    for repeat in range(repeats + 1):
        bench.report(f"switching adapters: {repeat} of {repeats}")
        load_ms = _load_ms(base)
        for one in (other, folder):
            spent_ms = _switch_ms(base, one)
            if repeat:
                loads.append(load_ms)
                switches.append(spent_ms)
    load = "loading the base anew"
    switch = Figure(NAME, "switching to another adapter", "ms", tuple(switches), goal=_GOAL)
    against = Figure(NAME, "the same against the base", "ms", tuple(switches), load, tuple(loads), "ratio")
    raw: dict[str, Any] = {"adapter": folder.name, "weights": load_adapter(base, folder).how}
    return Outcome((switch, against), ("A switch does not read the base again; that would come on top.",), raw)


def _switch_ms(base: LocalModel, folder: Path) -> float:
    began = time.monotonic()
    load_adapter(base, folder)
    return 1000 * (time.monotonic() - began)


def _load_ms(base: LocalModel) -> float:
    """Milliseconds until the base's weights are in memory a second time."""

    def read() -> None:
        from transformers import AutoModelForCausalLM

        folder, dtype = base.weights.folder, base.model.dtype
        model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype)
        model.to(base.device)

    began = time.monotonic()
    inference.run(read)
    return 1000 * (time.monotonic() - began)
