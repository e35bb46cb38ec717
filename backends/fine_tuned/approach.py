"""The fine-tuned column: base weights shared with the raw column, plus one adapter, named and hashed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from backends.base import Backend, BackendEvent, Cost, Loading, Note, Question, Timings, Trace, Usage
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import is_reader, read_card, training_seconds
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.models import generate as engine
from backends.models.adapter_view import SWITCH_S, AdapterView, is_ready, load_adapter
from backends.models.local import base_label, base_of, load_base, weights_identity
from backends.run.lane import THIS_MACHINE
from backends.settings import Settings
from backends.spend.pricing import machine_cost
from backends.text import OPEN


class FineTunedBackend(Backend):
    """Asks the adapter. The base is the raw column's own, in memory once; what the adapter changes is added to it."""

    approach = "fine_tuned"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lane = THIS_MACHINE
        self._view: AdapterView | None = None

    @property
    def parameters(self) -> int | None:
        return base_of(self.settings).parameters

    @property
    def reader(self) -> str:
        card = self._view.card if self._view else self._card()
        return Path(self.settings.fine_tuned.adapter).name if is_reader(card) else ""

    @property
    def model(self) -> str:
        name = self.settings.fine_tuned.adapter
        proof = f"{self._view.name} (sha256 {self._view.digest[:12]})" if self._view else name
        return f"{base_label(self.settings)} + adapter {proof}"

    @property
    def identity(self) -> Mapping[str, str]:
        adapter = {"adapter": self._view.name, "adapter sha256": self._view.digest} if self._view else {}
        return weights_identity(self.settings) | adapter

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """The base, then the adapter over it: a switch of adapters does not load the base again."""
        chosen = self.settings.fine_tuned
        folder = adapter_folder(chosen.adapter, self.settings.data)
        yield from load_base(self.settings)
        base = base_of(self.settings)
        if not is_ready(base, folder, chosen.merge):
            yield Loading(f"putting the adapter {folder.name} over its base", SWITCH_S)
        self._view = load_adapter(base, folder, chosen.merge, chosen.any_base_name)

    def fits(self, question: Question) -> bool | None:
        return engine.fits(base_of(self.settings), question)

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        view = self._view
        assert view is not None, "load comes before stream"
        base = base_of(self.settings)
        yield Trace("weights", base.description)
        about = {"name": view.name, "sha256": view.digest, "weights": view.how}
        yield Trace("adapter", json.dumps(about | {k: v for k, v in view.card.items() if k not in about}, indent=1))
        if view.note:
            yield Note(f"The adapter {view.name}: {view.note}")
        if self.reader and OPEN not in question.text:
            yield Note(f"The adapter {view.name} was taught to read passages, not facts; here it has none to read.")
        if self.settings.fine_tuned.merge and not view.merged:
            yield Note("There is no room for merged weights, so the adapter works beside its base, which is slower.")
        yield from engine.generate(base, view.model, question, cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return answer_cost(timings, self.settings, self._view.card if self._view else self._card())

    def _card(self) -> Mapping[str, Any]:
        """The card of an adapter that is not loaded yet; empty if there is no such adapter."""
        try:
            return read_card(adapter_folder(self.settings.fine_tuned.adapter, self.settings.data))
        except BackendError:
            return {}


def answer_cost(timings: Timings, settings: Settings, card: Mapping[str, Any]) -> Cost:
    """Machine time of an answer, plus its share of the training where the adapter's card says how long that took."""
    rate = settings.machine_usd_per_hour
    seconds = training_seconds(card)
    if seconds is None:
        return machine_cost(timings.latency_s, rate)
    training_usd = Decimal(str(seconds)) * rate / 3600
    return machine_cost(timings.latency_s, rate, training_usd, settings.fine_tuned.answers_per_training)


def make(settings: Settings) -> Backend:
    """The adapter in this process, or the server that the settings name in its place."""
    from backends.fine_tuned.served import ServedFineTunedBackend

    return ServedFineTunedBackend(settings) if settings.fine_tuned.base_url else FineTunedBackend(settings)
