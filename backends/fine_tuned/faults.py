"""What can go wrong in a training, told apart by what it was."""

from __future__ import annotations

import errno

from backends.base import BackendError
from backends.unforeseen import is_out_of_memory

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class NotFinite(BackendError):
    """The loss or its gradient is no longer a number. `adapter`: the name of what was made of the state at `kept`."""

    def __init__(self, step: int, rate: float, kept: int | None, adapter: str = "") -> None:
        self.step, self.rate, self.kept = step, rate, kept
        where = f"as the adapter {adapter}" if adapter else "in the training's folder"
        state = f"The state at step {kept} is kept {where}." if kept else "No earlier state was kept."
        super().__init__(
            f"At step {step} the loss was no longer a number. {state}",
            f"Start a new training with a lower learning rate, such as {rate / 5:.1g}.",
        )


def as_fault(error: BaseException, step: int) -> BackendError | None:
    """What a user reads of an error that ended a training at `step`; None if it is of a kind that nobody foresaw."""
    if is_out_of_memory(error):
        return BackendError(
            "There is not enough memory to train on even one pair at a time.",
            "Shorten the longest pairs, train fewer layers or a lower rank, or close other programs.",
        )
    if _is_disk_full(error):
        return BackendError(f"The disk is full; training stopped at step {step}.", "Make room and resume the training.")
    return None


def _is_disk_full(error: BaseException) -> bool:
    """Whether a file could not be written for lack of room; safetensors tells it in words only."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    return "No space left on device" in str(error) or "quota exceeded" in str(error).lower()
