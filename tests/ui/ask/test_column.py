"""What a column says while it waits to ask again."""

from __future__ import annotations

import pytest

from backends.base import AttemptStarted, Started, Waiting
from backends.run.live import Column
from ui.ask import column as answer_column
from ui.ask.column import state_line


class Clock:
    """A clock that stands still."""

    def __init__(self, now: float) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now


def test_the_wait_is_counted_down(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1000.0)
    monkeypatch.setattr(answer_column, "time", clock)
    column = Column("paid_api", "m").after(Started()).after(Waiting("429 from the server, attempt 2 of 3", 1004.0))
    assert state_line(column) == ":orange-badge[:material/timer: 429 from the server, attempt 2 of 3 in 4 s]"
    clock.now = 1003.0
    assert state_line(column).endswith("attempt 2 of 3 in 1 s]")
    clock.now = 1009.0
    assert state_line(column).endswith("attempt 2 of 3 in 0 s]")
    assert state_line(column.after(AttemptStarted())).startswith(
        ":blue-badge[:material/psychology: reading the question"
    )


def test_a_wait_for_a_place_says_what_for() -> None:
    column = Column("paid_api", "m").after(Started()).after(Waiting("other questions go first", for_a_place=True))
    assert state_line(column).startswith(":blue-badge[:material/psychology: other questions go first")
