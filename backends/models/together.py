"""Answers of one model to several questions at once: their prompts, padded at the left, go through one `generate`.

For work that wants answers per hour and no time of each: rows of a batch share every step, so that none has a time of
its own. Whoever answers is asked as always (`run.timing`, an approach, its check of the answer), each question on a
thread of its own; only `models.generate` finds that its thread belongs to a batch, and hands its prompt over. Decoding
is greedy: what is sampled would depend on its neighbours, and is generated alone.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backends.models import inference
from backends.models.local import GREEDY, LocalModel
from backends.storage.process import free_memory

_SHARE_OF_FREE_MEMORY = 0.5
_FLOAT32 = 4
_LIVE = 4  # tensors of the width of a layer's inner part that live at once while a prompt is read

_here = threading.local()
_log = logging.getLogger(__name__)


@dataclass
class Row:
    """One prompt, token ids of shape (1, tokens), and where its tokens go: each with its time, and last a None.

    `stops`: any of them ends this row and no other one. `done` has the fault of this row, if it failed.
    """

    ids: Any
    most: int
    stops: Sequence[threading.Event]
    tokens: queue.SimpleQueue[tuple[int, float] | None]
    made: list[int] = field(default_factory=list)
    done: Future[None] = field(default_factory=Future)

    @property
    def over(self) -> bool:
        """Whether it gets no further token."""
        return self.done.done()

    @property
    def length(self) -> int:
        """Tokens of the prompt and of what was made of its answer."""
        return int(self.ids.shape[1]) + len(self.made)

    def take(self, token: int, now: float, ends: set[int]) -> None:
        """One more token."""
        self.made.append(token)
        self.tokens.put((token, now))
        if token in ends or len(self.made) >= self.most or any(stop.is_set() for stop in self.stops):
            self.end()

    def end(self, fault: BaseException | None = None) -> None:
        """Tell the reader that this was all. What comes later changes nothing."""
        if self.over:
            return
        if fault is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(fault)
        self.tokens.put(None)


class Together:
    """One batch: so many threads, each of which answers one question within `member`.

    They do what comes before their prompt, such as a search, one after another. When each of them has handed a prompt
    over or is gone, the prompts are generated together, on the inference thread. One that comes back with a second
    prompt waits for the others again.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._floor = threading.Lock()
        self._working = size
        self._running = False
        self._waiting: list[tuple[LocalModel, Any, Row]] = []

    @contextmanager
    def member(self) -> Iterator[None]:
        """What this thread generates meanwhile is part of the batch."""
        self._floor.acquire()
        _here.batch, _here.has_floor = self, True
        try:
            yield
        finally:
            _here.batch = None
            self._give_floor()
            with self._lock:
                self._working -= 1
            self._go_if_complete()

    def submit(self, base: LocalModel, model: Any, row: Row) -> None:
        """Hand a prompt over; its tokens come when all others have done so."""
        self._give_floor()
        with self._lock:
            self._working -= 1
            self._waiting.append((base, model, row))
        self._go_if_complete()

    def _give_floor(self) -> None:
        if _here.has_floor:
            _here.has_floor = False
            self._floor.release()

    def _go_if_complete(self) -> None:
        with self._lock:
            if self._working or self._running or not self._waiting:
                return
            self._running, taken, self._waiting = True, self._waiting, []
        inference.submit(self._run, taken)

    def _run(self, taken: list[tuple[LocalModel, Any, Row]]) -> None:
        try:
            for base, model in {id(model): (base, model) for base, model, _ in taken}.values():
                _generate(base, model, [row for _, other, row in taken if other is model])
        finally:
            for _, _, row in taken:
                row.end()
            with self._lock:
                self._working += len(taken)
                self._running = False
            self._go_if_complete()


def current() -> Together | None:
    """The batch of which this thread is a member, if it is of one."""
    return getattr(_here, "batch", None)


def _generate(base: LocalModel, model: Any, rows: Sequence[Row]) -> None:
    """On the inference thread: as many rows at once as there is memory for, short prompts with short ones."""
    ordered = sorted(rows, key=lambda row: row.length)
    while ordered:
        count = _fitting(base, ordered)
        part, ordered = ordered[:count], ordered[count:]
        try:
            _generate_part(base, model, part)
        except Exception as fault:
            if len(part) == 1:
                part[0].end(fault)
                continue
            _log.warning("a batch of %d failed, so its rows go on alone: %s", len(part), fault)
            for row in part:
                _alone(base, model, row)


def _alone(base: LocalModel, model: Any, row: Row) -> None:
    """The rest of one answer. What fails here concerns nobody else."""
    if row.over:
        return
    try:
        _generate_part(base, model, [row])
    except Exception as fault:
        row.end(fault)


def _generate_part(base: LocalModel, model: Any, rows: Sequence[Row]) -> None:
    """All rows in one batch, which gets smaller each time that half of its rows are over: their place costs time.

    What was computed of the others stays (their keys and values).
    """
    import torch

    longest = max(row.length for row in rows)
    padding = base.tokenizer.pad_token_id or 0
    ids = torch.full((len(rows), longest), padding, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        given = torch.cat([row.ids[0], torch.tensor(row.made, dtype=row.ids.dtype)])
        ids[place, longest - row.length :] = given
        mask[place, longest - row.length :] = 1
    ids, mask, cache = ids.to(base.device), mask.to(base.device), None
    while rows:
        made = model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=max(row.most - len(row.made) for row in rows),
            pad_token_id=padding,
            stopping_criteria=[_taken_by(rows, end_tokens(model))],
            return_dict_in_generate=True,
            **GREEDY,
        )
        places = torch.tensor([place for place, row in enumerate(rows) if not row.over], device=base.device)
        mask = torch.cat([mask, mask.new_ones(len(rows), made.sequences.shape[1] - ids.shape[1])], dim=1)[places]
        ids, rows = made.sequences[places], [row for row in rows if not row.over]
        cache = _of_rows(made.past_key_values, places)


def _of_rows(cache: Any, places: Any) -> Any:
    """The keys and values of some rows; None, so that they are computed again, where a model keeps anything else."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if not isinstance(cache, DynamicCache) or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.batch_select_indices(places)
    return cache


def _taken_by(rows: Sequence[Row], ends: set[int]) -> Callable[..., Any]:
    """A stopping criterion that gives each row its token, and ends the batch once half of its rows are over."""
    import torch

    def half_over(input_ids: Any, scores: Any, **_: Any) -> Any:
        now = time.monotonic()
        for row, token in zip(rows, input_ids[:, -1].tolist(), strict=True):
            if not row.over:
                row.take(token, now, ends)
        over = sum(row.over for row in rows)
        return torch.full((len(rows),), 2 * over >= len(rows), device=input_ids.device, dtype=torch.bool)

    return half_over


def end_tokens(model: Any) -> set[int]:
    """The tokens with which an answer of this model ends."""
    ends = model.generation_config.eos_token_id
    return set(ends) if isinstance(ends, list) else {ends}


def _fitting(base: LocalModel, rows: Sequence[Row]) -> int:
    """How many rows, from the first on, have room in half of the memory that is free now; at least one."""
    room = free_memory(base.device) * _SHARE_OF_FREE_MEMORY
    count = 1
    for count in range(1, len(rows) + 1):
        taken = rows[:count]
        length, most = max(row.length for row in taken), max(row.most for row in taken)
        if count * row_bytes(base, length, most) > room:
            return max(1, count - 1)
    return count


def row_bytes(base: LocalModel, prompt: int, most: int) -> int:
    """Bytes that a prompt of so many tokens takes beside the weights, with `most` tokens of an answer: keys and values
    of every layer, what is computed while the prompt is read, and the scores of one token."""
    config = base.model.config.get_text_config()
    size = base.model.dtype.itemsize
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cached = 2 * config.num_hidden_layers * heads * width * size * (prompt + most)
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return int(cached + _LIVE * inner * size * prompt + 2 * config.vocab_size * _FLOAT32)
