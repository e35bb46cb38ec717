"""A run on a Ray of this machine, some of whose workers are killed on the way; says what was there at each kill."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.runs.on_ray import RayExecution
from evaluation.runs.records import cells_of, find_run, samples_of
from tests.evaluation.runs.killed_run import Told


def main() -> None:
    """`ray_run.py DATA URL RUN KILLS`: a line of JSON for each kill, with the cells that were in the store before it,
    and how often each had been asked."""
    data, url, wanted, kills = sys.argv[1:]
    settings = load_settings({"data": data, "store.url": url, "throughput.workers": 2})
    store = Store(settings)
    run = find_run(store, wanted)
    samples = samples_of(store, run)
    assert samples is not None
    execution = RayExecution(store, run, settings, samples, make=Told)
    chance = random.Random(18)
    left = int(kills)
    every = run.cells // (left + 1)
    following = chance.randrange(1, every) if left else run.cells + 1
    for step in execution.steps(threading.Event()):
        if not left or step.done < following:
            continue
        if not (there := execution.processes):
            continue  # all of them are being started
        left, following = left - 1, following + every
        pid = chance.choice(there)
        kept = [[one.approach, one.position, one.repeat] for one in cells_of(store, run.id)]
        asked = (settings.data / "asked").read_text().splitlines()
        os.kill(pid, signal.SIGKILL)
        print(json.dumps({"kept": kept, "asked": asked}), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
