"""How much memory a piece of work takes at its highest."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

_LOOK_S = 0.005


class PeakMemory:
    """`with` it around work, once or more often: `peak_bytes` is the most there was above the level at its making.

    On a CPU this process's resident memory, looked at 200 times a second; on a GPU what torch has allotted there.
    """

    def __init__(self, device: str) -> None:
        self.peak_bytes = 0
        self._device = device
        self._before = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread()

    def __enter__(self) -> PeakMemory:
        self.peak_bytes = 0
        self._stop.clear()
        if self._device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        if self._device == "cuda":
            import torch

            self.peak_bytes = int(torch.cuda.max_memory_allocated()) - self._before

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_S):
            self._look()

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._now() - self._before)

    def _now(self) -> int:
        if self._device == "cuda":
            import torch

            return int(torch.cuda.memory_allocated())
        return int(psutil.Process().memory_info().rss)


def free_bytes(device: str) -> int:
    """Memory that is free now, on the GPU or on this machine."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)
