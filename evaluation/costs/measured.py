"""The inputs as they are here: measured where answers were recorded, from the price list, else labelled assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from backends import ledger
from backends.base import BackendError
from backends.fine_tuned.card import read_card, training_seconds
from backends.fine_tuned.catalogue import adapter_folder
from backends.ledger import Entry
from backends.pricing import rates
from backends.rag.library import collections
from backends.settings import OPENAI_URL, Settings
from evaluation.costs.inputs import Input, Inputs, Way

ASSUMED = "a round figure, until answers were measured here"

_QUESTIONS = Decimal(10_000)
_PROMPT, _PROMPT_WITH_PASSAGES, _COMPLETION = Decimal(60), Decimal(600), Decimal(40)
_SECONDS, _SEARCH_S = Decimal(3), Decimal("0.1")
_UTILISATION = Decimal("0.3")
_EMBED_S = Decimal("0.04")
_CHUNKS, _CHUNK_BYTES = Decimal(1000), Decimal(6000)
_USD_PER_GB_MONTH = Decimal("0.10")
_TRAINING_S = Decimal(600)
_PRICES = ("price.input", "price.cached", "price.output")
_UNITS = {"prompt_tokens": "tokens", "cached_share": "", "completion_tokens": "tokens", "machine_s": "s"}


@dataclass(frozen=True, slots=True)
class Typical:
    """The mean of recorded answers: tokens to 0.1, seconds to 0.001. None: none of them said.

    Means and not medians, because a month costs the mean times its answers.
    """

    prompt_tokens: Decimal | None
    cached_share: Decimal | None
    completion_tokens: Decimal | None
    latency_s: Decimal | None
    retrieval_s: Decimal | None
    note: str
    model: str


def typical(found: Sequence[Entry]) -> Typical | None:
    """What these answers, newest first and of one model, were like; None if there are none."""
    if not found:
        return None
    with_usage = [one for one in found if one.prompt_tokens]
    prompt = sum(one.prompt_tokens or 0 for one in with_usage)
    cached = sum(one.cached_tokens or 0 for one in with_usage)
    since = found[-1].at
    answers = f"{len(found):,} answers" if len(found) > 1 else "1 answer"
    return Typical(
        _mean((one.prompt_tokens for one in found), "0.1"),
        (Decimal(min(cached, prompt)) / prompt).quantize(Decimal("0.001")) if prompt else None,
        _mean((one.completion_tokens for one in found), "0.1"),
        _mean((one.latency_s for one in found), "0.001"),
        _mean((one.retrieval_s for one in found), "0.001"),
        f"mean of {answers} since {since.day} {since:%b %Y}",
        found[0].model,
    )


def _mean(values: Iterable[float | None], step: str) -> Decimal | None:
    known = [Decimal(repr(value)) for value in values if value is not None]
    return (sum(known, Decimal(0)) / len(known)).quantize(Decimal(step)) if known else None


def measured_inputs(settings: Settings, changes: Mapping[str, Decimal] | None = None, rented: bool = True) -> Inputs:
    """Everything as it is here, but for `changes`, which are the user's. Raises `BackendError` for a damaged ledger."""
    values = {
        "questions": Input(_QUESTIONS, "", "your assumption"),
        "machine.usd_per_hour": _assumed(settings.machine_usd_per_hour, "USD", "the machine rate of the settings"),
        "machine.utilisation": _assumed(_UTILISATION, "", "share of a rented machine's hours in which it answers"),
        "machine.at_once": _assumed(Decimal(1), "", "one after another, as answers are measured here"),
        **_prices(settings),
        **_training(settings),
        **_documents(settings),
    }
    raw = typical(ledger.complete_answers(settings.data, "raw"))
    for approach in ("raw", "fine_tuned", "paid_api", "rag"):
        values |= _answers(settings, approach, raw)
    made = Inputs(values, (), rented).assuming(changes or {})
    return replace(made, ways=_ways(settings, made))


def anything_measured(inputs: Inputs) -> bool:
    """Whether any answer was recorded from which an input comes."""
    return any(found.origin == "measured here" for name, found in inputs.values.items() if name.endswith("_tokens"))


def _assumed(value: Decimal, unit: str, note: str = ASSUMED) -> Input:
    return Input(value, unit, "your assumption", note)


def _ways(settings: Settings, inputs: Inputs) -> tuple[Way, ...]:
    paid, generator = settings.paid_api, settings.rag.generator
    prices = [inputs.values[name] for name in _PRICES]
    by_token = any(price.value is not None for price in prices)
    own = bool(paid.on_this_machine) and not by_token
    unknown = "" if by_token or own else prices[0].note
    over_paid = generator == "paid_api"
    return (
        Way("raw", settings.raw.model, on_machine=True),
        Way("fine_tuned", settings.fine_tuned.adapter, on_machine=True, trained=True),
        Way("paid_api", paid.model, on_machine=own, by_token=by_token, why_unknown=unknown),
        Way(
            "rag",
            f"{settings.rag.collection}, written by {paid.model if over_paid else generator.replace('_', '-')}",
            on_machine=True,
            by_token=over_paid and by_token,
            trained=generator == "fine_tuned",
            documents=True,
            why_unknown=unknown if over_paid else "",
        ),
    )


def _answers(settings: Settings, approach: str, raw: Typical | None) -> dict[str, Input]:
    paid, rag = settings.paid_api.model, approach == "rag"
    over_paid = rag and settings.rag.generator == "paid_api"

    def fitting(model: str) -> bool:
        if rag:
            return model.startswith(f"{paid} + ") is over_paid
        return approach != "paid_api" or model == paid

    found = typical(ledger.complete_answers(settings.data, approach, fitting))
    likely = _likely(approach, raw)
    known: dict[str, Decimal | None] = dict.fromkeys(_UNITS)
    if found:
        known = {
            "prompt_tokens": found.prompt_tokens,
            "cached_share": found.cached_share,
            "completion_tokens": found.completion_tokens,
            "machine_s": found.retrieval_s if over_paid else found.latency_s,
        }
    note = f"{found.note} ({found.model})" if found else ""
    return {
        f"{approach}.{of}": likely[of] if value is None else Input(value, _UNITS[of], "measured here", note)
        for of, value in known.items()
    }


def _likely(approach: str, raw: Typical | None) -> dict[str, Input]:
    """What to assume of an approach that has not answered yet."""
    rag = approach == "rag"
    assumed = {
        "prompt_tokens": _assumed(_PROMPT_WITH_PASSAGES if rag else _PROMPT, "tokens"),
        "cached_share": _assumed(Decimal(0), "", "nothing is cached"),
        "completion_tokens": _assumed(_COMPLETION, "tokens"),
        "machine_s": _assumed(_SECONDS, "s"),
    }
    if raw and approach in ("fine_tuned", "paid_api"):
        as_raw = {
            "prompt_tokens": raw.prompt_tokens,
            "completion_tokens": raw.completion_tokens,
            "machine_s": raw.latency_s,
        }
        note = f"as measured of the raw model: {raw.note}"
        assumed |= {of: _assumed(value, _UNITS[of], note) for of, value in as_raw.items() if value is not None}
    return assumed


def _prices(settings: Settings) -> dict[str, Input]:
    url = settings.paid_api.base_url or settings.openai_base_url or OPENAI_URL
    try:
        found = rates(settings.paid_api.model, url)
    except LookupError as reason:
        missing = Input(None, "USD", "price list", str(reason))
        return dict.fromkeys(_PRICES, missing)
    listed = zip(_PRICES, (found.input_mtok, found.cached_mtok, found.output_mtok), strict=True)
    return {name: Input(value, "USD", "price list", found.basis) for name, value in listed}


def _training(settings: Settings) -> dict[str, Input]:
    name = settings.fine_tuned.adapter
    per_month = _assumed(Decimal(1), "", "one training a month")
    seconds = _assumed(_TRAINING_S, "s", "a round figure: the adapter's card does not say how long it took")
    try:
        folder = adapter_folder(name, settings.data)
        if (spent := training_seconds(read_card(folder))) is not None:
            here = folder.resolve().is_relative_to((settings.data / "adapters").resolve())
            note = f"the card of the adapter {folder.name}"
            origin, told = ("measured here", note) if here else ("your assumption", f"{note}, trained elsewhere")
            seconds = Input(Decimal(repr(spent)), "s", origin, told)  # type: ignore[arg-type]
    except BackendError as fault:
        seconds = _assumed(_TRAINING_S, "s", f"a round figure: {fault.cause}")
    return {"training.seconds": seconds, "training.per_month": per_month}


def _documents(settings: Settings) -> dict[str, Input]:
    try:
        found = collections(settings.data)
    except BackendError:
        found = []
    chunks = sum(one.chunks for one in found)
    own = next((one.chunks for one in found if one.name == settings.rag.collection), 0)
    held = _size(settings.data / "index")
    return {
        "documents.chunks": Input(Decimal(own), "chunks", "measured here", f"the collection {settings.rag.collection}")
        if own
        else _assumed(_CHUNKS, "chunks", "a round figure: nothing is indexed yet"),
        "documents.bytes": Input(
            Decimal(held // chunks), "bytes", "measured here", "the index on this disk ÷ its chunks"
        )
        if chunks and held
        else _assumed(_CHUNK_BYTES, "bytes", "a round figure: text, vector and search structures"),
        "documents.embed_s": _assumed(_EMBED_S, "s", "about what two processor cores take for a chunk"),
        "documents.per_month": _assumed(Decimal(1), "", "everything is embedded anew once a month"),
        "documents.usd_per_gb_month": _assumed(
            _USD_PER_GB_MONTH, "USD", "a round figure for a cloud disk, November 2026"
        ),
    }


def _size(folder: Path) -> int:
    """Bytes of all files in a folder, 0 without one. What is deleted meanwhile does not count."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total
