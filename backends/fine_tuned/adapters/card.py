"""The model card beside an adapter: `card.json` for programs, and `README.md` made from it, as the Hub shows it.

What `card.json` may hold; a card from elsewhere may lack any of it or hold something else:

    base_model, base_revision       the id and revision of the weights that were trained on
    method                          lora or last_layers
    settings                        rank, alpha, epochs, batch, learning_rate, warmup, seed, system_prompt, ...
    data                            pairs (their number), sha256 over them, held_out (number of pairs kept aside)
    created                         when training ended, ISO 8601 with its offset
    steps, final_loss, seconds, tokens_per_s, precision, device, versions
    precision_reason                why that precision, in words that end a sentence
    best_step, held_out_loss        the step whose state was kept, and its loss on the held-out part
    run                             the id of the training, whose folder has its pairs
    cost_usd, cost_basis            the training's cost as text, and the calculation in words
    score                           questions, base, adapter: how many were asked and answered right; question_set:
                                    where they came from
    semantic                        base, adapter: mean cosine between the embeddings of answers and references;
                                    embedder
    forgetting                      known_by_base, kept: general questions that the base answers right, and of these
                                    how many the adapter does
    command                         what trains this adapter again
    kind                            reading, of an adapter that was taught to read passages; else it was taught answers
    reading                         of such an adapter, what `Reading` holds
    sha256                          of adapter_model.safetensors
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from backends.models.adapter_card import FIRST, LAST, usable_date
from backends.models.adapter_files import CARD, WEIGHTS, AdapterFiles, card_of
from backends.storage.files import write_text

README = "README.md"
READING = "reading"
"""The kind of an adapter that was taught to read passages."""

_MERGED_USAGE = [
    "```python",
    "from transformers import AutoModelForCausalLM, AutoTokenizer",
    "",
    'model = AutoModelForCausalLM.from_pretrained("this folder")',
    'tokenizer = AutoTokenizer.from_pretrained("this folder")',
    "```",
    "",
    "Or serve it: `transformers serve FOLDER`, `vllm serve FOLDER`.",
]


@dataclass(frozen=True, slots=True)
class Score:
    """How many of `questions` the base and the adapter answered right."""

    questions: int
    base: int
    adapter: int


@dataclass(frozen=True, slots=True)
class Reading:
    """From what the examples of a reader were made: a collection at a version, and so many sentences for each.

    `examples` in all, held-out ones included; `refusals` of them are to be refused. `left_out`: pairs that gave none.
    """

    collection: str
    version: str
    sentences: int
    examples: int
    refusals: int
    left_out: int


def reading(card: Mapping[str, Any]) -> Reading | None:
    """From what a reader was made; None for an adapter of another kind, or whose card does not say it usably."""
    found = card.get("reading")
    if not is_reader(card) or not isinstance(found, dict):
        return None
    try:
        return TypeAdapter(Reading).validate_python(found)
    except ValidationError:
        return None


def is_reader(card: Mapping[str, Any]) -> bool:
    """Whether an adapter was taught to read passages, and knows no more than its base without them."""
    return card.get("kind") == READING


def read_card(folder: Path) -> dict[str, Any]:
    """The card of an adapter, empty if it has none. Raises `BackendError` if it is damaged or says the impossible."""
    return card_of(folder)


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write `card.json` and the README that says the same; each appears whole or not at all."""
    write_text(folder / CARD, json.dumps(card, indent=1) + "\n")
    write_text(folder / README, readme(folder.name, card))


def amend_card(folder: Path, more: Mapping[str, Any]) -> None:
    """Add to the card, or replace what it says."""
    write_card(folder, read_card(folder) | dict(more))


def training_seconds(card: Mapping[str, Any]) -> float | None:
    """How long training took, or None if the card does not say it in a usable way."""
    seconds = card.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if math.isfinite(seconds) and seconds >= 0 else None


def score(card: Mapping[str, Any]) -> Score | None:
    """The score on unseen questions, or None if the card does not say it in a usable way."""
    found = card.get("score")
    if not isinstance(found, dict):
        return None
    counts = [found.get(name) for name in ("questions", "base", "adapter")]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        return None
    questions, base, adapter = (int(count) for count in counts if count is not None)
    return Score(questions, base, adapter) if questions > 0 and min(base, adapter) >= 0 else None


def created(files: AdapterFiles) -> datetime:
    """When training ended, in UTC; without a date in the card, when the file of the weights was written."""
    stated = files.card.get("created")
    written = min(max(FIRST.timestamp(), (files.folder / WEIGHTS).stat().st_mtime), LAST.timestamp() - 1)
    return (usable_date(stated) if isinstance(stated, str) else None) or datetime.fromtimestamp(written, UTC)


def readme(name: str, card: Mapping[str, Any], merged: bool = False) -> str:
    """The card as a Markdown page with the Hub's metadata (huggingface.co/docs/hub/model-cards).

    `merged`: for the standalone model that base and adapter make, not for the adapter's own folder.
    """
    base = str(card.get("base_model") or "")
    metadata = {"library_name": "transformers" if merged else "peft", "pipeline_tag": "text-generation"}
    metadata |= {"base_model": base} if base else {}
    head = [f"{key}: {json.dumps(value)}" for key, value in metadata.items()]
    rows = [f"| {key} | {_cell(value)} |" for key, value in _rows(card)]
    table = ["| | |", "| --- | --- |", *rows] if rows else ["Nothing is known about how it was made."]
    usage = _MERGED_USAGE if merged else _usage(base)
    lines = ["---", *head, "---", "", f"# {_cell(name)}", "", _summary(card, base, merged), "", *table, "", *usage]
    return "\n".join(lines) + "\n"


def _summary(card: Mapping[str, Any], base: str, merged: bool) -> str:
    base_name = _cell(base) or "a base that is not named"
    if merged:
        return f"{base_name} with an adapter merged into its weights: a model of its own, with every file it needs."
    kind = "The last layers" if card.get("method") == "last_layers" else "An adapter"
    taught = ", taught to read passages and to answer from them; it was taught no facts" if is_reader(card) else ""
    return f"{kind} for {base_name}, in peft's format{taught}."


def _rows(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    settings, data, versions = (_object(card, name) for name in ("settings", "data", "versions"))
    if card.get("base_model"):
        revision = f", revision {card['base_revision']}" if card.get("base_revision") else ""
        yield "base", f"{card['base_model']}{revision}"
    if card.get("method"):
        shown = (f"{key} {value}" for key, value in settings.items() if value not in (None, "", [], ()))
        yield "method", ", ".join([str(card["method"]), *shown])
    if data:
        yield "data", ", ".join(f"{key} {value}" for key, value in data.items())
    if made_from := reading(card):
        yield "reading", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in asdict(made_from).items())
    found = score(card)
    if found:
        asked = _object(card, "score").get("question_set")
        on = f", on {asked}" if asked else ""
        yield "right answers", f"{found.adapter} of {found.questions}; the base {found.base}{on}"
    if near := _object(card, "semantic"):
        yield "nearness in meaning", ", ".join(f"{key} {value}" for key, value in near.items())
    if forgetting := _object(card, "forgetting"):
        yield "general questions", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in forgetting.items())
    names = (
        "created",
        "steps",
        "best_step",
        "final_loss",
        "held_out_loss",
        "seconds",
        "tokens_per_s",
        "cost_usd",
        "cost_basis",
        "precision",
        "precision_reason",
        "device",
    )
    for name in (*names, "command", "sha256"):
        if card.get(name) is not None:
            yield name.replace("_", " "), str(card[name])
    if versions:
        yield "versions", ", ".join(f"{key} {value}" for key, value in versions.items())


def _usage(base: str) -> list[str]:
    model = json.dumps(base or "the base's id or folder")
    return [
        "```python",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        f"base = AutoModelForCausalLM.from_pretrained({model})",
        'model = PeftModel.from_pretrained(base, "this folder")',
        "```",
    ]


def _object(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = card.get(name)
    return value if isinstance(value, dict) else {}


def _cell(value: object) -> str:
    """Text in which Markdown finds no table, link, image, code or HTML: a card may come from anywhere."""
    return re.sub(r"([\\`*_\[\]<>|!#])", r"\\\1", " ".join(str(value).split()))
