"""Approach 3: a paid model through the openai SDK, or the stand-in that answers where there is no key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import SecretStr

from backends.base import Backend, BackendError, BackendEvent, Cost, Loading, Question, Timings, Usage
from backends.engines.openai_compatible import Connection, OpenAICompatibleEngine
from backends.lane import THIS_MACHINE
from backends.pricing import estimate, machine_cost, price
from backends.settings import DEFAULT_MODEL, OPENAI_URL, Settings
from backends.stand_in import StandIn

STAND_IN_LABEL = f"stand-in: {DEFAULT_MODEL} (Q4_1 weights, transformers serve on this machine)"

_OPENAI_KEY = "OPENAI_API_KEY"
_OWN_KEY = "CROSSROADS_PAID_API__API_KEY"


class PaidApiBackend(Backend):
    """Asks a model on an OpenAI-compatible server; works for self-hosted servers too.

    The base URL is `paid_api.base_url`, else `OPENAI_BASE_URL`, else OpenAI's. Each key goes only to the address it
    was configured for: `OPENAI_API_KEY` to `OPENAI_BASE_URL` (OpenAI's if that is not set), `paid_api.api_key` to
    `paid_api.base_url` (OpenAI's if that is not set).
    """

    approach = "paid_api"

    def __init__(self, settings: Settings, stand_in: StandIn | None = None) -> None:
        self.settings = settings
        self.base_url = settings.paid_api.base_url or settings.openai_base_url or OPENAI_URL
        key, variable = _key(settings, self.base_url)
        self._unanswered = key is None and _same(self.base_url, OPENAI_URL)
        answering = stand_in if stand_in and (self._unanswered or _same(self.base_url, stand_in.url)) else None
        self.stand_in = answering is not None
        self.lane = THIS_MACHINE if self.stand_in or settings.paid_api.on_this_machine else None
        self._engine = OpenAICompatibleEngine(
            Connection(
                base_url=answering.url if answering else self.base_url,
                api_key=None if answering else key,
                model=answering.model if answering else settings.paid_api.model,
                deadline_s=settings.paid_api.deadline_s,
                max_retries=settings.paid_api.max_retries,
                key_variable=variable,
            )
        )

    @property
    def model(self) -> str:
        """The paid model's name, or what stands in for it."""
        return STAND_IN_LABEL if self.stand_in else self.settings.paid_api.model

    @property
    def needs_key(self) -> bool:
        """True if nobody can answer: no key for OpenAI's address, and no stand-in that runs."""
        return self._unanswered and not self.stand_in

    @property
    def connection(self) -> Connection:
        """Where the question goes."""
        return self._engine.connection

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Import the SDK. Raises `BackendError` if there is neither a key nor a stand-in, or the address is refused."""
        self._check_answerable()
        if not self._engine.loaded:
            yield Loading("loading the openai client", 1.0)
            self._engine.load()

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        """Answer `question`; see `OpenAICompatibleEngine.stream`."""
        self._check_answerable()
        messages = [{"role": "user", "content": question.text}]
        if question.system_prompt:
            messages.insert(0, {"role": "system", "content": question.system_prompt})
        yield from self._engine.stream(messages, question, cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """The list price of the tokens; for the stand-in and for unpriced servers on this machine, its machine rate."""
        rate = self.settings.machine_usd_per_hour
        if self.stand_in:
            cost = machine_cost(timings.latency_s, rate)
            return Cost(cost.usd, f"stand-in, so no paid price applies: {cost.basis}")
        cost = price(usage, self.settings.paid_api.model, self.base_url)
        if cost.usd is None and self.settings.paid_api.on_this_machine:
            return machine_cost(timings.latency_s, rate)
        return cost

    def estimate(self, question: Question) -> Cost:
        """What `question` would cost at the paid model's price, whoever answers it now."""
        url = OPENAI_URL if self.stand_in else self.base_url
        characters = len(question.system_prompt) + len(question.text)
        return estimate(characters, question.max_tokens, self.settings.paid_api.model, url)

    def _check_answerable(self) -> None:
        if self.needs_key:
            raise BackendError(
                f"There is no API key for {OPENAI_URL}.",
                "Set OPENAI_API_KEY in the environment or in .env, or start the stand-in: `crossroads stand-in`.",
            )


def _key(settings: Settings, base_url: str) -> tuple[SecretStr | None, str]:
    """The key that belongs to `base_url`, or None, and the variable in which it is to be set."""
    paid = settings.paid_api
    if _given(paid.api_key) and _same(base_url, paid.base_url or OPENAI_URL):
        return paid.api_key, _OWN_KEY
    if _same(base_url, settings.openai_base_url or OPENAI_URL):
        return (settings.openai_api_key if _given(settings.openai_api_key) else None), _OPENAI_KEY
    return None, _OWN_KEY


def _given(key: SecretStr | None) -> bool:
    """An empty variable is no key."""
    return key is not None and bool(key.get_secret_value().strip())


def _same(one: str, other: str) -> bool:
    """Whether two base URLs are the same address, spelling apart."""
    return _spelled(one) == _spelled(other)


def _spelled(url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(url.strip())
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or default, parts.path.rstrip("/")
    except ValueError:
        return url, "", None, ""
