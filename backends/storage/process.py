"""Processes: what a child may see of this one's environment, whether one is alive, and how much memory is free."""

from __future__ import annotations

import os
from collections.abc import Mapping

_KEPT = (
    *("PATH", "HOME", "USERPROFILE", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
    *("VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS"),
)


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child that needs no key, with `more` added. Everything that is not listed is left out."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(more)


def started_at(pid: int | None = None) -> float:
    """When a process was started, in seconds since 1970; this one if no number is given. Raises `psutil.Error`."""
    import psutil

    return float(psutil.Process(pid).create_time())


def is_alive(pid: int, started: float | None = None) -> bool | None:
    """Whether a process runs; None where the system does not say.

    Numbers are used again: with `started`, it has to be the process that was started then.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and (
            started is None or abs(process.create_time() - started) < 1
        )
    except psutil.AccessDenied:
        return None
    except psutil.Error:
        return False


def free_memory(device: str = "cpu") -> int:
    """Bytes that are free now, on the GPU (`cuda`) or else on this machine."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)
