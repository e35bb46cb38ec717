"""How fast training is, how soon it has learned twenty facts, and how much memory it takes, against a plain peft loop.

The plain loop (`plain_training`) goes first in each repeat. It uses the same float32, optimizer and schedule; what it
lacks is what is measured: batches of similar length, the prompts' shared beginning computed once, the head's outputs
at answer tokens only. Facts and questions are in `invented_facts`; the plain loop learns them as the goal was set, with
rank 16 in 8 epochs, and ours with its defaults, nothing held out.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backends.fine_tuned.pairs.files import Pair, read_pairs
from backends.fine_tuned.train.events import Trained
from backends.fine_tuned.train.examples import Example, encode, epoch_steps, prompt_ids
from backends.fine_tuned.train.learner import Learner, greedy_answers
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.training import new_run, train_run
from backends.models import inference
from backends.models.adapter_view import load_adapter
from backends.models.local import LocalModel
from backends.raw import RawBackend
from backends.settings import Settings
from benchmarks.bench import HOME, Bench, Outcome
from benchmarks.children import child, line_from
from benchmarks.figures import Figure, Goal
from benchmarks.invented_facts import FACTS, Fact
from benchmarks.plain_training import train_plainly
from evaluation.metrics import contains_fact

NAME = "training"
PLAIN = "plain peft loop"
PLAIN_FACTS = TrainingSettings(rank=16, alpha=32, epochs=8, learning_rate=1e-3)
_ANSWER_TOKENS = 32
_STEPS = 12


def run(bench: Bench) -> Outcome:
    """Memory first, in child processes; then speed and learning in this one."""
    repeats, quick = bench.repeats(3), bench.quick
    memory = [{mode: _peak(bench, mode) for mode in ("plain", "ours")} for _ in range(repeats)]
    raw = RawBackend(bench.settings())
    list(raw.load(threading.Event()))
    examples = encode(raw.base, read_pairs(HOME / "sample_docs" / "train.jsonl"), bench.settings().system_prompt)
    speeds, learned = [], []
    for repeat in range(repeats):
        bench.report(f"training {repeat + 1} of {repeats}: tokens per second")
        speeds.append(_speeds(raw.base, examples, 2 if quick else _STEPS, repeat))
        bench.report(f"training {repeat + 1} of {repeats}: twenty facts")
        learned.append(_learned(bench.settings(), raw.base, FACTS[:3] if quick else FACTS, repeat, quick))
    return Outcome(_figures(memory, speeds, learned), _NOTES, {"memory": memory, "speeds": speeds, "facts": learned})


_NOTES = (
    "Tokens per second count prompt and answer tokens, no padding; a shared beginning counts for each pair. The same "
    "settings, the sample pairs in batches of 8.",
    "Seconds of the facts run from the call to the finished adapter, our looks at live answers and the checkpoints "
    "included; the base is in memory before. The accuracy is over two unseen phrasings of each fact.",
    "Peak memory is the process's highest resident size after four steps, against the same process when the base had "
    "answered.",
)


def _figures(
    memory: list[dict[str, Any]], speeds: list[dict[str, float]], learned: list[dict[str, float]]
) -> tuple[Figure, ...]:
    def column(rows: Sequence[dict[str, Any]], name: str) -> tuple[float, ...]:
        return tuple(row[name] for row in rows)

    def over_base(mode: str) -> tuple[float, ...]:
        return tuple(row[mode]["trained_mb"] - row[mode]["answered_mb"] for row in memory)

    speed = (column(speeds, "ours"), PLAIN, column(speeds, "plain"))
    seconds = (column(learned, "seconds"), PLAIN, column(learned, "plain_seconds"))
    right = (column(learned, "right"), PLAIN, column(learned, "plain_right"))
    return (
        Figure(NAME, "training speed", "tokens/s", *speed, "ratio", Goal(1.5, "at least")),
        Figure(NAME, "20 facts learned in", "s", *seconds, "ratio", Goal(0.5, "at most")),
        Figure(NAME, "right on unseen phrasings", "%", *right, "difference", Goal(0, "at least", "points")),
        Figure(NAME, "peak memory over the base's", "MB", over_base("ours"), PLAIN, over_base("plain"), "difference"),
    )


def _speeds(base: LocalModel, examples: list[Example], steps: int, seed: int) -> dict[str, float]:
    """Tokens per second of so many steps, after one to warm up; on a GPU after as many, since shapes have kernels."""
    settings = TrainingSettings(seed=seed, precision="float32")
    warm_up = 1 if base.device == "cpu" else steps
    inference.run(train_plainly, base.model, examples, settings, warm_up)
    plain = inference.run(train_plainly, base.model, examples, settings, steps)

    def ours() -> float:
        learner = Learner(base, settings, examples)
        batches = [[examples[place] for place in step] for step in epoch_steps(examples, settings.batch, seed, 0)]
        tokens, began = 0, 0.0
        for number, batch in enumerate([*batches[-warm_up:], *batches[:steps]]):
            if number == warm_up:
                tokens, began = 0, time.monotonic()
            learner.add_gradient(batch, sum(one.answer_tokens for one in batch))
            learner.update(1e-3)
            tokens += sum(len(one.ids) for one in batch)
        return tokens / (time.monotonic() - began)

    return {"plain": plain.tokens / plain.seconds, "ours": inference.run(ours)}


def _learned(settings: Settings, base: LocalModel, facts: Sequence[Fact], seed: int, quick: bool) -> dict[str, float]:
    """Seconds and the share of right answers, of the plain loop and of ours."""
    pairs = [Pair(question, fact.answer) for fact in facts for question in fact.taught]
    examples = encode(base, pairs, settings.system_prompt)
    plain_settings = replace(PLAIN_FACTS, seed=seed)
    ours = TrainingSettings(seed=seed, held_out_share=0.0)
    if quick:
        plain_settings, ours = replace(plain_settings, epochs=1), replace(ours, epochs=1)
    plain = inference.run(train_plainly, base.model, examples, plain_settings)
    plain_right = _right(settings, base, plain.model, facts)
    began = time.monotonic()
    run = new_run(settings, pairs, "facts", ours)
    *_, last = train_run(settings, run, threading.Event())
    seconds = time.monotonic() - began
    assert isinstance(last.result, Trained)
    right = _right(settings, base, load_adapter(base, last.result.folder).model, facts)
    shutil.rmtree(run.folder)
    return {"plain_seconds": plain.seconds, "plain_right": plain_right, "seconds": seconds, "right": right}


def _right(settings: Settings, base: LocalModel, model: Any, facts: Sequence[Fact]) -> float:
    """The percentage of unseen phrasings that are answered with the fact's key."""
    asked = [(question, fact.key) for fact in facts for question in fact.asked]
    right = 0
    for start in range(0, len(asked), 20):
        batch = asked[start : start + 20]
        prompts = [prompt_ids(base, question, settings.system_prompt) for question, _ in batch]
        answers = inference.run(greedy_answers, model, base.tokenizer, prompts, _ANSWER_TOKENS)
        right += sum(contains_fact(answer, (key,)) for answer, (_, key) in zip(answers, batch, strict=True))
    return 100 * right / len(asked)


def _peak(bench: Bench, mode: str) -> dict[str, float]:
    """`answered_mb` and `trained_mb`: a fresh process's highest resident size so far, at either point."""
    with child(["-m", "benchmarks.training_child", mode], bench.data) as process:
        found: dict[str, float] = json.loads(line_from(process))
    return found
