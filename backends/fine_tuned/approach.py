"""The fine-tuned column: base weights shared with the raw column, plus one adapter, named and hashed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from decimal import Decimal

from backends.base import Backend, BackendEvent, Cost, Loading, Question, Timings, Trace, Usage
from backends.engines import transformers as engine
from backends.engines.local_model import AdapterView, load_adapter
from backends.fine_tuned.catalogue import adapter_folder
from backends.lane import THIS_MACHINE
from backends.pricing import machine_cost
from backends.raw import RawBackend
from backends.settings import Settings


class FineTunedBackend(Backend):
    """Asks the adapter. The base is the raw column's own, in memory once."""

    approach = "fine_tuned"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lane = THIS_MACHINE
        self._raw = RawBackend(settings)
        self._view: AdapterView | None = None

    @property
    def model(self) -> str:
        name = self.settings.fine_tuned.adapter
        proof = f"{self._view.name} (sha256 {self._view.digest[:12]})" if self._view else name
        return f"{self._raw.model} + adapter {proof}"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        folder = adapter_folder(self.settings.fine_tuned.adapter, self.settings.data)
        yield from self._raw.load(cancel)
        self._view = load_adapter(self._raw.base, folder)

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        assert self._view is not None, "load comes before stream"
        yield Trace("weights", self._raw.base.description)
        yield Trace(
            "adapter", json.dumps({"name": self._view.name, "sha256": self._view.digest} | self._view.card, indent=1)
        )
        yield from engine.generate(self._raw.base, self._view.model, question, cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """Machine time of this answer, plus its share of the training where the adapter's card says how long."""
        rate = self.settings.machine_usd_per_hour
        seconds = self._view.card.get("seconds") if self._view else None
        if seconds is None:
            return machine_cost(timings.latency_s, rate)
        training_usd = Decimal(str(seconds)) * rate / 3600
        return machine_cost(timings.latency_s, rate, training_usd, self.settings.fine_tuned.answers_per_training)
