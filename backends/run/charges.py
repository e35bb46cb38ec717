"""What an answer was charged: its last attempt, the failed ones before it, and nothing for what no server took."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal

from backends.base import Attempt, AttemptEnded, Backend, Cost, Timings, Usage

_NOT_SENT = Cost(Decimal(0), "nothing was sent, so nothing was charged")
_REFUSED = Cost(Decimal(0), "refused by the server, and what is refused is not charged")

_log = logging.getLogger(__name__)


def attempt_cost(backend: Backend, end: AttemptEnded, lasted_s: float) -> Cost | None:
    """What one request was charged; None where the server neither reported its tokens nor refused it."""
    if end.usage:
        return _price(backend, end.usage, Timings(latency_s=lasted_s))
    return _REFUSED if _refused(end) else None


def answer_cost(
    backend: Backend,
    usage: Usage,
    timings: Timings,
    attempts: Sequence[Attempt],
    ends: Sequence[AttemptEnded],
    not_begun: bool,
) -> Cost:
    """What all requests of an answer were charged together.

    `usage` and `timings` are of the last attempt; `attempts` and how they ended (`ends`) are in the same order.
    `not_begun`: the answer failed before its first request.
    """
    cost = _with_failed(_price(backend, usage, timings), attempts[:-1], _unsure(ends[:-1]))
    return (_free(ends, not_begun) or cost) if cost.usd is None else cost


def _free(ends: Sequence[AttemptEnded], not_begun: bool) -> Cost | None:
    """No cost, where no request reached a server or each was refused with a status; None where neither is sure."""
    if not_begun or (ends and not any(end.sent for end in ends)):
        return _NOT_SENT
    return _REFUSED if ends and all(map(_refused, ends)) else None


def _refused(end: AttemptEnded) -> bool:
    """Whether the server refused the request with a status, or never got it."""
    return end.status is not None or not end.sent


def _unsure(failed: Sequence[AttemptEnded]) -> int:
    """How many failed attempts broke off in such a way that they may have been charged all the same."""
    return sum(end.sent and end.status is None and end.usage is None for end in failed)


def _with_failed(cost: Cost, failed: Sequence[Attempt], unsure: int) -> Cost:
    """The cost of the last attempt with that of the ones before it whose tokens were reported."""
    if unsure and cost.usd is not None:
        cost = Cost(cost.usd, f"{cost.basis}; {unsure} that broke off before may have been charged as well")
    more = [one.cost for one in failed if one.cost is not None and one.usage is not None]
    if not more:
        return cost
    known = [one.usd for one in more if one.usd is not None]
    if cost.usd is None or len(known) < len(more):
        return Cost(None, f"{cost.basis}; failed attempts were charged too, and not all of it is known")
    usd = sum(known, Decimal(0))
    return Cost(cost.usd + usd, f"{cost.basis}; with {usd} USD for {len(more)} failed attempts")


def _price(backend: Backend, usage: Usage, timings: Timings) -> Cost:
    """An answer is never lost because its price could not be worked out."""
    try:
        return backend.cost(usage, timings)
    except Exception:
        _log.exception("the cost of %s could not be worked out", backend.approach)
        return Cost(None, "the cost could not be worked out; the log has the details")
