"""How fast the raw column writes against a plain `model.generate`, and the adapter against its base.

Ours: `tokens_per_s` of the answer of `compare()`, (tokens - 1) / (last token - first token). Plain: the same loaded
model, prompt ids, token limit and inference thread, greedy, without a streamer, twice: N tokens and 1 token;
(N - 1) / (time of N - time of 1), so that prompt processing and the set-up of `generate` fall out. That is the
stricter of the two fair references: a reference with a stamping streamer would itself pay for what ours adds.

The adapter is compared with its base by the plain way alone, with as many tokens for both (`min_new_tokens`), because
an adapter trained on short answers would stop after a few. It answers as in its column: merged where there is room.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from backends.base import Answer, Question
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.models import inference
from backends.models.adapter_view import load_adapter
from backends.models.generate import build_prompt
from backends.models.local import LocalModel
from backends.raw import RawBackend
from backends.run.compare import compare
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal

NAME = "decode"
_QUESTION = "Write a long story about a lighthouse keeper who finds a letter on the beach."
_GOAL = Goal(0.98, "at least")
_ADAPTER_GOAL = Goal(0.95, "at least")


def run(bench: Bench) -> Outcome:
    """Ours, plain, ours, plain; then base and adapter in turn."""
    tokens = 24 if bench.quick else 100
    settings = bench.settings(max_tokens=tokens, temperature=0)
    backend = RawBackend(settings)
    list(backend.load(threading.Event()))
    question = settings.question(_QUESTION)
    figures, raw = _raw_column(bench, backend, question)
    notes: tuple[str, ...] = ("The first pair is a warm-up and left out.",)
    if bench.adapter:
        folder = adapter_folder(bench.adapter, bench.data)
        view = load_adapter(backend.base, folder)
        figures = (*figures, _adapter(bench, backend.base, view.model, question))
        raw |= {"adapter": folder.name, "weights of the adapter": view.how}
    else:
        notes += ("There was no adapter, so its speed was not measured.",)
    return Outcome(figures, notes, raw | {"tokens": tokens, "weights": backend.base.description})


def _raw_column(bench: Bench, backend: RawBackend, question: Question) -> tuple[tuple[Figure, ...], dict[str, Any]]:
    base, ids = backend.base, build_prompt(backend.base, question).ids
    speeds, latencies, plain_speeds, plain_latencies = [], [], [], []
    repeats = bench.repeats(9)
    for repeat in range(repeats + 1):
        bench.report(f"raw column and plain generate: {repeat} of {repeats}")
        speed, latency_s = _ours(backend, question)
        plain_s, first_s = _plain(base, base.model, ids, question.max_tokens)
        if repeat:
            speeds.append(speed)
            latencies.append(latency_s)
            plain_speeds.append((question.max_tokens - 1) / (plain_s - first_s))
            plain_latencies.append(plain_s)
    label = f"an answer of {question.max_tokens} tokens"
    plain = "plain generate, same model"
    figures = (
        Figure(
            NAME,
            f"raw column, decoding {label}",
            "tokens/s",
            tuple(speeds),
            plain,
            tuple(plain_speeds),
            "ratio",
            _GOAL,
        ),
        Figure(
            NAME, f"raw column, {label} as a whole", "s", tuple(latencies), plain, tuple(plain_latencies), "difference"
        ),
    )
    return figures, {"prompt_tokens": int(ids.shape[1])}


def _ours(backend: RawBackend, question: Question) -> tuple[float, float]:
    """Tokens per second and latency in seconds, as the answer states them."""
    *_, (_, answer) = compare([backend], question, threading.Event())
    assert isinstance(answer, Answer)
    timings, count = answer.timings, answer.usage.completion_tokens
    if count != question.max_tokens or timings.tokens_per_s is None or timings.latency_s is None:
        raise RuntimeError(f"the raw column gave {count} of {question.max_tokens} tokens: {answer.error}")
    return timings.tokens_per_s, timings.latency_s


def _plain(base: LocalModel, model: Any, ids: Any, tokens: int, exact: bool = False) -> tuple[float, float]:
    """Seconds for `tokens` tokens and for one."""
    return _generate_s(base, model, ids, tokens, exact), _generate_s(base, model, ids, 1, exact)


def _generate_s(base: LocalModel, model: Any, ids: Any, tokens: int, exact: bool) -> float:
    """On the inference thread: how long one `generate` takes, in seconds."""

    def work() -> float:
        import torch

        more = {"min_new_tokens": tokens} if exact else {}
        began = time.monotonic()
        out = model.generate(
            input_ids=ids.to(base.device),
            attention_mask=torch.ones_like(ids, device=base.device),
            max_new_tokens=tokens,
            do_sample=False,
            **more,
        )
        out = out.cpu()  # waits for the device
        spent_s = time.monotonic() - began
        if out.shape[1] - ids.shape[1] != tokens:
            raise RuntimeError(f"generate stopped before {tokens} tokens")
        return spent_s

    return inference.run(work)


def _adapter(bench: Bench, base: LocalModel, view: Any, question: Question) -> Figure:
    ids, tokens = build_prompt(base, question).ids, question.max_tokens
    speeds: dict[str, list[float]] = {"adapter": [], "base": []}
    repeats = bench.repeats(5)
    for repeat in range(repeats + 1):
        bench.report(f"adapter and base: {repeat} of {repeats}")
        for name, model in (("adapter", view), ("base", base.model)):
            all_s, first_s = _plain(base, model, ids, tokens, exact=True)
            if repeat:
                speeds[name].append((tokens - 1) / (all_s - first_s))
    return Figure(
        NAME,
        f"adapter, decoding {tokens} tokens with plain generate",
        "tokens/s",
        tuple(speeds["adapter"]),
        "its base, likewise",
        tuple(speeds["base"]),
        "ratio",
        _ADAPTER_GOAL,
    )
