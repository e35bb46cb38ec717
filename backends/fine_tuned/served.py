"""The fine-tuned column where a server answers: a merged model behind any OpenAI-compatible address.

Nothing here can see which weights a server holds, so the adapter is what the server is *said* to serve, and every
answer says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from backends.base import Backend, BackendEvent, Cost, Loading, Question, Timings, Trace, Usage
from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.fine_tuned.adapters.export import manifest
from backends.fine_tuned.approach import answer_cost
from backends.models.adapter_files import AdapterFiles, read
from backends.remote.address import is_loopback
from backends.remote.connection import Connection
from backends.remote.engine import OpenAICompatibleEngine
from backends.remote.request import messages_of
from backends.run.lane import THIS_MACHINE
from backends.settings import Settings
from backends.spend.budget import Meter, within_budget, worst_case
from backends.spend.pricing import manual_price, manual_rates

AS_SERVED = "as served, not verified"
"""Written wherever such an answer names its adapter."""

_KEY = "CROSSROADS_FINE_TUNED__API_KEY"


class ServedFineTunedBackend(Backend):
    """Asks `fine_tuned.served_model` at `fine_tuned.base_url`; a server on this machine waits for its turn."""

    approach = "fine_tuned"

    def __init__(self, settings: Settings) -> None:
        chosen = settings.fine_tuned
        self.settings = settings
        self._url = chosen.base_url or ""
        self.lane = THIS_MACHINE if is_loopback(self._url) else None
        self.may_be_charged = self.lane is None or chosen.price is not None
        self._claim: dict[str, Any] = {}
        self._engine = OpenAICompatibleEngine(
            Connection(
                base_url=self._url,
                api_key=chosen.api_key,
                model=chosen.served_model or "",
                deadline_s=chosen.deadline_s,
                max_retries=settings.paid_api.max_retries,
                key_variable=_KEY,
                section="fine_tuned",
                model_setting="fine_tuned.served_model",
                allow_private=chosen.allow_private,
                withheld=settings.withheld("fine_tuned"),
            )
        )

    @property
    def model(self) -> str:
        """The served name and where, with the adapter that it is said to be."""
        name = self.settings.fine_tuned.served_model or ""
        served = f"{Path(name).name if name.startswith('/') else name} at {self._engine.connection.where}"
        if not self._claim:
            return f"{served} (its adapter is not stated)"
        return f"{served} (said to be adapter {self._claim['name']}, sha256 {self._claim['sha256'][:12]}; {AS_SERVED})"

    @property
    def identity(self) -> Mapping[str, str]:
        served = {"server": self._engine.connection.where, "model": self.settings.fine_tuned.served_model or ""}
        return served | ({"adapter sha256": self._claim["sha256"]} if self._claim else {})

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Import the SDK and look up what the server is said to serve. Raises `BackendError` if that is not known."""
        self._check_model()
        self._claim = self._claimed()
        if not self._engine.loaded:
            yield Loading("loading the openai client", 1.0)
            self._engine.load()

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        """Answer `question`; see `OpenAICompatibleEngine.stream`. Raises `BackendError` where the budget forbids it."""
        yield Trace("adapter", json.dumps({"claim": AS_SERVED} | self._claim, indent=1))
        messages = messages_of(question)
        events = self._engine.stream(messages, question, cancel)
        price = self.settings.fine_tuned.price
        if self.lane and price is None:  # nobody charges for it
            yield from events
            return
        yield from within_budget(
            events,
            self.settings,
            Meter(lambda usage: self.cost(usage, Timings()), lambda: self._max_attempt_usd(question)),
            1 + self._engine.connection.max_retries,
            run=question.run,
            approach=self.approach,
            model=self._engine.connection.model,
        )

    def chat_request(self, question: Question) -> Mapping[str, Any] | None:
        """See `Backend.chat_request`. Raises `BackendError` if it is not known which model is asked."""
        self._check_model()
        return self._engine.request(messages_of(question), question)

    def reserved_usd(self, question: Question) -> Decimal | None:
        attempt = self._max_attempt_usd(question)
        return None if attempt is None else attempt * (1 + self._engine.connection.max_retries)

    def _max_attempt_usd(self, question: Question) -> Decimal | None:
        """What one attempt can cost; None without a price."""
        price = self.settings.fine_tuned.price
        rates = manual_rates(price, self._engine.connection.model) if price else None
        return worst_case(messages_of(question), question.max_tokens, rates) if rates else None

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """By the token where a price was entered; else machine time for a server on this machine, unknown elsewhere."""
        if price := self.settings.fine_tuned.price:
            return manual_price(usage, price, self._engine.connection.model)
        if self.lane is None:
            return Cost(None, f"what {self._engine.connection.where} costs is not known here")
        return answer_cost(timings, self.settings, self._claim)

    def _check_model(self) -> None:
        if not self.settings.fine_tuned.served_model:
            raise BackendError(
                "It is not set which model the server is to answer with.",
                "Set fine_tuned.served_model to its name there; `transformers serve` takes the folder's path.",
            )

    def _claimed(self) -> dict[str, Any]:
        """Name, sha256 and card of the adapter that the server is said to serve; empty if nothing is said.

        An exported folder, which is what `transformers serve` calls its model, says it itself.
        """
        chosen = self.settings.fine_tuned
        exported = manifest(Path(chosen.served_model or ""))
        if exported is not None:
            return exported.adapter
        if chosen.served_adapter is None:
            return {}
        files = read(adapter_folder(chosen.served_adapter, self.settings.data))
        return claim(files)


def claim(files: AdapterFiles) -> dict[str, Any]:
    """What is known of an adapter that a server is said to serve."""
    return files.card | {"name": files.name, "sha256": files.sha256}
