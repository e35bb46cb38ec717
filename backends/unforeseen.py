"""Faults that no code expects, told to the user in a sentence; lack of memory and a refusing disk are told apart."""

from __future__ import annotations

import os
import re

from backends.base import BackendError
from backends.data_folder import disk_fault

_NO_MEMORY = ("defaultcpuallocator", "can't allocate memory", "out of memory", "not enough memory")
_MAKE_ROOM = "Close other programs, or choose a smaller model."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, on a CPU or a GPU, or Python could get no memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _NO_MEMORY)


def disk_refusal(error: BaseException) -> str | None:
    """What the disk said, such as `No space left on device`, or None if the error is of another kind.

    Libraries that are written in Rust have exceptions of their own and tell the number in words.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    found = re.search(r"\(os error (\d{1,4})\)", str(error)[:10_000])
    return os.strerror(int(found[1])) if found else None


def too_little_memory(what_for: str) -> BackendError:
    """Memory does not do for what the words say."""
    return BackendError(f"There is not enough memory for {what_for}.", _MAKE_ROOM)


def unforeseen(what: str, error: Exception, again: str = "try again") -> BackendError:
    """What a user reads of an error that ended `what`; the log has the rest."""
    if is_out_of_memory(error):
        return BackendError(f"{what} failed: there was not enough memory.", _MAKE_ROOM)
    if (fault := disk_fault(error)) is not None:
        return BackendError(f"{what} failed. {fault.cause}", fault.next_step)
    cause = f"{what} failed unexpectedly ({type(error).__name__})."
    return BackendError(cause, f"The log has the details; {again}.")
