"""The loss chart: every measured value, nothing else, and the best step marked."""

from __future__ import annotations

from backends.fine_tuned.train.events import StepRecord
from ui.fine_tuned.training_view import loss_rows, loss_spec, lowest_step


def record(step: int, loss: float, held_out: float | None = None) -> StepRecord:
    return StepRecord(step, loss, held_out, 400, 1.0, 400.0)


RECORDS = [record(1, 3.0), record(2, 2.0, 2.5), record(3, 1.0), record(4, 0.5, 1.25), record(5, 0.4, 1.25)]


def test_every_loss_is_a_row_and_the_first_best_is_marked() -> None:
    rows = loss_rows(RECORDS).to_dict("split")["data"]
    assert rows[:5] == [[one.step, "training pairs", one.loss, ""] for one in RECORDS]
    assert rows[5:] == [
        [2, "held-out pairs", 2.5, ""],
        [4, "held-out pairs", 1.25, "\u2605 lowest: step 4, 1.25"],
        [5, "held-out pairs", 1.25, ""],
    ]


def test_without_a_held_out_part_no_step_is_best() -> None:
    assert lowest_step(RECORDS[:1]) is None
    assert list(loss_rows(RECORDS[:1])["label"]) == [""]


def test_the_chart_stays_the_same_while_the_data_grows() -> None:
    assert loss_spec(60, "#123456") == loss_spec(60, "#123456")
    lines = loss_spec(60, "#123456")["layer"][0]
    assert lines["encoding"]["x"]["scale"]["domain"] == [0, 60]
    assert lines["encoding"]["color"]["scale"]["domain"] == ["training pairs", "held-out pairs"]
    assert "data" not in loss_spec(60, "#123456")
    assert "datasets" not in loss_spec(60, "#123456")
