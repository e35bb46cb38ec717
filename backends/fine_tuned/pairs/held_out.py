"""Which pairs are kept out of training, so that what the adapter learned can be measured."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.near_identical import DisjointSets, QuestionIndex, clusters, normalised, word_set

SplitBy = Literal["group", "phrasing"]

MOST_PHRASINGS = 20
"""An answer that more questions share is a label or a refusal ("yes", "The documents do not say."), not one fact."""

FEWEST_GROUPS = 5
"""With fewer, a held-out group would be more than a fifth of what there is to learn."""

_PHRASINGS = 3
"""A fact needs this many phrasings to give one away: two remain to be taught."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A question that training has seen: positions, from 0, of the pair that taught it and of the question.

    `exact`: the same characters. `normalised`: the same but for case, white space and punctuation at the ends.
    `near`: near-identical as `near_identical` defines it.
    """

    training: int
    question: int
    kind: Literal["exact", "normalised", "near"]


@dataclass(frozen=True, slots=True)
class Split:
    """The part to train on and the part never trained on, each in the order of the pairs.

    `groups`: positions of the pairs of each group of paraphrases. `leaks`: held-out questions that training sees all
    the same, as positions in `train` and `held_out`; by group there are none. `reason`: why nothing is held out, or "".
    """

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    groups: tuple[tuple[int, ...], ...]
    leaks: tuple[Leak, ...]
    reason: str = ""


def groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """Positions of pairs that are about the same thing, in groups; every pair is in exactly one.

    Together are pairs that name the same `group`, that have the same answer but for case and punctuation (unless more
    than `MOST_PHRASINGS` share it), or whose questions are near-identical. Time grows with the number of pairs, not
    with its square.
    """
    return _groups(pairs, clusters([pair.question for pair in pairs]))


def split(pairs: Sequence[Pair], share: float = 0.15, by: SplitBy = "group", seed: int = 0) -> Split:
    """Hold out about `share` (0 to 1) of the pairs; the same pairs and seed always give the same split.

    Two questions are worth asking about an adapter, and each needs its own split:

    - by `group`, whole groups of paraphrases are held out. Nothing like a held-out question was ever taught, so its
      score measures generalisation: style, format, refusals, skills. A fact that is held out cannot be known, so for
      an adapter that is to learn facts this score stays near the base's, and says nothing about what it learned.
    - by `phrasing`, one phrasing is held out of each of enough groups that have three or more, and the others are
      trained on. Its score measures recall: whether what was taught is found when it is asked in other words. It says
      nothing about things that were never taught.

    Too few groups or phrasings give an empty held-out part with the `reason`. Raises `BackendError` for a share
    outside of 0 to 1.

    Examples of reading are split by their questions: all that ask the same are in the same part.
    """
    if not 0 <= share < 1:
        raise BackendError(f"A held-out share of {share:g} is not possible.", "Choose one from 0 to less than 1.")
    if any(pair.prompt for pair in pairs):
        return _by_question(pairs, share, by, seed)
    return _split(pairs, share, by, seed)


def _by_question(pairs: Sequence[Pair], share: float, by: SplitBy, seed: int) -> Split:
    """The split that the first example of each question gives, with the others beside theirs."""
    firsts: dict[str, Pair] = {}
    for pair in pairs:
        firsts.setdefault(pair.question, replace(pair, prompt=""))
    found = _split(list(firsts.values()), share, by, seed)
    kept = {pair.question for pair in found.held_out}
    train = tuple(pair for pair in pairs if pair.question not in kept)
    held_out = tuple(pair for pair in pairs if pair.question in kept)
    leaks = find_leaks(train, [pair.question for pair in held_out]) if held_out else ()
    return Split(train, held_out, found.groups, leaks, found.reason)


def _split(pairs: Sequence[Pair], share: float, by: SplitBy, seed: int) -> Split:
    alike = clusters([pair.question for pair in pairs])
    found = _groups(pairs, alike)
    chosen: set[int] = set()
    reason = "Nothing is held out: the share is 0." if share == 0 else ""
    if share:
        wanted = max(1, round(share * len(pairs)))
        if by == "group":
            chosen, reason = _by_group(pairs, found, wanted, seed)
        else:
            chosen, reason = _by_phrasing(pairs, found, alike, wanted, seed)
    train = tuple(pair for position, pair in enumerate(pairs) if position not in chosen)
    held_out = tuple(pairs[position] for position in sorted(chosen))
    leaks = find_leaks(train, [pair.question for pair in held_out]) if held_out else ()
    return Split(train, held_out, tuple(map(tuple, found)), leaks, reason)


def leak_sentence(count: int) -> str:
    """That so many held-out questions leak, and what that means."""
    questions = "1 held-out question is" if count == 1 else f"{count:,} held-out questions are"
    return f"{questions} seen in training all the same, in nearly these words, so the score says too much."


def find_leaks(training: Sequence[Pair], questions: Sequence[str]) -> tuple[Leak, ...]:
    """The `questions` that `training` has seen, each with one pair that taught it, the most similar kind first."""
    exact = _firsts(pair.question for pair in training)
    normalised_positions = _firsts(normalised(pair.question) for pair in training)
    taught, asked = [word_set(pair.question) for pair in training], [word_set(question) for question in questions]
    index = QuestionIndex([*taught, *asked])
    for position, one in enumerate(taught):
        index.add(position, one)
    leaks = []
    for number, question in enumerate(questions):
        plain = normalised(question)
        if question in exact:
            leaks.append(Leak(exact[question], number, "exact"))
        elif plain in normalised_positions:
            leaks.append(Leak(normalised_positions[plain], number, "normalised"))
        elif (near := min(index.matches(asked[number]), default=None)) is not None:
            leaks.append(Leak(near, number, "near"))
    return tuple(leaks)


def _firsts(texts: Iterable[str]) -> dict[str, int]:
    """The position at which each text first occurs."""
    found: dict[str, int] = {}
    for position, text in enumerate(texts):
        found.setdefault(text, position)
    return found


def _groups(pairs: Sequence[Pair], alike: Sequence[int]) -> list[list[int]]:
    """`alike`: for each question the position of the first near-identical one."""
    answers = [normalised(pair.answer) for pair in pairs]
    sharing: dict[str, list[int]] = defaultdict(list)
    for position, answer in enumerate(answers):
        sharing[answer].append(position)
    named: dict[str, list[int]] = defaultdict(list)
    for position, pair in enumerate(pairs):
        if pair.group:
            named[pair.group].append(position)
    found = DisjointSets(len(pairs))
    for position, first in enumerate(alike):
        found.union(position, first)
    facts = (positions for positions in sharing.values() if len(positions) <= MOST_PHRASINGS)
    for positions in (*facts, *named.values()):
        for position in positions[1:]:
            found.union(position, positions[0])
    together: dict[int, list[int]] = defaultdict(list)
    for position in range(len(pairs)):
        together[found.find(position)].append(position)
    return list(together.values())


def _order(pairs: Sequence[Pair], positions: Sequence[int], seed: int) -> str:
    """A place in the draw that depends on seed and text alone, so that rows can move without changing the split."""
    text = min(f"{normalised(pairs[position].question)}\n{pairs[position].answer}" for position in positions)
    return hashlib.sha256(f"{seed}\n{text}".encode()).hexdigest()


def _by_group(pairs: Sequence[Pair], found: list[list[int]], wanted: int, seed: int) -> tuple[set[int], str]:
    """Positions of about `wanted` pairs by whole groups, and why there are none ("" if there are some)."""
    if len(found) < FEWEST_GROUPS:
        return set(), (
            f"Nothing is held out: {_count(len(pairs), 'pair')} in {_count(len(found), 'group')} of paraphrases, "
            f"and {FEWEST_GROUPS} groups are needed to keep one back."
        )
    drawn = sorted(found, key=lambda group: _order(pairs, group, seed))
    chosen: set[int] = set()
    for group in drawn:
        if len(chosen) + len(group) <= wanted:
            chosen.update(group)
    smallest = min(len(group) for group in drawn)
    return chosen or set(next(group for group in drawn if len(group) == smallest)), ""


def _by_phrasing(
    pairs: Sequence[Pair], found: list[list[int]], alike: Sequence[int], wanted: int, seed: int
) -> tuple[set[int], str]:
    """Likewise, one phrasing of a fact each; `alike` as for `_groups`."""
    facts: list[list[int]] = []
    for group in found:
        same_answer: dict[str, list[int]] = defaultdict(list)
        for position in group:
            same_answer[pairs[position].group or normalised(pairs[position].answer)].append(position)
        facts += same_answer.values()
    drawn = sorted(facts, key=lambda fact: _order(pairs, fact, seed))
    siblings: dict[int, int] = defaultdict(int)
    for first in alike:
        siblings[first] += 1
    chosen: set[int] = set()
    for fact in drawn:
        phrasings = {alike[position] for position in fact}
        alone = [position for position in fact if siblings[alike[position]] == 1]
        if len(phrasings) >= _PHRASINGS and alone and len(chosen) < wanted:
            chosen.add(min(alone, key=lambda position: _order(pairs, [position], seed)))
    reason = f"Nothing is held out: no fact has {_PHRASINGS} phrasings that differ."
    return chosen, "" if chosen else reason


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sample_pairs(pairs: Sequence[Pair], n: int, seed: int = 0) -> list[Pair]:
    """About `n` pairs, never more, by whole groups of paraphrases, in their order.

    The same pairs and seed give the same sample, in whichever order the pairs come. If no group is small enough, its
    first pairs are taken.
    """
    if len(pairs) <= n:
        return list(pairs)
    drawn = sorted(groups(pairs), key=lambda group: min(_draw_position(pairs[position], seed) for position in group))
    chosen: list[int] = []
    for group in drawn:
        if len(chosen) + len(group) <= n:
            chosen += group
    return [pairs[position] for position in sorted(chosen or drawn[0][:n])]


def _draw_position(pair: Pair, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{pair.question}\n{pair.answer}".encode()).hexdigest()
