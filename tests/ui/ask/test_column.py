"""What a column says while it waits to ask again."""

from __future__ import annotations

from backends.base import AttemptStarted, Started, Waiting
from backends.run.live import Column
from ui.ask.column import state_line


def test_the_wait_is_counted_down() -> None:
    column = Column("paid_api", "m").updated(Started()).updated(Waiting("429 from the server, attempt 2 of 3", 1004.0))
    assert state_line(column, 1000.0) == ":orange-badge[:material/timer: 429 from the server, attempt 2 of 3 in 4 s]"
    assert state_line(column, 1003.0).endswith("attempt 2 of 3 in 1 s]")
    assert state_line(column, 1009.0).endswith("attempt 2 of 3 in 0 s]")
    assert state_line(column.updated(AttemptStarted())).startswith(
        ":blue-badge[:material/psychology: reading the question"
    )


def test_a_wait_for_a_place_says_what_for() -> None:
    column = Column("paid_api", "m").updated(Started()).updated(Waiting("other questions go first", for_a_slot=True))
    assert state_line(column).startswith(":blue-badge[:material/psychology: other questions go first")
