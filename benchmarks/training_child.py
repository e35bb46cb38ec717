"""The peak memory of a training: `python -m benchmarks.training_child plain|ours` prints one JSON line."""

from __future__ import annotations

import json
import resource
import sys
import threading

from backends.base import Answer
from backends.fine_tuned.pairs.files import read_pairs
from backends.fine_tuned.train.examples import encode, epoch_steps
from backends.fine_tuned.train.learner import Learner
from backends.fine_tuned.train.method import TrainingSettings
from backends.models import inference
from backends.raw import RawBackend
from backends.run.timing import run_timed
from backends.settings import load_settings
from benchmarks.bench import HOME, SHORT_QUESTION
from benchmarks.plain_training import train_plainly

_STEPS = 4


def main(mode: str) -> None:
    """Load the base, let it answer, train a few steps on the longest pairs."""
    settings = load_settings({"max_tokens": 8})
    raw = RawBackend(settings)
    list(raw.load(threading.Event()))
    *_, answer = run_timed(raw, settings.question(SHORT_QUESTION), threading.Event())
    assert isinstance(answer, Answer)
    assert answer.text
    answered = _peak_mb()
    pairs = encode(raw.base, read_pairs(HOME / "sample_docs" / "train.jsonl"), settings.system_prompt)
    examples = sorted(pairs, key=lambda one: len(one.ids))[-32:]
    training = TrainingSettings(epochs=1)

    def ours() -> None:
        learner = Learner(raw.base, training, examples)
        for step in epoch_steps(examples, training.batch, 0, 0)[:_STEPS]:
            batch = [examples[place] for place in step]
            learner.add_gradient(batch, sum(one.answer_tokens for one in batch))
            learner.update(1e-3)

    if mode == "plain":
        inference.run(train_plainly, raw.base.model, examples, training, _STEPS)
    else:
        inference.run(ours)
    print(json.dumps({"answered_mb": answered, "trained_mb": _peak_mb()}), flush=True)


def _peak_mb() -> float:
    """The highest resident size so far, in MB; the system counts in KiB, or in bytes on macOS."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main(sys.argv[1])
