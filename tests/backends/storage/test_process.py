"""Which process runs: numbers are used again, and what has ended is gone."""

from __future__ import annotations

import os
import subprocess
import sys

from backends.storage.process import free_memory, is_alive, started_at


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    assert is_alive(os.getpid()) is True
    assert is_alive(os.getpid(), started_at()) is True
    assert is_alive(os.getpid(), started_at() - 50) is False


def test_one_that_has_ended_is_not_alive_whether_it_was_reaped_or_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = started_at(child.pid)
        assert is_alive(child.pid, started) is True
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped yet
        assert is_alive(child.pid, started) is False
    assert is_alive(child.pid, started) is False


def test_free_memory_is_a_number_of_bytes() -> None:
    assert free_memory() > 1_000_000
