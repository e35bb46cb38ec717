"""Talking to the process that parses documents: started once, restarted when it dies or takes too long."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from backends.errors import BackendError
from backends.storage.process import child_environment

_ROOT = Path(__file__).resolve().parents[3]
_POLL_S = 0.1
_MAX_ANSWER = 260_000_000
"""Characters of one answer: `extract.MAX_CHARACTERS`, each of which may be escaped as twelve."""


class ExtractProcess:
    """One child process for a batch of files. Use as a context manager; not thread-safe."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def extract(
        self, path: Path, format: str, cancel: threading.Event, encoding: str | None = None
    ) -> dict[str, Any] | None:
        """The answer for one file (see `backends.rag.documents.parser_process`), or None when cancelled.

        Raises `BackendError` with the child's reason, or because it died or ran out of time.
        """
        return self._answered({"path": str(path), "format": format, "encoding": encoding}, cancel)

    def sheets(self, path: Path, cancel: threading.Event) -> list[dict[str, Any]] | None:
        """The sheets of a workbook as rows of cells, or None when cancelled; see `extract`."""
        answer = self._answered({"path": str(path), "format": "xlsx", "cells": True}, cancel)
        return None if answer is None else list(answer["sheets"])

    def _answered(self, request: dict[str, Any], cancel: threading.Event) -> dict[str, Any] | None:
        if self._process and self._process.poll() is not None:  # ended between two files, by no fault of the next one
            self.stop()
        line = self._ask(json.dumps(request), cancel)
        if line is None:
            return None
        try:
            answer: dict[str, Any] = json.loads(line)
            last = answer["last"]
        except (ValueError, KeyError, TypeError, RecursionError):  # cut off, or not written by our own code any more
            self.stop()
            raise _gave_up() from None
        if last:
            self.stop()
        if "error" in answer:
            raise BackendError(answer["error"]["cause"], answer["error"]["next_step"])
        return answer

    def stop(self) -> None:
        """End the child, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                _close(pipe)

    def _ask(self, request: str, cancel: threading.Event) -> str | None:
        process = self._process or self._start()
        deadline = time.monotonic() + self._limit_s
        try:
            assert process.stdin
            process.stdin.write(request + "\n")
            process.stdin.flush()
        except OSError:
            self._lines.put(None)
        while not cancel.is_set():
            try:
                line = self._lines.get(timeout=_POLL_S)
            except queue.Empty:
                if time.monotonic() < deadline:
                    continue
                self.stop()
                raise BackendError(
                    f"Reading the file took longer than {self._limit_s:g} s.", "Split it, or save it again."
                ) from None
            if line is not None:
                return line
            self.stop()
            raise _gave_up()
        self.stop()
        return None

    def _start(self) -> subprocess.Popen[str]:
        """A child that has no keys in its environment and finds this package wherever it was started from."""
        found = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        more = {"PYTHONPATH": found, "PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "backends.rag.documents.parser_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(more),
            encoding="ascii",
        )
        self._process, self._lines = process, queue.Queue()
        threading.Thread(target=_forward, args=(process.stdout, self._lines), daemon=True).start()
        return process


def _gave_up() -> BackendError:
    return BackendError(
        "The reader gave up on this file: it is damaged, or needs more memory or time than is allowed.",
        "Open it in its own program and save it again, or split it.",
    )


def _forward(output: IO[str], lines: queue.Queue[str | None]) -> None:
    """Put each line on the queue, then None when the child has ended."""
    try:
        while line := output.readline(_MAX_ANSWER):
            lines.put(line)
    except ValueError:  # closed by `stop` while waiting
        pass
    lines.put(None)


def _close(pipe: IO[str]) -> None:
    with contextlib.suppress(OSError):  # unsent requests to a dead child
        pipe.close()
