"""The inputs as they are here: measured where answers were recorded, from the price list, else labelled assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import read_card, training_seconds
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.rag.store.library import collections
from backends.registry import ApproachSpec, make, spec_of, specs
from backends.remote.connection_settings import PAID_API, name_in
from backends.settings import Settings
from backends.spend import ledger
from backends.spend.estimate import same_model
from backends.spend.ledger import Entry
from evaluation.costs.history import refused_without_a_model
from evaluation.costs.inputs import Input, Inputs, Origin, PaymentProfile
from evaluation.costs.paid import PRICES, AddedModel, PaidModel, from_connection, paid_models

ASSUMED = "a round figure, until answers were measured here"

_PROMPT, _PROMPT_WITH_PASSAGES, _COMPLETION = Decimal(60), Decimal(600), Decimal(40)
_SECONDS, _SEARCH_S = Decimal(3), Decimal("0.1")
UNITS = {"prompt_tokens": "tokens", "cached_share": "", "completion_tokens": "tokens", "machine_s": "s"}
"""What is measured of an answer, and in which unit."""


@dataclass(frozen=True, slots=True)
class AverageAnswer:
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


def average_answer(found: Sequence[Entry]) -> AverageAnswer | None:
    """What these answers, newest first and of one model, were like; None if there are none."""
    if not found:
        return None
    with_usage = [one for one in found if one.prompt_tokens]
    prompt = sum(one.prompt_tokens or 0 for one in with_usage)
    cached = sum(one.cached_tokens or 0 for one in with_usage)
    since = found[-1].at
    answers = f"{len(found):,} answers" if len(found) > 1 else "1 answer"
    return AverageAnswer(
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


def assumption(value: Decimal, unit: str, note: str = ASSUMED) -> Input:
    """An assumption that says so."""
    return Input(value, unit, "assumption", note)


def approach_inputs(settings: Settings, approach: str, as_other: AverageAnswer | None, whose: str) -> dict[str, Input]:
    """Tokens and seconds of a local approach with the model in force; until that has answered, those of `as_other`,
    which `whose` names."""
    return _inputs(approach, _average_local_answer(settings, approach), _assumed_inputs(as_other, whose))


def _average_local_answer(settings: Settings, approach: str) -> AverageAnswer | None:
    named = _model_in_force(settings, approach)
    return average_answer(ledger.complete_answers(settings, approach, lambda one: same_model(one, named)))


def _model_in_force(settings: Settings, approach: str) -> str:
    """What the answers of an approach are recorded under with these settings; nothing is loaded."""
    return make(approach, settings.model_copy(update={"scripted": False})).model


def paid_inputs(settings: Settings, paid: PaidModel, as_other: AverageAnswer | None, whose: str) -> dict[str, Input]:
    """Tokens and seconds of a paid model, likewise."""
    return _inputs(paid.approach, average_paid_answer(settings, paid), _assumed_inputs(as_other, whose))


def average_paid_answer(settings: Settings, paid: PaidModel) -> AverageAnswer | None:
    """What the answers of a paid model were like; None if there are none."""
    return average_answer(ledger.complete_answers(settings, paid.approach, lambda model: model == paid.model))


def rag_inputs(settings: Settings) -> dict[str, Input]:
    """Tokens and seconds of RAG with writer, collection and embedder as they are in force; its seconds are those of the
    search if the writer is paid. Refusals that no model wrote are left out: they have no tokens."""
    named = _model_in_force(settings, "rag")
    past = ledger.complete_answers(settings, "rag", lambda one: same_model(one, named))
    found = average_answer([one for one in past if not refused_without_a_model(one)])
    likely = _assumed_inputs(None, "") | {"prompt_tokens": assumption(_PROMPT_WITH_PASSAGES, "tokens")}
    if name_in(settings.rag.generator) is None:
        return _inputs("rag", found, likely)
    likely["machine_s"] = assumption(_SEARCH_S, "s", "a round figure for a search, until one was measured here")
    return _inputs("rag", found and replace(found, latency_s=found.retrieval_s), likely)


def _inputs(approach: str, found: AverageAnswer | None, likely: dict[str, Input]) -> dict[str, Input]:
    known: dict[str, Decimal | None] = dict.fromkeys(UNITS)
    if found:
        known = {
            "prompt_tokens": found.prompt_tokens,
            "cached_share": found.cached_share,
            "completion_tokens": found.completion_tokens,
            "machine_s": found.latency_s,
        }
    note = f"{found.note} ({found.model})" if found else ""
    return {
        f"{approach}.{name}": likely[name] if value is None else Input(value, UNITS[name], "measured here", note)
        for name, value in known.items()
    }


def _assumed_inputs(as_other: AverageAnswer | None, whose: str) -> dict[str, Input]:
    """What to assume of an approach that has not answered yet."""
    likely = {
        "prompt_tokens": assumption(_PROMPT, "tokens"),
        "cached_share": assumption(Decimal(0), "", "nothing is cached"),
        "completion_tokens": assumption(_COMPLETION, "tokens"),
        "machine_s": assumption(_SECONDS, "s"),
    }
    if as_other:
        as_it = {
            "prompt_tokens": as_other.prompt_tokens,
            "completion_tokens": as_other.completion_tokens,
            "machine_s": as_other.latency_s,
        }
        note = f"as measured of {whose}: {as_other.note}"
        likely |= {name: assumption(value, UNITS[name], note) for name, value in as_it.items() if value is not None}
    return likely


_QUESTIONS = Decimal(10_000)
_UTILISATION = Decimal("0.3")
_EMBED_S = Decimal("0.04")
_CHUNKS, _CHUNK_BYTES = Decimal(1000), Decimal(6000)
_USD_PER_GB_MONTH = Decimal("0.10")
_TRAINING_S = Decimal(600)


def current_inputs(
    settings: Settings,
    changes: Mapping[str, Decimal] | None = None,
    rented: bool = True,
    compared: Sequence[str] = (PAID_API,),
    added: Sequence[AddedModel] = (),
) -> Inputs:
    """Everything as it is here, but for `changes`, which are the user's. Raises `BackendError` for a damaged ledger.

    `compared`: the paid models that are compared, by approach, the first one being the reference; of `added` those
    that are among them.
    """
    paid = paid_models(settings, compared, added)
    writer = settings.rag.generator if name_in(settings.rag.generator) is not None else None
    priced_apart = writer is not None and all(one.approach != writer for one in paid)
    priced = [*paid, from_connection(settings, settings.rag.generator)] if priced_apart else list(paid)
    local = [spec for spec in specs() if spec.monthly in ("machine", "trained")]
    base = _average_local_answer(settings, local[0].id)
    values = {
        "questions": assumption(_QUESTIONS, "", "a round figure"),
        "machine.usd_per_hour": _machine_rate(settings),
        "machine.utilisation": assumption(_UTILISATION, "", "share of a rented machine's hours in which it answers"),
        "machine.at_once": assumption(Decimal(1), "", "one after another, as answers are measured here"),
        **{f"{one.approach}.{name}": price for one in priced for name, price in one.prices.items()},
        **_training(settings),
        **_documents(settings),
    }
    for spec in local:
        as_other = None if spec is local[0] else base
        values |= approach_inputs(settings, spec.id, as_other, local[0].in_a_sentence)
    values |= paid_inputs(settings, paid[0], base, local[0].in_a_sentence)
    first = average_paid_answer(settings, paid[0])
    for one in paid[1:]:
        values |= paid_inputs(settings, one, first or base, paid[0].model if first else local[0].in_a_sentence)
    values |= rag_inputs(settings)
    known = {name: value for name, value in (changes or {}).items() if name in values}
    made = Inputs(values, (), rented, paid[0].approach).assuming(known)
    assumed_prices = [_as_assumed(one, made) for one in priced]
    return replace(made, profiles=_profiles(settings, assumed_prices[: len(paid)], assumed_prices))


def _as_assumed(paid: PaidModel, made: Inputs) -> PaidModel:
    return replace(paid, prices={name: made.values[f"{paid.approach}.{name}"] for name in PRICES})


def anything_measured(inputs: Inputs) -> bool:
    """Whether any answer was recorded from which an input comes."""
    return any(found.origin == "measured here" for name, found in inputs.values.items() if name.endswith("_tokens"))


def _profiles(settings: Settings, paid: Sequence[PaidModel], priced: Sequence[PaidModel]) -> tuple[PaymentProfile, ...]:
    profiles: list[PaymentProfile] = []
    for spec in specs():
        match spec.monthly:
            case "paid":
                profiles += map(_paid_profile, paid)
            case "documents":
                profiles.append(_documents_profile(spec.id, settings, priced))
            case how:
                profiles.append(
                    PaymentProfile(spec.id, _weights(spec, settings), on_machine=True, trained=how == "trained")
                )
    return tuple(profiles)


def _weights(spec: ApproachSpec, settings: Settings) -> str:
    """What answers, as its settings name it: the adapter, or else the model."""
    section = getattr(settings, spec.id, None)
    return str(getattr(section, "adapter", None) or getattr(section, "model", None) or spec.name)


def _documents_profile(approach: str, settings: Settings, priced: Sequence[PaidModel]) -> PaymentProfile:
    generator = settings.rag.generator
    writer = next((one for one in priced if one.approach == generator), None)
    written_by = writer.model if writer else generator.replace("_", "-")
    return PaymentProfile(
        approach,
        f"{settings.rag.collection}, written by {written_by}",
        on_machine=True,
        by_token=bool(writer and writer.by_token),
        trained=spec_of(generator).monthly == "trained",
        documents=True,
        priced_by=generator if writer else "",
        why_unknown=writer.why_unknown if writer else "",
    )


def _paid_profile(one: PaidModel) -> PaymentProfile:
    own = one.on_this_machine and not one.by_token
    return PaymentProfile(
        one.approach, one.model, own, one.by_token, paid=True, why_unknown=one.why_unknown, seller=one.seller
    )


def _machine_rate(settings: Settings) -> Input:
    """The machine rate of the settings: the user's as soon as anybody set it."""
    origin: Origin = "your assumption" if "machine_usd_per_hour" in settings.model_fields_set else "assumption"
    return Input(settings.machine_usd_per_hour, "USD", origin, "the machine rate of the settings")


def _training(settings: Settings) -> dict[str, Input]:
    """What a training of the fine-tuned column's adapter takes, and of the one that RAG reads with, if another."""
    chosen, own = settings.fine_tuned.adapter, settings.rag.adapter
    found = {
        "training.seconds": _training_seconds(settings, chosen),
        "training.per_month": assumption(Decimal(1), "", "one training a month"),
    }
    if own and own != chosen and spec_of(settings.rag.generator).monthly == "trained":
        found["rag.training.seconds"] = _training_seconds(settings, own)
    return found


def _training_seconds(settings: Settings, name: str) -> Input:
    """How long the training of an adapter took, as its card says."""
    try:
        folder = adapter_folder(name, settings.data)
        spent = training_seconds(read_card(folder))
    except BackendError as fault:
        return assumption(_TRAINING_S, "s", f"a round figure: {fault.cause}")
    if spent is None:
        return assumption(_TRAINING_S, "s", "a round figure: the adapter's card does not say how long it took")
    seconds, note = Decimal(repr(spent)), f"the card of the adapter {folder.name}"
    if folder.resolve().is_relative_to((settings.data / "adapters").resolve()):
        return Input(seconds, "s", "measured here", note)
    return assumption(seconds, "s", f"{note}, trained elsewhere")


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
        else assumption(_CHUNKS, "chunks", "a round figure: nothing is indexed yet"),
        "documents.bytes": Input(
            Decimal(held // chunks), "bytes", "measured here", "the index on this disk ÷ its chunks"
        )
        if chunks and held
        else assumption(_CHUNK_BYTES, "bytes", "a round figure: text, vector and search structures"),
        "documents.embed_s": assumption(_EMBED_S, "s", "about what two processor cores take for a chunk"),
        "documents.per_month": assumption(Decimal(1), "", "everything is embedded anew once a month"),
        "documents.usd_per_gb_month": assumption(
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
