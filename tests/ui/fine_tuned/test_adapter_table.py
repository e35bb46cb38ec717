"""The catalogue as a table, and a card in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from backends.fine_tuned.adapters.card import Score
from backends.fine_tuned.adapters.catalogue import Adapter
from backends.models.adapter_files import Fit
from ui.fine_tuned.adapter_table import card_rows, fitting, table

DOORS = Adapter(
    "doors",
    Path("doors"),
    "trained here",
    "",
    Fit(True),
    "tiny",
    "last_layers",
    4_940_000,
    datetime(2026, 11, 20, 9, tzinfo=UTC),
    Score(10, 1, 9),
    "ab" * 32,
)
OTHER = Adapter("other", Path("other"), "Hub", "acme/other", Fit(False, "It was trained for x, not for y."))
REVISED = Adapter("revised", Path("r"), "zip file", "r.zip", Fit(True, "It was trained on revision 1."))


def test_every_adapter_says_what_is_known_and_which_one_answers() -> None:
    shown = table([DOORS, OTHER, REVISED], "doors")
    assert list(shown["Adapter"]) == ["doors \u2605 answers", "other", "revised"]
    assert list(shown["Fits the base"]) == [
        "yes",
        "It was trained for x, not for y.",
        "yes; It was trained on revision 1.",
    ]
    assert list(shown["Right answers"]) == ["9 of 10 (base 1)", "\u2014", "\u2014"]
    assert list(shown["Taught"]) == ["answers", "answers", "answers"]
    assert list(shown["Method"]) == ["last layers", "\u2014", "\u2014"]
    assert list(shown["Size"]) == ["4.94 MB", "\u2014", "\u2014"]
    assert shown["Created"].isna().tolist() == [False, True, True]
    assert fitting([DOORS, OTHER, REVISED]) == ["doors", "revised"]
    reader = replace(DOORS, name="reader", reads=True)
    assert list(table([reader], None)["Taught"]) == ["reading"]
    assert fitting([DOORS, reader]) == ["doors"]


def test_a_card_is_read_in_words() -> None:
    card = {
        "data": {"pairs": 376, "sha256": "c" * 64, "held_out": 56},
        "score": {"questions": 10, "base": 1, "adapter": 9, "question_set": "asked.csv"},
        "semantic": {"base": 0.31, "adapter": 0.86, "embedder": "mini"},
        "forgetting": {"known_by_base": 33, "kept": 4},
        "precision": "float32",
        "precision_reason": "as it was set",
        "steps": 1235,
        "final_loss": 0.004551,
        "held_out_loss": 1.25,
        "seconds": 421.7,
        "tokens_per_s": 252.6,
        "cost_usd": "0.0117123",
        "cost_basis": "422 s at 0.10 USD/hour",
        "settings": {"rank": 8, "learning_rate": None, "target_modules": []},
        "base_model": "tiny",
        "sha256": "d" * 64,
    }
    assert dict(card_rows(card)) == {
        "Right answers": "9 of 10 (base 1), on asked.csv",
        "Nearness in meaning": "base 0.31, adapter 0.86, embedder mini",
        "General questions": "known by base 33, kept 4",
        "Precision": "float32, as it was set",
        "Data": "pairs 376, sha256 cccccccccccc, held out 56",
        "Steps": "1,235",
        "Training loss at the end": "0.00455",
        "Held-out loss": "1.25",
        "Trained for": "7 min, 253 tokens/s",
        "Cost": "$0.0117 = 422 s at 0.10 USD/hour",
        "Settings": "rank 8",
        "Base": "tiny",
        "sha256": "dddddddddddd\u2026",
    }


def test_a_card_from_elsewhere_may_say_anything() -> None:
    odd = {
        "data": 5,
        "steps": "many",
        "seconds": True,
        "settings": "x",
        "base_model": ["x"],
        "sha256": 1,
        "cost_usd": "NaN",
        "versions": 2,
    }
    assert dict(card_rows(odd)) == {}
