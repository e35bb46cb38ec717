"""The pairs that this browser session works with: where they came from, what was edited, and the report on them.

They stay in the session, and come back after a reload, so that a change of section, page or browser size loses nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import streamlit as st

from backends.fine_tuned.pairs.check import PairReport, check_pairs, check_reviewed
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.held_out import Split, SplitBy, split
from backends.fine_tuned.train.examples import template_tokens, token_counter
from backends.models.local import loaded
from backends.settings import Settings

SAMPLE_PAIRS = Path(__file__).resolve().parents[2] / "sample_docs" / "train.jsonl"

_T = TypeVar("_T")
_CHOSEN = "fine_tuned_pairs"
_REVISION = "fine_tuned_revision"


@dataclass(frozen=True, slots=True)
class ChosenPairs:
    """`pairs` are the rows of the table as they are now, `start` as they were loaded or taken over.

    `source` is in words; `content` and `name` are the file, if it was one. `revision` changes whenever the table is
    filled anew, which is not when it is edited.
    """

    source: str
    pairs: tuple[Pair, ...]
    start: tuple[Pair, ...]
    content: bytes | None = None
    name: str = ""
    revision: int = 0

    @property
    def edited(self) -> bool:
        """Whether the table differs from what was loaded."""
        return self.pairs != self.start


def chosen() -> ChosenPairs | None:
    """What this session works with, or None."""
    return st.session_state.get(_CHOSEN)


def load(source: str, content: bytes, name: str) -> None:
    """Take the pairs of a file, whatever is wrong with it."""
    pairs = check_pairs(content, name).pairs
    st.session_state[_CHOSEN] = ChosenPairs(source, pairs, pairs, content, name, _revision())


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a reload gives back: the file in base64 or, without one, the pairs as they were taken over; and edits."""

    source: str
    name: str
    content: str | None
    start: tuple[Pair, ...] | None
    edited: tuple[Pair, ...] | None


def to_keep() -> bytes | None:
    """The pairs as JSON."""
    now = chosen()
    if now is None:
        return None
    content = None if now.content is None else base64.b64encode(now.content).decode()
    start = now.start if now.content is None else None
    stored = _Stored(now.source, now.name, content, start, now.pairs if now.edited else None)
    return json.dumps(asdict(stored)).encode()


def take_kept(content: bytes) -> None:
    """Work with these pairs again. Raises `ValueError` for what are none."""
    from pydantic import TypeAdapter

    stored = TypeAdapter(_Stored).validate_python(json.loads(content))
    if stored.content is None:
        file, start = None, stored.start or ()
    else:
        file = base64.b64decode(stored.content)
        start = check_pairs(file, stored.name).pairs
    pairs = start if stored.edited is None else stored.edited
    st.session_state[_CHOSEN] = ChosenPairs(stored.source, pairs, start, file, stored.name, _revision())


def load_sample() -> None:
    """Take the sample pairs."""
    load("Sample pairs", SAMPLE_PAIRS.read_bytes(), SAMPLE_PAIRS.name)


def edit(pairs: tuple[Pair, ...]) -> None:
    """Keep what the table holds now."""
    st.session_state[_CHOSEN] = replace(st.session_state[_CHOSEN], pairs=pairs)


def append(more: Sequence[Pair]) -> None:
    """Put reviewed drafts below what is there."""
    now = chosen() or ChosenPairs("Drafts from documents", (), ())
    st.session_state[_CHOSEN] = replace(now, pairs=(*now.pairs, *more), revision=_revision())


def reset() -> None:
    """Fill the table as it was loaded."""
    now: ChosenPairs = st.session_state[_CHOSEN]
    st.session_state[_CHOSEN] = replace(now, pairs=now.start, revision=_revision())


def clear() -> None:
    """Begin with nothing."""
    st.session_state.pop(_CHOSEN, None)


def report(now: ChosenPairs, current: Settings) -> PairReport:
    """What the checks say: of the file as long as it is unchanged, and of the table once it was edited."""
    raw = current.raw
    base = loaded(raw.model, raw.revision, raw.device)

    def check() -> PairReport:
        counting: dict[str, Any] = {}
        if base is not None:
            counting = {
                "count_tokens": token_counter(base),
                "window": base.context_tokens,
                "template_tokens": template_tokens(base, current.system_prompt),
            }
        if now.content is not None and not now.edited:
            return check_pairs(now.content, now.name, **counting)
        return check_reviewed(now.pairs, **counting)

    return _once("report", (now.pairs, now.edited, now.revision, id(base), current.system_prompt), check)


def context_tokens(current: Settings) -> int | None:
    """The base's context in tokens, or None if that is not known."""
    raw = current.raw
    base = loaded(raw.model, raw.revision, raw.device)
    return base.context_tokens if base else None


def split_of(pairs: tuple[Pair, ...], share: float, by: SplitBy, seed: int) -> Split:
    """The split that training will make of these pairs. Raises as `held_out.split` does."""
    return _once("split", (pairs, share, by, seed), lambda: split(pairs, share, by, seed))


def _revision() -> int:
    number: int = st.session_state.get(_REVISION, 0) + 1
    st.session_state[_REVISION] = number
    return number


def _once(slot: str, key: Hashable, compute: Callable[[], _T]) -> _T:
    """What `compute` gives for `key`, worked out again only for another key."""
    place = f"fine_tuned_{slot}"
    held: tuple[Hashable, object] | None = st.session_state.get(place)
    if held is None or held[0] != key:
        held = st.session_state[place] = (key, compute())
    return cast(_T, held[1])
