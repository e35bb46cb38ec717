"""Approach 3: a paid model through the openai SDK, or the stand-in that answers where there is no key."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from backends.base import Backend, BackendEvent, Cost, Loading, PromptTokens, Question, Timings, Usage
from backends.errors import BackendError, NotAsked
from backends.models.weights import pending
from backends.recorded import RecordedBackend
from backends.registry import ApproachSpec
from backends.remote import connections
from backends.remote import stand_in as stand_in_server
from backends.remote.connection_settings import DEFAULT, approach_of, same_address
from backends.remote.engine import Connection, OpenAICompatibleEngine
from backends.remote.request import messages_of
from backends.remote.stand_in import StandIn
from backends.run.lane import THIS_MACHINE
from backends.settings import DEFAULT_MODEL, OPENAI_URL, Settings
from backends.spend.budget import Meter, most_prompt_tokens, within_budget, worst_case
from backends.spend.estimate import count_prompt_tokens
from backends.spend.pricing import (
    context_window,
    machine_cost,
    manual_price,
    manual_rates,
    possible_tiers,
    price,
    rates,
)

STAND_IN_LABEL = f"stand-in: {DEFAULT_MODEL} (Q4_1 weights, transformers serve on this machine)"


class PaidApiBackend(Backend):
    """Asks the model of one connection, by its name (`backends.remote.connections`); works for self-hosted servers too.

    The stand-in may answer in place of the default connection, where that has no key: `stand_in` runs already,
    `starts` starts one in the turn of the first question.
    """

    may_be_charged = True

    def __init__(
        self,
        settings: Settings,
        stand_in: StandIn | None = None,
        name: str = DEFAULT,
        *,
        starts: stand_in_server.Control | None = None,
    ) -> None:
        self.settings = settings
        self.name = name
        self.approach = approach_of(name)
        self.chosen = connections.settings_of(settings, name)
        configured = connections.resolved(settings, name)
        self.base_url = configured.base_url
        self._lacks_key = not name and not configured.key and same_address(self.base_url, OPENAI_URL)
        wanted = self._lacks_key or (stand_in is not None and same_address(self.base_url, stand_in.url))
        answering = stand_in if wanted and not name else None
        self._starts = starts if self._lacks_key and answering is None else None
        self.stand_in = answering is not None or self._starts is not None
        self.lane = THIS_MACHINE if self.stand_in or connections.computes_here(settings, name) else None
        self.at_once = self.chosen.max_at_once
        self._engine = OpenAICompatibleEngine(_served_by(answering, configured) if answering else configured)

    @property
    def model(self) -> str:
        """The paid model's name, or what stands in for it."""
        return STAND_IN_LABEL if self.stand_in else self.chosen.model

    @property
    def identity(self) -> Mapping[str, str]:
        return {"server": self.connection.where, "model": self.connection.model} if not self.stand_in else {}

    @property
    def needs_key(self) -> bool:
        """True if nobody can answer: no key for OpenAI's address, and no stand-in that runs."""
        return self._lacks_key and not self.stand_in

    @property
    def connection(self) -> Connection:
        """Where the question goes."""
        return self._engine.connection

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Import the SDK, and start the stand-in where one is to answer.

        Raises `NotAsked` if there is neither a key nor a stand-in, and `BackendError` if the address is refused.
        """
        self.check_answerable()
        if self._starts:
            yield from self._start(self._starts, cancel)
        if not self._engine.loaded:
            yield Loading("loading the openai client", 1.0)
            self._engine.load()

    def _start(self, control: stand_in_server.Control, cancel: threading.Event) -> Iterator[Loading]:
        data = self.settings.data
        if stand_in_server.running(data) is None:
            if waiting := pending(DEFAULT_MODEL, data):
                yield waiting
            yield Loading(stand_in_server.TURN, stand_in_server.USUAL_START_S)
        try:
            answering = control.start(cancel)
        except BackendError as fault:
            raise NotAsked(fault.cause, fault.next_step) from None
        self._starts = None
        self._engine = OpenAICompatibleEngine(_served_by(answering, self.connection))

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        """Answer `question`; see `OpenAICompatibleEngine.stream`. Raises `BackendError` where the budget forbids it."""
        self.check_answerable()
        messages = messages_of(question)
        if self._costs_machine_time():
            yield from self._engine.stream(messages, question, cancel)
            return
        meter = Meter(lambda usage: self.cost(usage, Timings()), lambda: self.max_attempt_usd(messages, question))
        yield from within_budget(
            self._engine.stream(messages, question, cancel),
            self.settings,
            meter,
            self._most_attempts,
            run=question.run,
            approach=self.approach,
            model=self.chosen.model,
        )

    def chat_request(self, question: Question) -> Mapping[str, Any] | None:
        """See `Backend.chat_request`; None where a stand-in answers. Raises `BackendError` without a model."""
        self._check_model()
        return None if self.stand_in else self._engine.request(messages_of(question), question)

    def reserved_usd(self, question: Question) -> Decimal | None:
        if self._costs_machine_time():
            return Decimal(0)
        attempt = self.max_attempt_usd(messages_of(question), question)
        return None if attempt is None else attempt * self._most_attempts

    @property
    def _most_attempts(self) -> int:
        return 1 + self.connection.max_retries

    def max_attempt_usd(self, messages: Sequence[Mapping[str, str]], question: Question) -> Decimal | None:
        """What one attempt can cost in USD, in the dearest tier that the server may choose; None without a price."""
        if self.chosen.price:
            return worst_case(messages, question.max_tokens, manual_rates(self.chosen.price, self.chosen.model))
        model, url = self.chosen.model, connections.price_url(self.settings, self.name)
        lengths, tiers = (most_prompt_tokens(messages), 0), (None, *possible_tiers(model, url))
        try:
            possible = [rates(model, url, tokens, tier) for tokens in lengths for tier in tiers]
        except LookupError:
            return None
        return max(worst_case(messages, question.max_tokens, prices) for prices in possible)

    def _costs_machine_time(self) -> bool:
        """Whether nobody charges for tokens: the stand-in, and servers on this machine without a price."""
        if self.stand_in or self.lane is None:
            return self.stand_in
        return self.max_attempt_usd((), Question("")) is None

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """The list price of the tokens; for the stand-in and for unpriced servers on this machine, its machine rate."""
        rate = self.settings.machine_usd_per_hour
        if self.stand_in:
            cost = machine_cost(timings.latency_s, rate)
            return Cost(cost.usd, f"stand-in, so no paid price applies: {cost.basis}")
        if self.chosen.price:
            return manual_price(usage, self.chosen.price, self.chosen.model)
        cost = price(usage, self.chosen.model, connections.price_url(self.settings, self.name))
        if cost.usd is None and self.lane:
            return machine_cost(timings.latency_s, rate)
        return cost

    def prompt_tokens(self, question: Question) -> PromptTokens | None:
        """By the model's own tokenizer where that is here: weights in memory, OpenAI's vocabularies; None otherwise."""
        return count_prompt_tokens(self.chosen.model, question, self.settings.data)

    def fits(self, question: Question) -> bool | None:
        """By the context window in the list of prices.

        Tokens are counted only where the most that there can be do not fit, because this is asked while an answer is
        timed, and the tokenizer's vocabulary may not be in memory yet.
        """
        window = context_window(self.chosen.model, connections.price_url(self.settings, self.name))
        if window is None or self.stand_in:
            return None
        room = window - question.max_tokens
        if most_prompt_tokens(messages_of(question)) <= room:
            return True
        known = self.prompt_tokens(question)
        return known is not None and known.exact and known.tokens <= room

    def check_address(self) -> None:
        """Raise `BackendError` if there is nobody to ask: no address, or neither a key nor a stand-in for OpenAI's."""
        if self.needs_key:
            raise NotAsked(
                f"There is no API key for {OPENAI_URL}.",
                self.connection.withheld
                or "Enter one, set OPENAI_API_KEY, or let a stand-in answer in its place (paid_api.stand_in).",
            )
        if not self.base_url:
            raise BackendError(
                f"The connection {self.name or 'paid_api'} has no address.",
                f"Set {connections.section_of(self.name)}.base_url to the server's.",
            )

    def check_answerable(self) -> None:
        self.check_address()
        self._check_model()

    def _check_model(self) -> None:
        if not self.chosen.model:
            raise BackendError(
                f"It is not set which model the connection {self.name or 'paid_api'} is to ask.",
                f"Set {connections.section_of(self.name)}.model; `crossroads connections --test` lists the models.",
            )


def _served_by(answering: StandIn, configured: Connection) -> Connection:
    return replace(configured, base_url=answering.url, model=answering.model, api_key=None, headers=(), withheld="")


def make(settings: Settings) -> PaidApiBackend:
    """The default connection's backend, where a stand-in answers if it lacks a key and a stand-in is wanted."""
    control = stand_in_server.control(settings.data)
    starts = control if control.wanted(settings.paid_api.stand_in) else None
    return PaidApiBackend(settings, stand_in_server.running(settings.data), starts=starts)


def _make(settings: Settings, name: str = DEFAULT) -> Backend:
    if connections.settings_of(settings, name).recorded:
        return RecordedBackend(settings, name)
    return PaidApiBackend(settings, name=name) if name else make(settings)


def _named(settings: Settings) -> tuple[str, ...]:
    return tuple(sorted(settings.connections))


SPEC = ApproachSpec(
    id="paid_api",
    name="Paid API",
    make=_make,
    panel="ui.paid_api.connections:connection_panel",
    page="ui.paid_api.page:paid_api_page",
    offer="ui.ask.stand_in_offer:stand_in_offer",
    writes=True,
    monthly="paid",
    variants=_named,
    what="A giant model that somebody else runs. You send the question over the network and pay per token.",
    use_when="for hard reasoning, many languages, low volume, or to get going today: nothing to host.",
    avoid_when=(
        "when questions may not leave the house, when volume makes tokens dearer than a machine, or when the "
        "provider's outages, limits and model changes are not acceptable."
    ),
    icon=":material/payments:",
    colour="violet",
    hex="#8446c9",
)
