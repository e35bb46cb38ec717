"""The catalogue as a table, and a card in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd

from backends.fine_tuned.adapters.card import Score, is_reader, reading, score
from backends.fine_tuned.adapters.catalogue import Adapter
from evaluation.durations import duration
from ui.shared import numbers
from ui.shared.file_table import size
from ui.shared.tables import plain_frame


def table(listed: Sequence[Adapter], in_force: str | None) -> pd.DataFrame:
    """One row per adapter; the one that answers is marked with words."""
    return plain_frame(
        {
            "Adapter": [one.name + (" \u2605 answers" if one.name == in_force else "") for one in listed],
            "Fits the base": [fit_text(one) for one in listed],
            "Taught": ["reading" if one.reads else "answers" for one in listed],
            "Right answers": [score_words(one.score) for one in listed],
            "Method": [one.method.replace("_", " ") or numbers.UNKNOWN for one in listed],
            "Origin": [one.origin for one in listed],
            "Size": [size(one.size_bytes) if one.size_bytes else numbers.UNKNOWN for one in listed],
            "Created": pd.Series([one.created for one in listed], dtype="datetime64[ns, UTC]"),
        }
    )


def fit_text(one: Adapter) -> str:
    """Whether it fits, or why not."""
    return f"yes; {one.fit.reason}" if one.fit.fits and one.fit.reason else "yes" if one.fit.fits else one.fit.reason


def score_words(score: Score | None) -> str:
    """Right answers of adapter and base: `79 of 88 (base 0)`."""
    return numbers.UNKNOWN if score is None else f"{score.adapter} of {score.questions} (base {score.base})"


def asked_of(card: Mapping[str, Any]) -> str:
    """On which questions the score was reached: `, on questions.csv`; "" where the card does not say it."""
    score = card.get("score")
    name = score.get("question_set") if isinstance(score, dict) else None
    return f", on {name}" if isinstance(name, str) and name else ""


def fitting(listed: Sequence[Adapter]) -> list[str]:
    """The names of those that can answer without passages."""
    return [one.name for one in listed if one.fit.fits and not one.reads]


def card_rows(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a card says, in the order in which one asks. A card may come from anywhere: what is odd is left out."""
    data, settings, versions = (card.get(name) for name in ("data", "settings", "versions"))
    if is_reader(card):
        yield "Taught", taught_words(card)
    if (found := score(card)) is not None:
        yield "Right answers", score_words(found) + asked_of(card)
    for key, words in (("semantic", "Nearness in meaning"), ("forgetting", "General questions")):
        if isinstance(part := card.get(key), dict) and part:
            yield words, _listed(part)
    if isinstance(data, dict) and data:
        yield "Data", _listed(data)
    for key, words in (
        ("steps", "Steps"),
        ("final_loss", "Training loss at the end"),
        ("held_out_loss", "Held-out loss"),
    ):
        if _is_number(card.get(key)):
            yield words, f"{card[key]:.3g}" if key != "steps" else f"{card[key]:,}"
    if isinstance(last := card.get("last_pass"), dict) and _is_number(last.get("pairs")):
        yield (
            "Last pass",
            f"over all {last['pairs']:,} pairs, the held-out ones too; their loss is from before",
        )
    if _is_number(card.get("seconds")):
        speed = f", {numbers.rate(card['tokens_per_s'])}" if _is_number(card.get("tokens_per_s")) else ""
        yield "Trained for", f"{duration(card['seconds'])}{speed}"
    if (cost := _decimal(card.get("cost_usd"))) is not None:
        yield "Cost", f"{numbers.dollars(cost)} = {card.get('cost_basis', 'on a basis that is not known')}"
    if isinstance(settings, dict) and settings:
        yield "Settings", _listed({key: value for key, value in settings.items() if value not in (None, "", [], ())})
    for key, words in (("base_model", "Base"), ("base_revision", "Base revision")):
        if isinstance(card.get(key), str):
            yield words, card[key]
    if isinstance(precision := card.get("precision"), str):
        reason = card.get("precision_reason")
        yield "Precision", f"{precision}, {reason}" if isinstance(reason, str) and reason else precision
    if isinstance(versions, dict) and versions:
        yield "Versions", _listed(versions)
    if isinstance(digest := card.get("sha256"), str):
        yield "sha256", f"{digest[:12]}\u2026"
    if isinstance(command := card.get("command"), str):
        yield "Trained again by", command


def taught_words(card: Mapping[str, Any]) -> str:
    """What a reader was taught with, as far as its card says it."""
    found = reading(card)
    if found is None:
        return "to read passages; not with which"
    return (
        f"to read passages, no facts: {found.examples:,} examples from the collection {found.collection} (version "
        f"{found.version}), {found.sentences} sentences each; {found.refusals:,} to be refused; {found.left_out:,} "
        "pairs left out"
    )


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{str(key).replace('_', ' ')} {str(value)[:12] if key == 'sha256' else value}" for key, value in values.items()
    )


def _decimal(value: object) -> Decimal | None:
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
