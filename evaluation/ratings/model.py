"""The words of rating sessions: a session, its items, who rates, and what a rating says.

An item is one question with the answers that are judged together. A rating is what one person said of one item: it is
one observation, however many answers it puts in order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, Literal

from backends.errors import BackendError

Kind = Literal["best", "rank", "pairwise", "scale"]
"""What is asked: the best of all answers, an order of them, the better of two, or 1 to 5 on each criterion."""

State = Literal["open", "paused", "closed", "locked"]
"""`open`: can be rated. `paused`: for now not. `closed`: not any more. `locked`: closed, and everybody sees everything;
a session that is unlocked is closed again."""

CRITERIA = ("correct", "complete", "clear", "safe")
"""What is asked of each answer where a session does not say otherwise."""

SCALE = (1, 2, 3, 4, 5)
ALL_BAD = "all_bad"
LONGEST_COMMENT = 4_000
"""Characters of a comment that are kept."""

FULL_PANEL = 40
"""Up to so many items everybody rates every one."""

LEAST_RATERS = 3
"""Of more items, each is rated by so many people at least."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a session asks, and of whom. `per_item`: how many ratings an item gets; None: everybody rates everything.

    `core`: so many items are rated by everybody all the same, so that all raters can be compared. `repeated`: the share
    of items that a rater gets a second time, for self-consistency. `all_bad`: whether that may be said of an item.
    """

    kind: Kind = "best"
    criteria: tuple[str, ...] = ()
    ties: bool = True
    all_bad: bool = True
    per_item: int | None = None
    core: int = 0
    repeated: float = 0.05

    def checked(self) -> Plan:
        """The same, if it can be asked. Raises `BackendError`."""
        if self.kind == "scale" and not self.criteria:
            raise BackendError("A scale needs a criterion.", f"Name one, such as {CRITERIA[0]}.")
        if len(set(self.criteria)) < len(self.criteria) or any(not one.strip() for one in self.criteria):
            raise BackendError("Two criteria have the same name, or one has none.", "Give each its own name.")
        if self.per_item is not None and self.per_item < LEAST_RATERS:
            raise BackendError(
                f"{self.per_item} ratings for an item say nothing about agreement.", f"Ask for {LEAST_RATERS} or more."
            )
        if not 0 <= self.repeated <= 0.5:
            raise BackendError("The share of repeated items is between 0 and a half.", "Give 0.05 for 5 %.")
        return self


@dataclass(frozen=True, slots=True)
class Item:
    """A question with the answers that are judged together, by approach. It holds its texts itself, so that a session
    outlives the run that it was made from.

    `gold` is the approach whose answer is known to be the best; empty where nobody knows. `core`: everybody rates it.
    """

    number: int
    question: str
    answers: Mapping[str, str]
    reference: str = ""
    gold: str = ""
    core: bool = False
    tags: tuple[str, ...] = ()
    cluster: str = ""
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By approach what the run measured of the answer: status, scores by scorer, latency in seconds, USD."""

    @property
    def approaches(self) -> tuple[str, ...]:
        """The approaches whose answers it has, in their order."""
        return tuple(self.answers)


@dataclass(frozen=True, slots=True)
class RatingSession:
    """A session as it was made. Times are UTC. `code_hash` is the sha256 of the code that lets people in."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    state: State
    plan: Plan
    approaches: tuple[str, ...]
    seed: int
    code_hash: str
    run: str = ""
    round: int = 1
    """1, and 2 once the answers were revealed, discussed and are rated again."""


@dataclass(frozen=True, slots=True)
class Rater:
    """A person who rates, or the judge model (`kind`)."""

    id: str
    name: str
    kind: Literal["person", "judge"] = "person"
    guess: Mapping[str, str] | None = None
    """Which approach the person took for which, said at the end; None where nothing was said."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one rater said of one item, as it counts: `ranks` from 1, the best; equal ranks are a tie.

    `order` is in which order the answers were shown. `again`: it is the second time that this rater got the item.
    `scores`: by criterion and approach, 1 to 5. An item that was skipped has no ranks.
    """

    rater: str
    item: int
    order: tuple[str, ...]
    ranks: Mapping[str, int]
    all_bad: bool = False
    again: bool = False
    scores: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    comment: str = ""
    round: int = 1
    at: datetime | None = None

    @property
    def skipped(self) -> bool:
        """Whether the rater said nothing of it."""
        return not self.ranks


def order_of(seed: int, rater: str, item: Item, again: bool = False) -> tuple[str, ...]:
    """In which order a rater sees the answers to an item: drawn, and balanced over each rater's items.

    Of as many items as there are answers, each answer stands at each place once: the order is drawn for the block, and
    turned by another step for each of its items.
    """
    listed = sorted(item.answers)
    count = len(listed)
    if count < 2:
        return tuple(listed)
    block, place = divmod(item.number, count)
    drawn = random.Random(_number(seed, rater, block, again))  # noqa: S311
    drawn.shuffle(listed)
    steps = list(range(count))
    drawn.shuffle(steps)
    turned = steps[place]
    return tuple(listed[turned:] + listed[:turned])


def _number(*parts: object) -> int:
    said = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8])


# --- what a rating says ---------------------------------------------------------------------------


def outcome(plan: Plan, order: Sequence[str], said: Mapping[str, Any]) -> Rating:
    """What was said of the answers as they were shown, as a rating without a rater. Places count from 1.

    `said` has, by the kind of the plan: `best`: a list of places, several for a tie; `ranks`: a rank for each place;
    `scores`: by criterion a number from 1 to 5 for each place. Or `all_bad`: true, or `skip`: true. Raises
    `BackendError` for what the plan does not take.
    """
    count = len(order)
    if said.get("skip"):
        return Rating("", 0, tuple(order), {})
    if said.get(ALL_BAD):
        if not plan.all_bad:
            raise BackendError("This session does not take that all answers are bad.", "Choose one of them.")
        return Rating("", 0, tuple(order), dict.fromkeys(order, 1), all_bad=True)
    if plan.kind == "scale":
        scores = _scores(plan, order, said.get("scores"))
        sums = {name: sum(by_name[name] for by_name in scores.values()) for name in order}
        return Rating("", 0, tuple(order), _ranks(sums), scores=scores)
    if plan.kind == "rank":
        given = said.get("ranks")
        if not _whole_numbers(given, count, range(1, count + 1)):
            raise BackendError("Not every answer has a place in the order.", "Give each answer its place.")
        assert isinstance(given, list)
        ranks = _ranks({name: -rank for name, rank in zip(order, given, strict=True)})
        if not plan.ties and len(set(ranks.values())) < count:
            raise BackendError("Two answers have the same place.", "Give each its own: this session takes no ties.")
        return Rating("", 0, tuple(order), ranks)
    best = said.get("best")
    if not isinstance(best, list) or not best or not all(isinstance(one, int) and 0 < one <= count for one in best):
        raise BackendError("No answer was chosen.", "Choose the best one, or say that all are bad.")
    if len(set(best)) > 1 and not plan.ties:
        raise BackendError("Two answers were chosen.", "Choose one: this session takes no ties.")
    chosen = {order[one - 1] for one in best}
    return Rating("", 0, tuple(order), _ranks({name: int(name in chosen) for name in order}))


def _scores(plan: Plan, order: Sequence[str], given: object) -> dict[str, dict[str, int]]:
    if not isinstance(given, Mapping):
        raise BackendError("No answer has a score.", "Score each answer from 1 to 5.")
    found: dict[str, dict[str, int]] = {}
    for criterion in plan.criteria:
        values = given.get(criterion)
        if not _whole_numbers(values, len(order), SCALE):
            raise BackendError(f"Not every answer is scored for {criterion[:40]}.", "Score each from 1 to 5.")
        assert isinstance(values, list)
        found[criterion] = dict(zip(order, values, strict=True))
    return found


def _whole_numbers(given: object, count: int, allowed: Sequence[int]) -> bool:
    return isinstance(given, list) and len(given) == count and all(type(one) is int and one in allowed for one in given)


def _ranks(merits: Mapping[str, int]) -> dict[str, int]:
    """From the highest merit down; equal merits share a rank, and the next one counts on by one."""
    levels = sorted(set(merits.values()), reverse=True)
    return {name: levels.index(merit) + 1 for name, merit in merits.items()}


def pairs_of(approaches: Sequence[str]) -> list[tuple[str, str]]:
    """Every two of them, once."""
    return list(combinations(approaches, 2))
