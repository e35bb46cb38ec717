"""The stand-in for a paid model: `transformers serve` with the default weights, on loopback, as a child process."""

from __future__ import annotations

import atexit
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from backends.errors import BackendError, disk_faults, unexpected_fault
from backends.models.weights import resolve
from backends.run.lane import THIS_MACHINE, Cancelled, lane
from backends.settings import DEFAULT_MODEL
from backends.storage import strict_json
from backends.storage.files import prepared, write_text
from backends.storage.process import child_environment, is_alive, started_at

HOST = "127.0.0.1"
READY_LIMIT_S = 180.0
"""How long the server may take to load its weights (what it does take: docs/measurements.md)."""

USUAL_START_S = 12.0
"""How long a start is said to take."""

_POLL_S = 0.2
_STOP_LIMIT_S = 10.0
_LOG_TAIL_LINES = 3

# The child ends when its standard input does, so it cannot outlive the parent, however that one dies. (Linux's
# parent-death signal would come when the *thread* that started the child ends, which in the app is at once.)
_CHILD = """
import os, threading
def follow_parent():
    while os.read(0, 1):
        pass
    os._exit(0)
threading.Thread(target=follow_parent, daemon=True).start()
from transformers.cli.transformers import main
main()
"""

_children: dict[int, subprocess.Popen[bytes]] = {}
_start_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class StandIn:
    """A running stand-in: its base URL (ends with /v1), the model name that the server wants, its process id."""

    url: str
    model: str
    pid: int


def start(
    weights_folder: Path,
    data: Path,
    port: int = 0,
    progress: Callable[[float], None] | None = None,
    limit_s: float = READY_LIMIT_S,
    cancelled: Callable[[], bool] = lambda: False,
) -> StandIn:
    """Start the stand-in and wait until it answers; the one that already runs is returned as it is.

    `port` 0 takes a free one. `progress` is called with the seconds waited so far, several times a second. The child
    ends with this process at the latest. Raises `BackendError` if the folder holds no model, if the port is taken, if
    the data folder cannot be written, or if the server ends or does not answer within `limit_s`; `Cancelled`, with
    nothing left running, if it is `cancelled` meanwhile.
    """
    with _start_lock:
        existing = running(data)
        if existing is not None and port in (0, urlsplit(existing.url).port):
            return existing
        if not (weights_folder / "config.json").is_file():
            raise BackendError(
                f"There are no model files in {weights_folder}.", "Name a folder with config.json in it."
            )
        folder = Path(os.path.realpath(weights_folder))
        port = _free_port(port)
        log = prepared(data) / "stand_in.log"
        with disk_faults("The stand-in's log"):
            child = _launch(folder, data, port, log)
        try:
            _wait(child, port, log, limit_s, progress or (lambda waited_s: None), cancelled)
            stand_in = StandIn(f"http://{HOST}:{port}/v1", folder.name, child.pid)
            with disk_faults("What is known of the stand-in"):
                _write(stand_in, data)
        except BaseException:
            _end(child.pid)
            raise
        return stand_in


def running(data: Path) -> StandIn | None:
    """The stand-in that `data` knows of, if its process is alive; a stale or damaged record is removed."""
    record = data / "stand_in.json"
    try:
        known = strict_json.an_object(record.read_bytes())
        stand_in = StandIn(str(known["url"]), str(known["model"]), int(known["pid"]))
        if urlsplit(stand_in.url).hostname == HOST and is_alive(stand_in.pid, float(known["created"])):
            return stand_in
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with suppress(OSError):  # a record that stays is stale the next time too
        record.unlink(missing_ok=True)
    return None


def stop(stand_in: StandIn, data: Path) -> None:
    """End the stand-in, if it is the one that `data` knows of, and forget it. Does nothing if it is gone."""
    if running(data) == stand_in:
        _end(stand_in.pid)
        with suppress(OSError):
            (data / "stand_in.json").unlink(missing_ok=True)


def wait(stand_in: StandIn) -> None:
    """Return when the stand-in's process has ended."""
    with suppress(psutil.Error):
        psutil.Process(stand_in.pid).wait()


def _launch(folder: Path, data: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """The server calls its model as it was told where that is: by the folder's name, from the folder above it."""
    cache = Path(os.path.realpath(data)) / "stand_in_hub_cache"  # /v1/models fails without a Hub cache folder
    cache.mkdir(exist_ok=True)
    # A server has no use for anyone's keys, and looks for nothing outside this machine.
    more = {
        "HF_HUB_CACHE": str(cache),
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-P", "-c", _CHILD, "serve", folder.name, "--host", HOST, "--port", str(port)]
    command += ["--device", "cpu"]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder.parent,
            env=child_environment(more),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    _children[child.pid] = child
    return child


def _wait(
    child: subprocess.Popen[bytes],
    port: int,
    log: Path,
    limit_s: float,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> None:
    began = time.monotonic()
    while not _answers(port):
        waited_s = time.monotonic() - began
        if child.poll() is not None:
            raise BackendError(
                f"The stand-in ended before it was ready. {_tail(log)}",
                f"The rest is in {log.name} in the data folder.",
            )
        if waited_s > limit_s:
            raise BackendError(
                f"The stand-in did not answer within {limit_s:.0f} s. {_tail(log)}".strip(),
                "Close other programs and start it again.",
            )
        if cancelled():
            raise Cancelled
        progress(waited_s)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_POLL_S)


def _answers(port: int) -> bool:
    """Whether the server says it is well. Plain sockets, so no proxy setting comes between."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        # As servers do: a port on which a server has just ended counts as free, one in use does not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            raise BackendError(f"Port {port} cannot be used; another program may have it.", "Choose another.") from None
        return int(probe.getsockname()[1])


def _write(stand_in: StandIn, data: Path) -> None:
    record = {"pid": stand_in.pid, "url": stand_in.url, "model": stand_in.model}
    write_text(data / "stand_in.json", json.dumps(record | {"created": started_at(stand_in.pid)}))


def _end(pid: int) -> None:
    """Ask the process to end, then make it; reap it if it is ours."""
    child = _children.pop(pid, None)
    if child is not None and child.stdin is not None:
        child.stdin.close()
    try:
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(_STOP_LIMIT_S)
        except psutil.TimeoutExpired:
            process.kill()
    except psutil.Error:
        pass
    if child is not None:
        child.wait(_STOP_LIMIT_S)


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    messages = [line for line in lines if line.strip() and not line.startswith((" ", "Traceback"))]  # no stack frames
    kept = [line.strip().rstrip(".") + "." for line in messages[-_LOG_TAIL_LINES:]]
    return "Its last words: " + " ".join(kept) if kept else ""


@atexit.register
def _end_all() -> None:
    for pid in list(_children):
        _end(pid)


_log = logging.getLogger(__name__)

TURN = "starting the stand-in"
"""The start's name in the line, as those who wait behind it see it."""


class Control:
    """Whether a stand-in is wanted where there is no key, and its start in the background: one per data folder.

    Every session of the app shares it, since there is one stand-in. A question that comes while it is wanted and does
    not run yet starts it in its own turn (`backends.paid_api`).
    """

    def __init__(self, data: Path) -> None:
        self.fault: str | None = None
        """Why the last start failed, in sentences; None if it did not."""

        self._data = data
        self._wanted: bool | None = None
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._began_at = 0.0
        self._lock = threading.Lock()

    def wanted(self, by_default: bool) -> bool:
        """Whether a stand-in is to answer: as somebody said on a page, else as the setting says."""
        return by_default if self._wanted is None else self._wanted

    @property
    def under_way(self) -> bool:
        """True while a start waits for its turn or the server comes up."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def waited_s(self) -> float:
        """Seconds since the start was asked for."""
        return time.monotonic() - self._began_at

    def begin(self) -> None:
        """Want it, and start it unless a start is under way. Its place in the line is taken before this returns."""
        with self._lock:
            self._wanted, self.fault = True, None
            if self.under_way:
                return
            self._cancel, self._began_at = threading.Event(), time.monotonic()
            place = lane(THIS_MACHINE).join(TURN)
            self._thread = threading.Thread(target=self._run, args=(place,), name="stand-in-start", daemon=True)
            self._thread.start()

    def start(self, cancel: threading.Event) -> StandIn:
        """The stand-in, started if it does not run; call it within a turn on this machine.

        Raises `Cancelled` if `cancel` is set or the stand-in is stopped meanwhile, and `BackendError` if it cannot be
        started: it is then not wanted until somebody asks for it again.
        """

        def cancelled() -> bool:
            return cancel.is_set() or not self.wanted(True)

        if cancelled():
            raise Cancelled
        try:
            return start(resolve(DEFAULT_MODEL, self._data).folder, self._data, cancelled=cancelled)
        except BackendError as fault:
            self._failed(fault)
            raise

    def stop(self) -> None:
        """End it, and do not want it any more."""
        with self._lock:
            self._wanted, self.fault = False, None
            self._cancel.set()
        if found := running(self._data):
            stop(found, self._data)

    def _run(self, place: object) -> None:
        try:
            with lane(THIS_MACHINE).turn(place, self._cancel):
                self.start(self._cancel)
        except (BackendError, Cancelled):
            pass  # `fault` has it, or somebody stopped it
        except Exception as fault:
            _log.exception("the stand-in could not be started")
            self._failed(unexpected_fault("Starting the stand-in", fault))

    def _failed(self, fault: BackendError) -> None:
        self._wanted, self.fault = False, str(fault)


_controls: dict[Path, Control] = {}


def control(data: Path) -> Control:
    """The one of this data folder in this process."""
    return _controls.setdefault(Path(os.path.realpath(data)), Control(data))  # a loop of links raises nothing here
