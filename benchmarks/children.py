"""Child processes that are measured from outside: started, weighed, ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from benchmarks.bench import HOME

MB = 1_000_000
_END_S = 10.0


@contextmanager
def child(
    arguments: Sequence[str], data: Path | None = None, more: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """`python ARGUMENTS` in the home folder with piped standard input and output; its whole tree is ended afterwards.

    Standard error goes to `log`, or where ours goes.
    """
    environment = os.environ | ({"CROSSROADS_DATA": str(data)} if data else {}) | dict(more or {})
    with _opened(log) as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=HOME,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            _end(process)


@contextmanager
def _opened(log: Path | None) -> Iterator[IO[str] | None]:
    if log is None:
        yield None
    else:
        with log.open("a") as stream:
            yield stream


def _end(process: subprocess.Popen[str]) -> None:
    tree = family(process.pid)
    for member in tree:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(tree, timeout=_END_S)
    for member in alive:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def family(pid: int) -> list[psutil.Process]:
    """The process and all that descend from it; empty if it is gone."""
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def rss_mb(pid: int) -> float:
    """Resident memory of the whole process tree in MB (10^6 bytes). Pages that its processes share count twice."""
    total = 0
    for member in family(pid):
        with suppress(psutil.NoSuchProcess):
            total += member.memory_info().rss
    return total / MB


def line_from(process: subprocess.Popen[str]) -> str:
    """The next line that the child prints. Raises `RuntimeError` if it ends without one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the child process ended with status {process.wait()} before it answered")
    return line.strip()
