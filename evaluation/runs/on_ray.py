"""A run whose cells are asked by the workers of a Ray cluster: extra `crossroads[ray]`, the store on PostgreSQL.

Each worker is a Ray actor: it loads what answers once, takes cells, and commits each to the store itself. Who is asked
next, progress, pausing, limits and giving up stay where they are, in `Execution`, which here hands cells to actors.
An actor that dies is started again by Ray. What it had committed stands; what it had not is asked again, so that no
cell is ever there twice.

Workers share machines, so what they compute themselves has no times of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.base import Answer, Cost
from backends.errors import BackendError
from backends.registry import make
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.answering import Answering, Make, Outcome, Place
from evaluation.runs.execution import STOP_AFTER, Column, Execution
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, cell_of, find_run, places_there
from evaluation.samples import Sample

if TYPE_CHECKING:
    from ray.actor import ActorHandle

LOCAL = "ray"
"""In place of an address: a cluster of this machine, for as long as the run takes."""

ON_WORKERS = "asked by workers that share a machine (Ray)"
"""Why a cell has no times."""

_HOME = Path(__file__).resolve().parents[2]
_MOST_DEATHS = 5
_COMES_BACK_S = 600.0
_ANSWERS_S = 5.0
_STARTS = 3
_LOOK_UP_S = 0.5
_OBJECT_STORE_BYTES = 80_000_000  # near the least that Ray takes; what passes through it is small
_log = logging.getLogger(__name__)


def check_possible(settings: Settings) -> None:
    """Raise `BackendError` where a run cannot be executed on Ray."""
    if settings.store.url is None:
        raise BackendError(
            "A run on Ray needs its store on a PostgreSQL, which all workers can reach.",
            "Set store.url to postgresql://USER:PASSWORD@HOST/DATABASE.",
        )
    try:
        import ray  # noqa: F401
    except ImportError:
        raise BackendError("Ray is not installed.", "Install it: pip install 'crossroads[ray]'.") from None


class Worker:
    """What an actor does: asks approaches of one run, each made once."""

    def __init__(self, run: str, settings: Settings, samples: Sequence[Sample], make: Make, retries: bool) -> None:
        self._store = Store(settings)
        self._run = find_run(self._store, run)
        self._settings, self._samples, self._make = settings, samples, make
        self._asked: dict[str, Answering] = {}
        self._retries = retries
        self._lock = threading.Lock()
        self._cancel = threading.Event()

    def ask(self, approach: str, places: Sequence[Place]) -> list[Outcome]:
        """Ask an approach for these cells and keep them. Raises `BackendError` if the store fails."""
        return self._answering(approach).ask(places, self._cancel)

    def stop(self) -> None:
        """End what is being asked, and ask nothing more."""
        self._cancel.set()

    def process(self) -> int:
        """The number of this process."""
        return os.getpid()

    def _answering(self, approach: str) -> Answering:
        with self._lock:
            if approach not in self._asked:
                known = self._run.approach(approach)
                one = Answering(self._store, self._run, known, self._settings, self._samples, self._make)
                one.untimed, one.retries = ON_WORKERS if one.here else "", self._retries
                self._asked[approach] = one
            return self._asked[approach]


class RayExecution(Execution):
    """One go at a run, by `throughput.workers` workers of the cluster at `address` (`LOCAL`: one of this machine)."""

    def __init__(
        self,
        store: Store,
        run: Run,
        settings: Settings,
        samples: Sequence[Sample],
        *,
        address: str = LOCAL,
        retry: bool = False,
        make: Make = make,
        stop_after: int = STOP_AFTER,
    ) -> None:
        super().__init__(store, run, settings, samples, retry=retry, make=make, stop_after=stop_after)
        self._address = address
        self._workers: list[ActorHandle[Any]] = []
        self._turn = count()

    @property
    def processes(self) -> list[int]:
        """The numbers of the workers' processes that are there now, on whichever machine."""
        return [found for worker in self._workers if (found := _process_of(worker)) is not None]

    @contextmanager
    def _working(self, cancel: threading.Event) -> Iterator[None]:
        """Meanwhile there are workers; afterwards there are none."""
        with _cluster(self._address, self._settings.throughput.workers) as ray:
            actor = ray.remote(Worker).options(num_cpus=1, max_restarts=-1, max_concurrency=self._most_at_once())
            own = (self._run.id, self._settings, self._samples, self._make, self._retry)
            self._workers = [actor.remote(*own) for _ in range(self._settings.throughput.workers)]
            over = threading.Event()
            watch = threading.Thread(target=self._tell_of_cancel, args=(cancel, over), daemon=True)
            watch.start()
            try:
                yield
            finally:
                over.set()
                watch.join()
                for worker in self._workers:
                    ray.kill(worker)
                self._workers = []

    def _most_at_once(self) -> int:
        """Calls that a worker takes at once: those of all approaches, and one to stop it."""
        return 2 + sum(threads for _, threads in self._groups())

    def _tell_of_cancel(self, cancel: threading.Event, over: threading.Event) -> None:
        while not over.wait(0.1):
            if cancel.is_set():
                for worker in self._workers:
                    worker.stop.remote()

    def _groups(self) -> list[tuple[list[Column], int]]:
        """What each worker computes itself is asked by one thread for each worker."""
        workers = self._settings.throughput.workers
        groups = super()._groups()
        here = [any(one.answering is not None and one.answering.here for one in group) for group, _ in groups]
        return [(group, workers if own else threads) for (group, threads), own in zip(groups, here, strict=True)]

    @contextmanager
    def _machine(self, group: list[Column], cancel: threading.Event) -> Iterator[None]:
        """Workers may be on other machines, and their answers are not timed: nobody waits for them."""
        yield

    def _answered(self, column: Column, places: Sequence[Place], cancel: threading.Event) -> list[Outcome]:
        """Let a worker ask. One that dies has its place taken; what it had kept by then is not asked again."""
        left, outcomes = list(places), list[Outcome]()
        for _ in range(_MOST_DEATHS):
            try:
                return outcomes + self._asked_of_worker(column, left, cancel)
            except _WorkerDied:
                _log.warning("a worker died while it asked %s", column.approach)
            there = places_there(self._store, self._run.id, column.approach, left, self._retry)
            outcomes += [Outcome(place, True, failed, usd, why) for place, (failed, usd, why) in there.items()]
            left = [place for place in left if place not in there]
            if not left or cancel.is_set():
                return outcomes + [Outcome(place, False) for place in left]
        return outcomes + [self._given_up(column, place) for place in left]

    def _asked_of_worker(self, column: Column, places: Sequence[Place], cancel: threading.Event) -> list[Outcome]:
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        worker = self._ready_worker(cancel)
        if worker is None:
            return [Outcome(place, False) for place in places]
        try:
            found: list[Outcome] = ray.get(worker.ask.remote(column.approach, list(places)))
        except RayTaskError as fault:
            cause = getattr(fault, "cause", None)
            raise (cause if isinstance(cause, BackendError) else fault) from None
        except RayActorError as fault:
            raise _WorkerDied from fault
        return found

    def _ready_worker(self, cancel: threading.Event) -> ActorHandle[Any] | None:
        """The next worker that is there: one that died is started again, which takes seconds. None if cancelled."""
        until = time.monotonic() + _COMES_BACK_S
        while not cancel.is_set():
            worker = self._workers[next(self._turn) % len(self._workers)]
            if _process_of(worker) is not None:
                return worker
            if time.monotonic() > until:
                raise BackendError(
                    f"No worker of Ray came back within {_COMES_BACK_S:.0f} s.",
                    "Look at the log of Ray, then go on with the run.",
                )
            cancel.wait(_LOOK_UP_S)
        return None

    def _given_up(self, column: Column, place: Place) -> Outcome:
        """A cell at which one worker after another died is a failed one."""
        assert column.answering is not None
        why = f"Its worker ended without a word, {_MOST_DEATHS} times. Look at the log of Ray."
        backend = column.answering.backend
        lost = Answer(backend.approach, backend.model, "", "error", error=why, cost=Cost(None, "its worker ended"))
        repeat, position = place
        add_cell(self._store, self._run.id, cell_of(lost, position, repeat, self._run.keeps_texts))
        return Outcome(place, True, True, None, why)


class _WorkerDied(Exception):
    """The process of an actor ended."""


def _process_of(worker: ActorHandle[Any]) -> int | None:
    """The number of a worker's process; None while it is being started."""
    import ray
    from ray.exceptions import GetTimeoutError, RayActorError

    try:
        number: Any = ray.get(worker.process.remote(), timeout=_ANSWERS_S)
        return int(number)
    except (RayActorError, GetTimeoutError):
        return None


@contextmanager
def _cluster(address: str, workers: int) -> Iterator[Any]:
    """Ray, connected meanwhile. Raises `BackendError` if there is no cluster at the address."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # which otherwise tells its makers of every cluster
    import ray

    found = os.pathsep.join([str(_HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
    given: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": found}},
        "log_to_driver": False,
        "logging_level": logging.WARNING,
        "configure_logging": False,
    }
    if address == LOCAL:
        given |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    else:
        given["address"] = address
    with redirect_stdout(sys.stderr):  # Ray tells of workers that died on standard output, where the result goes
        yield from _connected(ray, given, address)


def _connect(ray: Any, given: dict[str, Any], tries: int) -> None:
    """Ray gives itself 30 s to start, which a busy machine may need more than once."""
    for left in reversed(range(tries)):
        try:
            ray.init(**given)
            return
        except Exception:
            ray.shutdown()
            if not left:
                raise


def _connected(ray: Any, given: dict[str, Any], address: str) -> Iterator[Any]:
    try:
        _connect(ray, given, _STARTS if address == LOCAL else 1)
    except Exception as fault:  # Ray raises many kinds for one matter
        said = str(fault).strip().splitlines() or [type(fault).__name__]
        if address == LOCAL:
            raise BackendError(
                f"Ray could not be started on this machine ({said[0][:200]}).",
                "Go on with the run when the machine is less busy, or look at the log of Ray.",
            ) from fault
        raise BackendError(
            f"There is no Ray at {address} ({said[0][:200]}).",
            f"Start it, correct the address, or give `--on {LOCAL}` for workers of this machine.",
        ) from fault
    try:
        yield ray
    finally:
        ray.shutdown()
