"""What one question to a priced server can come to at most, and what it came to; asked within the budget."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from backends import budget
from backends.base import AttemptEnded, AttemptStarted, BackendEvent, Cost, Usage, Waiting
from backends.budget import State
from backends.pricing import Rates

if TYPE_CHECKING:
    from backends.settings import Settings

TOKENS_AROUND_MESSAGE = 16
"""More than any chat format adds to a message (OpenAI's adds 3 or 4)."""


def most_prompt_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """More tokens than `messages` can have: byte-level tokenizers never make more tokens than there are bytes."""
    texts = (value for message in messages for value in message.values())
    return sum(len(text.encode(errors="replace")) for text in texts) + TOKENS_AROUND_MESSAGE * len(messages)


def worst_case(messages: Sequence[Mapping[str, str]], completion_tokens: int, prices: Rates) -> Decimal:
    """What one attempt costs in USD if nothing is cached and every token of the answer is used."""
    dearest = max(prices.input_mtok, prices.cached_mtok)
    return (most_prompt_tokens(messages) * dearest + completion_tokens * prices.output_mtok) / 1_000_000


class Meter:
    """Adds up the attempts of one question, from their events.

    `attempt_at_most` gives what one attempt can cost in USD, None if that is not known; it is only asked where needed.
    """

    def __init__(self, price: Callable[[Usage], Cost], attempt_at_most: Callable[[], Decimal | None]) -> None:
        self._price = price
        self.attempt_at_most = attempt_at_most
        self._under_way = False
        self.usd = Decimal(0)
        self.state: State = "charged"

    def take(self, event: BackendEvent) -> None:
        """Count an attempt that began or ended."""
        if isinstance(event, AttemptStarted):
            self._under_way = True
        elif isinstance(event, AttemptEnded):
            self._under_way = False
            cost = self._price(event.usage).usd if event.usage else None
            if cost is not None:
                self.usd += cost
            elif event.sent and event.status is None:
                self._unsure()

    def close(self) -> None:
        """The question is over; an attempt that never ended may have been charged in full."""
        if self._under_way:
            self._unsure()

    def _unsure(self) -> None:
        """The provider may charge an answer of which it did not report the tokens: the worst case counts."""
        at_most = self.attempt_at_most()
        if at_most is None:
            self.state = "unknown"
        else:
            self.usd += at_most
            self.state = "at most" if self.state == "charged" else self.state


def within_budget(
    events: Iterable[BackendEvent],
    settings: Settings,
    asked: tuple[str, str, str],
    meter: Meter,
    attempts: int,
) -> Iterator[BackendEvent]:
    """Pass on the events of a question to a priced server, if the budget allows its worst case of so many attempts.

    `asked` is its run (empty: one of its own), approach and model. Raises `BackendError` where the budget forbids it.
    """
    caps, data = settings.budget, settings.data
    worst = None
    if caps.per_day_usd is not None or caps.per_run_usd is not None:
        yield Waiting("checking the budget", for_a_place=True)
        worst = meter.attempt_at_most()
        worst = None if worst is None else worst * attempts
    run, approach, model = asked
    reserved = budget.reserve(data, caps, run or uuid.uuid4().hex, approach, model, worst)
    try:
        for event in events:
            meter.take(event)
            yield event
    finally:
        meter.close()
        budget.settle(data, reserved, meter.usd, meter.state)
