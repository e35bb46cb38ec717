"""Asks the cells of a run: those that are missing, or those that failed, each committed to the store when it ends.

Approaches that compute on this machine are asked one cell at a time, question by question, so that no measured second
is shared; in a run for throughput, many at once, and then nothing of their times is kept. Those that compute elsewhere
are asked at once, as many as their connection allows. `evaluation.runs.answering` asks.
"""

from __future__ import annotations

import getpass
import json
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue

from backends.base import FAILED
from backends.errors import BackendError
from backends.registry import make
from backends.run.compare import next_of
from backends.run.jobs import Progress
from backends.settings import Settings
from backends.spend import ledger
from backends.storage.files import turn_by_lock, write_text
from backends.store.database import Store
from evaluation.marks import marks
from evaluation.runs.answering import IN_A_BATCH, Answering, Make, Outcome, Place
from evaluation.runs.deletion import erase_expired
from evaluation.runs.marks import take_thumbs
from evaluation.runs.model import Run, RunApproach, State
from evaluation.runs.records import find_run, note_approach, set_state, statuses
from evaluation.samples import Sample

STOP_AFTER = 5
"""An approach whose first so many cells all fail is given up."""

OTHER_RUN = "a run of another process on this machine"
"""What an approach waits for that computes here, since two runs at once would distort each other's times; said so as
long as it is not known which run that is."""

_LOOK_UP_S = 0.2
_MISSING, _FAILED, _THERE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ApproachProgress:
    """How far one approach is, and how many it has `asked` of those that are `wanted` this time.

    `usd` is what its cells of this time cost as far as that is known, `unpriced` how many are not. `stopped`: why it
    was given up; empty if it was not. `waits`: what it waits for before it is asked; empty if for nothing.
    """

    approach: str
    done: int
    failed: int
    total: int
    usd: Decimal
    unpriced: int
    paused: bool
    stopped: str
    wanted: int = 0
    asked: int = 0
    waits: str = ""


@dataclass
class Column:
    """The cells of one approach that are to be asked, and what came of them; guarded by the execution's condition."""

    known: RunApproach
    total: int
    todo: Iterator[Place]
    wanted: int
    failed: int
    done: int = 0
    asked: int = 0
    answering: Answering | None = None
    at_once: int = 1
    waits: str = ""
    head: Place | None = None
    succeeded: bool = False
    failures: int = 0
    usd: Decimal = Decimal(0)
    unpriced: int = 0
    paused: bool = False
    stopped: str = ""

    def __post_init__(self) -> None:
        self.head = next(self.todo, None)

    @property
    def approach(self) -> str:
        return self.known.approach

    @property
    def over(self) -> bool:
        """Whether nothing is left to be asked."""
        return self.head is None or bool(self.stopped)

    def take(self) -> Place:
        """The next repeat and position."""
        assert self.head is not None
        taken, self.head = self.head, next(self.todo, None)
        return taken


def _name_holder(file: Path, run: Run) -> None:
    """Say whose run has the machine, for those that wait for it; nothing depends on it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        user = ""
    said = {"run": run.id, "set": run.set_name, "user": user, "process": os.getpid()}
    with suppress(OSError):
        write_text(file, json.dumps(said))


def _holder_words(file: Path) -> str:
    """`the run 20261130-201500-3fa9c1 of colours.csv, which process 4321 of ann works on`, as far as that is known."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        run, name, user, process = (said[key] for key in ("run", "set", "user", "process"))
    except (OSError, ValueError, LookupError, TypeError):
        return OTHER_RUN
    of_user = f" of {user}" if user else ""
    return f"the run {run} of {name}, which process {process}{of_user} works on"


class Execution:
    """One go at a run: `steps` asks what is missing, and with `retry` in its place the cells that failed.

    `make` gives the backends. What was never asked (no key, a cap was reached, cancelled) has no cell: it is missing.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        settings: Settings,
        samples: Sequence[Sample],
        *,
        retry: bool = False,
        make: Make = make,
        stop_after: int = STOP_AFTER,
    ) -> None:
        self._store, self._run, self._settings, self._samples = store, run, settings, samples
        self._retry, self._make, self._stop_after = retry, make, stop_after
        self._condition = threading.Condition()
        self._paused = False
        self._columns: list[Column] = []
        self._events: SimpleQueue[BaseException | str | None] = SimpleQueue()

    @property
    def progress(self) -> tuple[ApproachProgress, ...]:
        """How far each approach is; empty before `steps` has begun.

        It takes no lock: a Ctrl-C could come to the caller between taking it and giving it back, and every thread that
        asks would then wait for it for ever. So numbers of one approach may be a cell apart for a moment.
        """
        return tuple(
            ApproachProgress(
                *(one.approach, one.done, one.failed, one.total, one.usd, one.unpriced),
                *(one.paused or self._paused, one.stopped, one.wanted, one.asked, one.waits),
            )
            for one in self._columns
        )

    def pause(self, approach: str | None = None) -> None:
        """Begin no further cell, of one approach or of all, until `go_on`; what is being asked ends."""
        self._set_paused(approach, True)

    def go_on(self, approach: str | None = None) -> None:
        """The opposite of `pause`."""
        self._set_paused(approach, False)

    def _set_paused(self, approach: str | None, paused: bool) -> None:
        with self._condition:
            if approach is None:
                self._paused = paused
            for column in self._columns:
                if column.approach == approach:
                    column.paused = paused
            self._condition.notify_all()

    def steps(self, cancel: threading.Event) -> Generator[Progress[None], None, None]:
        """Ask, cell by cell; the run's state in the store says how it ended. Cancelling keeps what was answered.

        Raises `BackendError` if another process works on the run, or if the store fails.
        """
        with self._store.claimed(self._run.id):
            self._run = find_run(self._store, self._run.id)
            ledger.get_ready(self._settings)
            erase_expired(self._store)
            set_state(self._store, self._run.id, "running")
            state: State = "stopped"
            fault = ""
            try:
                self._columns = self._made_columns()
                yield from self._ask_all(cancel)
                with suppress(BackendError):  # a file of marks that cannot be read is said where they are shown
                    take_thumbs(self._store, self._run, marks(self._settings.data))
                state = "stopped" if cancel.is_set() else "done"
            except BackendError as error:
                fault = str(error)
                raise
            finally:
                with suppress(BackendError):  # a store that fails has said so
                    set_state(self._store, self._run.id, state, fault)

    def _made_columns(self) -> list[Column]:
        """The approaches with their cells; one that cannot be made is given up at once."""
        cells, columns = self._cells_so_far(), []
        for known in self._run.approaches:
            found = cells[known.approach]
            wanted = found.count(_FAILED if self._retry else _MISSING)
            column = Column(known, len(found), self._to_ask(found), wanted, found.count(_FAILED))
            column.done = len(found) - found.count(_MISSING)
            try:
                column.answering = self._answering(known)
                if column.answering.here and self._run.throughput:
                    column.at_once = self._settings.throughput.batch
            except BackendError as error:
                column.stopped = str(error)
            if column.stopped != known.stopped:
                note_approach(self._store, self._run.id, known.approach, stopped=column.stopped)
            columns.append(column)
        return columns

    def _answering(self, known: RunApproach) -> Answering:
        """Who asks an approach. Raises `BackendError` if it cannot be made."""
        untimed = IN_A_BATCH if self._run.throughput else ""
        made = Answering(self._store, self._run, known, self._settings, self._samples, self._make)
        made.untimed, made.retries = untimed if made.here else "", self._retry
        return made

    def _cells_so_far(self) -> dict[str, bytearray]:
        """By approach, a byte for each cell in the order in which they are asked: missing, failed, or there."""
        run = self._run
        found = {one.approach: bytearray(run.repeats * run.questions) for one in run.approaches}
        for approach, position, repeat, status in statuses(self._store, run.id):
            found[approach][repeat * run.questions + position] = _FAILED if status in FAILED else _THERE
        return found

    def _to_ask(self, cells: bytearray) -> Iterator[Place]:
        wanted = _FAILED if self._retry else _MISSING
        return (divmod(place, self._run.questions) for place, state in enumerate(cells) if state == wanted)

    def _ask_all(self, cancel: threading.Event) -> Iterator[Progress[None]]:
        with self._working(cancel):
            yield from self._asked_by_threads(cancel)

    @contextmanager
    def _working(self, cancel: threading.Event) -> Iterator[None]:
        """Whatever has to be there while cells are asked."""
        yield

    def _asked_by_threads(self, cancel: threading.Event) -> Iterator[Progress[None]]:
        groups = self._groups()
        threads = [
            threading.Thread(target=self._work, args=(group, cancel), name=f"cells-{group[0].approach}", daemon=True)
            for group, count in groups
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        working = len(threads)
        try:
            yield self._step("")
            while working:
                event = next_of(self._events)
                if event is None:
                    working -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    yield self._step(event)
        finally:
            if working:
                cancel.set()
                for thread in threads:
                    thread.join()

    def _groups(self) -> list[tuple[list[Column], int]]:
        """Who is asked together, and by how many threads: all of this machine by one, each of elsewhere by its own."""
        here: list[Column] = []
        groups: list[tuple[list[Column], int]] = []
        for column in self._columns:
            if column.answering is None or column.over:
                continue
            if column.answering.here:
                here.append(column)
            else:
                groups.append(([column], max(1, min(column.answering.backend.at_once, column.total))))
        return [(here, 1), *groups] if here else groups

    def _step(self, detail: str) -> Progress[None]:
        return Progress(sum(one.done for one in self._columns), sum(one.total for one in self._columns), detail)

    def _work(self, group: list[Column], cancel: threading.Event) -> None:
        """Ask one cell after another until none is left; a fault of the store ends the whole run."""
        try:
            with self._machine(group, cancel):
                while (taken := self._next(group, cancel)) is not None:
                    column, places = taken
                    for outcome in self._answered(column, places, cancel):
                        self._count(column, outcome)
        except BaseException as fault:
            self._events.put(fault)
        finally:
            self._events.put(None)

    @contextmanager
    def _machine(self, group: list[Column], cancel: threading.Event) -> Iterator[None]:
        """What computes here has this machine for itself, against the runs of other processes too, which wait."""
        if not all(one.answering is not None and one.answering.here for one in group):
            yield
            return

        file = Path(os.path.realpath(self._settings.data)) / "runs" / "this-machine.lock"
        holder = file.with_suffix(".json")

        def waits() -> None:
            run = _holder_words(holder)
            if group[0].waits != run:
                for one in group:
                    one.waits = run
                self._events.put(f"waiting for {run}")

        with turn_by_lock(file, "The lock of this machine's runs", cancel, waits) as held:
            for one in group:
                one.waits = ""
            if held:
                _name_holder(holder, self._run)
            try:
                yield
            finally:
                if held:
                    with suppress(OSError):
                        holder.unlink(missing_ok=True)

    def _next(self, group: list[Column], cancel: threading.Event) -> tuple[Column, list[Place]] | None:
        """The first cells in the order of questions that may be asked now; None if none will be."""
        with self._condition:
            while not cancel.is_set():
                left = [one for one in group if not one.over]
                if not left:
                    return None
                free = [one for one in left if not one.paused and not self._paused]
                if free:
                    column = min(free, key=lambda one: one.head or (0, 0))
                    return column, [column.take() for _ in range(column.at_once) if column.head is not None]
                self._condition.wait(_LOOK_UP_S)
        return None

    def _answered(self, column: Column, places: Sequence[Place], cancel: threading.Event) -> list[Outcome]:
        """Ask, and keep what was answered."""
        assert column.answering is not None
        return column.answering.ask(places, cancel)

    def _count(self, column: Column, outcome: Outcome) -> None:
        if not outcome.kept:
            if outcome.why:
                self._give_up(column, outcome.why)
            return
        with self._condition:
            column.asked += 1
            if not self._retry:
                column.done += 1
                column.failed += outcome.failed
            elif not outcome.failed:
                column.failed -= 1
            if outcome.usd is None:
                column.unpriced += 1
            else:
                column.usd += outcome.usd
            column.failures += outcome.failed
            column.succeeded = column.succeeded or not outcome.failed
            hopeless = not column.succeeded and column.failures >= self._stop_after
        if hopeless:
            first = f"Its first {column.failures} answers failed. The last one: {outcome.why or 'no reason is known'}"
            self._give_up(column, first)
        self._events.put(f"{column.approach}, question {outcome.place[1] + 1}")

    def _give_up(self, column: Column, why: str) -> None:
        with self._condition:
            if column.stopped:
                return
            column.stopped = why
            self._condition.notify_all()
        note_approach(self._store, self._run.id, column.approach, stopped=why)
        self._events.put(f"{column.approach} was given up")
