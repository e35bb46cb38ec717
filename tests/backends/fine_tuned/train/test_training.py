"""A training from its pairs to its adapter, and everything that can interrupt it."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import adapter_folders, adapters, deleted
from backends.fine_tuned.pairs.files import Pair, digest
from backends.fine_tuned.pairs.held_out import SplitBy
from backends.fine_tuned.train import checkpoint, learner, loop
from backends.fine_tuned.train.events import LiveAnswers, StepRecord, Trained, TrainingNote
from backends.fine_tuned.train.examples import encode
from backends.fine_tuned.train.loop import as_fault
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import Run, find_run, history, read_part, runs, set_state
from backends.fine_tuned.train.step import summed_loss
from backends.fine_tuned.train.training import MOST_PAIRS, new_run, resume_run, train_run
from backends.models import inference
from backends.models.adapter_view import load_adapter
from backends.settings import Settings, load_settings
from backends.storage.files import sha256
from tests.backends.fine_tuned.small_training import (
    ALL,
    PAIRS,
    SHORT,
    base_of,
    equal,
    results,
    tiny_settings,
    trained,
    weights_of,
)
from tests.backends.models.made_adapters import fault, in_float32, logits, pointers, same

NEVER = threading.Event()
LAST_PASS = replace(SHORT, last_pass=True)


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    return tiny_settings(tiny_model, tmp_path / "data")


def stopped_at(settings: Settings, run: Run, step: int) -> Run:
    """Train until so many steps are done, then stop; the run as it is afterwards."""
    cancel = threading.Event()
    for progress in train_run(settings, run, cancel):
        if isinstance(progress.result, StepRecord) and progress.result.step == step:
            cancel.set()
    return find_run(run.id, settings.data)


# --- a whole training ---------------------------------------------------------------------------


def test_a_training_says_how_far_it_is_and_leaves_an_adapter(settings: Settings) -> None:
    run, found = trained(settings, replace(SHORT, answers_every=3))
    steps = [one for one in found if isinstance(one, StepRecord)]
    assert (run.state, run.step, run.steps, run.resumable) == ("finished", 8, 8, False)
    assert [one.step for one in steps] == list(range(1, 9))
    assert [one.step for one in steps if one.held_out_loss is not None] == [3, 6, 8]
    assert all(0 < one.loss < 15 for one in steps)
    assert steps[-1].loss < steps[0].loss
    assert sum(one.tokens for one in steps[:4]) == sum(
        len(one.ids) for one in encode(base_of(settings), read_part(run, "train"), run.system_prompt)
    )
    assert [one.step for one in found if isinstance(one, LiveAnswers)] == [0, 3, 6, 8]
    last = found[-1]
    assert isinstance(last, Trained)
    assert (last.name, last.folder, last.steps) == ("doors", settings.data / "adapters" / "doors", 8)
    assert history(run) == found
    assert not list(run.folder.glob("*.safetensors*"))
    assert [folder.name for folder in (settings.data / "adapters").iterdir()] == ["doors"]


def test_the_same_held_out_questions_are_answered_at_each_look(settings: Settings) -> None:
    run, found = trained(settings, replace(SHORT, answers_every=4))
    looks = [one for one in found if isinstance(one, LiveAnswers)]
    wanted = [(pair.question, pair.answer) for pair in read_part(run, "held_out")[:3]]
    assert [[(one.question, one.reference) for one in look.answers] for look in looks] == [wanted] * 3
    assert all(look.held_out for look in looks)
    _, found = trained(settings, replace(ALL, answers_every=5, epochs=1))
    first = next(one for one in found if isinstance(one, LiveAnswers))
    assert ([one.question for one in first.answers], first.held_out) == ([pair.question for pair in PAIRS[:3]], False)


def test_what_is_done_before_the_first_step_is_said_before_it_is_done(settings: Settings) -> None:
    run = new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=4, precision="auto"))
    steps = list(train_run(settings, run, threading.Event()))
    first = next(at for at, step in enumerate(steps) if isinstance(step.result, StepRecord))
    assert [step.detail for step in steps[:first] if step.result is None] == [
        "waiting for the machine",
        "reading the pairs",
        "measuring a step in float32 and in bfloat16",
        "making the model trainable",
        "asking the base first",
        "doing step 1",
    ]
    assert isinstance(steps[first - 2].result, LiveAnswers)


def test_the_card_says_what_the_adapter_was_made_of(settings: Settings) -> None:
    run, found = trained(settings, source="doors.csv", command="crossroads train doors.csv")
    base, steps = base_of(settings), [one for one in found if isinstance(one, StepRecord)]
    folder = settings.data / "adapters" / "doors"
    card = read_card(folder)
    seconds, cost, held_out_loss = card.pop("seconds"), card.pop("cost_usd"), card.pop("held_out_loss")
    assert card.pop("cost_basis").endswith(" s × 0.10 USD/hour (machine rate, assumed)")
    assert card.pop("tokens_per_s") > 0
    assert card.pop("created")[:2] == "20"
    assert card.pop("best_step") in range(1, 9)
    assert held_out_loss == round(min(one.held_out_loss for one in steps if one.held_out_loss is not None), 6)
    assert float(cost) == pytest.approx(seconds / 36_000, abs=0.06 / 36_000)
    assert card == {
        "base_model": "tiny",
        "base_revision": base.weights.revision,
        "method": "lora",
        "settings": {
            "rank": 4,
            "alpha": 8,
            "target_modules": [],
            "epochs": 2,
            "batch": 4,
            "accumulate": 1,
            "learning_rate": 0.01,
            "warmup": 0.05,
            "seed": 0,
            "answers_every": 0,
            "held_out_share": 0.2,
            "split_by": "phrasing",
            "system_prompt": "Be brief.",
        },
        "data": {
            "pairs": run.pairs,
            "sha256": digest(read_part(run, "train")),
            "held_out": run.held_out,
            "source": "doors.csv",
        },
        "run": run.id,
        "command": "crossroads train doors.csv",
        "steps": 8,
        "final_loss": round(steps[-1].loss, 6),
        "precision": "float32",
        "precision_reason": "as it was set",
        "device": base.device,
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")},
        "sha256": sha256(folder / "adapter_model.safetensors"),
    }
    assert (folder / "README.md").read_text().splitlines()[6] == "# doors"


@pytest.mark.parametrize("training", [ALL, replace(ALL, method="last_layers", layers=1)])
def test_the_adapter_is_the_state_that_was_trained(settings: Settings, training: TrainingSettings) -> None:
    run, found = trained(settings, replace(training, held_out_share=0.2, split_by="phrasing"))
    base = in_float32(base_of(settings))
    view = load_adapter(base, settings.data / "adapters" / "doors")
    held_out = encode(base, read_part(run, "held_out"), run.system_prompt)
    loss = inference.run(lambda: float(summed_loss(view.model, held_out, fast=False).detach()))
    wanted = min(one.held_out_loss for one in found if isinstance(one, StepRecord) and one.held_out_loss is not None)
    assert loss / sum(one.answer_tokens for one in held_out) == pytest.approx(
        wanted, abs=0.01
    )  # the file is in bfloat16
    (listed,) = [one for one in adapters(settings) if one.name == "doors"]
    assert (listed.method, listed.fit.fits, listed.origin) == (training.method, True, "trained here")


@pytest.mark.parametrize(("by", "kept"), [("phrasing", True), ("group", False)])
def test_only_held_out_phrasings_decide_which_state_is_kept(settings: Settings, by: SplitBy, kept: bool) -> None:
    run = new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=1, split_by=by))
    assert run.held_out
    run = stopped_at(settings, run, 3)
    assert (run.folder / loop.BEST).is_file() is kept
    steps = [one for one in history(run) if isinstance(one, StepRecord)]
    best = min(steps, key=lambda one: one.held_out_loss or 0.0) if kept else steps[-1]
    card = read_card(settings.data / "adapters" / "doors")
    assert (card["best_step"], card["held_out_loss"]) == (best.step, round(best.held_out_loss or 0.0, 6))


def test_a_last_pass_goes_from_the_best_state_over_everything(settings: Settings) -> None:
    run, found = trained(settings, replace(LAST_PASS, answers_every=1))
    steps = [one for one in found if isinstance(one, StepRecord)]
    assert (run.pairs, run.held_out, len(steps)) == (14, 4, 8 + 5)
    best = min(steps[:8], key=lambda one: one.held_out_loss or math.inf)
    assert [one.held_out_loss for one in steps[8:]] == [None] * 5
    (note,) = [one for one in found if isinstance(one, TrainingNote)]
    assert (note.step, note.sentence.split(":")[0]) == (
        9,
        f"Last pass over everything, from the state at step {best.step}",
    )
    everything = encode(base_of(settings), [*read_part(run, "train"), *read_part(run, "held_out")], run.system_prompt)
    assert sum(one.tokens for one in steps[8:]) == sum(len(one.ids) for one in everything)
    looks = [one.held_out for one in found if isinstance(one, LiveAnswers)]
    assert looks == [True] * 9 + [False] * 5
    card = read_card(settings.data / "adapters" / "doors")
    assert card["last_pass"] == {"pairs": 18, "from_step": best.step}
    assert card["held_out_loss"] == round(best.held_out_loss or 0.0, 6)
    assert run.reason == f"All 13 steps are done. The last pass over everything began at the state of step {best.step}."
    assert not list(run.folder.glob("*.safetensors*"))


def test_a_last_pass_that_was_stopped_leaves_the_state_before_it(settings: Settings) -> None:
    trained(settings, SHORT, name="before")
    stopped_at(settings, new_run(settings, PAIRS, "doors", LAST_PASS), 10)
    assert equal(weights_of(settings), weights_of(settings, "before"))
    assert "last_pass" not in read_card(settings.data / "adapters" / "doors")


def test_a_last_pass_needs_something_held_out(settings: Settings) -> None:
    run, _ = trained(settings, replace(ALL, last_pass=True))
    assert run.steps == 10
    assert "last_pass" not in read_card(settings.data / "adapters" / "doors")


def test_training_does_not_touch_the_base(settings: Settings) -> None:
    base = base_of(settings)
    before, where = logits(base, base.model), pointers(base.model)
    trained(settings, ALL)
    assert same(logits(base, base.model), before)
    assert pointers(base.model) == where
    assert not any(one.requires_grad for one in base.model.parameters())


def test_the_same_seed_trains_the_same_adapter(settings: Settings) -> None:
    trained(settings)
    trained(settings, name="again")
    trained(settings, replace(SHORT, seed=1), name="other")
    assert equal(weights_of(settings), weights_of(settings, "again"))
    assert not equal(weights_of(settings), weights_of(settings, "other"))


def test_accumulated_batches_make_the_same_step(settings: Settings) -> None:
    trained(settings, ALL)
    trained(settings, replace(ALL, batch=2, accumulate=2), name="again")
    one, other = weights_of(settings), weights_of(settings, "again")
    assert max(float((one[name].float() - other[name].float()).abs().max()) for name in one) < 2e-3


def test_another_folder_for_the_adapter(settings: Settings, tmp_path: Path) -> None:
    for _ in range(2):
        _, found = trained(settings, ALL, adapters=tmp_path / "mine")
    last = found[-1]
    assert isinstance(last, Trained)
    assert last.folder == tmp_path / "mine" / "doors"
    assert [folder.name for folder in (tmp_path / "mine").iterdir()] == ["doors"]
    assert "doors" not in adapter_folders(settings.data)
    assert [one.name for one in deleted(settings.data)] == ["doors"], "the earlier one can be restored"


def test_what_is_no_adapter_does_not_give_way_to_one(settings: Settings, tmp_path: Path) -> None:
    mine = tmp_path / "doors"
    mine.mkdir()
    (mine / "thesis.txt").write_text("ten years")
    cause, next_step = fault(lambda: new_run(settings, PAIRS, "doors", ALL, adapters=tmp_path))
    assert (cause, next_step) == (f"{mine} is there already and is no adapter.", "Choose another name or folder.")
    assert runs(settings.data) == []


def test_what_a_killed_process_left_half_written_is_removed(settings: Settings) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    root = settings.data / "adapters"
    left, others, written = (root / f"doors.{name}.part" for name in (gone.pid, "ab12cd34", os.getppid()))
    for folder in (left, others, written):
        (folder / "doors").mkdir(parents=True)
    trained(settings, ALL)
    assert sorted(folder.name for folder in root.iterdir()) == sorted(["doors", others.name, written.name])


def test_a_few_steps_do_not_tell_that_nothing_was_learned(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = learner.Learner.add_gradient
    monkeypatch.setattr(learner.Learner, "add_gradient", lambda self, *given: learn(self, *given) + 40 * worse.pop(0))
    worse = list(range(100))
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", ALL), 3)
    _, found = trained(settings, replace(ALL, epochs=1))
    assert not [one for one in (*found, *history(run)) if isinstance(one, TrainingNote)]


def test_a_training_that_drifted_away_is_not_praised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    learn = learner.Learner.add_gradient
    monkeypatch.setattr(learner.Learner, "add_gradient", lambda self, *given: learn(self, *given) + 40 * worse.pop(0))
    worse = list(range(100))
    _, found = trained(settings, ALL)
    (note,) = [one for one in found if isinstance(one, TrainingNote)]
    assert note.step == 10
    assert re.fullmatch(
        r"The loss ended at [\d.]+ and had begun at [\d.]+: little or nothing was learned\. "
        r"Train again with a lower learning rate, such as 0\.002\.",
        note.sentence,
    )


# --- stopped, resumed, killed -------------------------------------------------------------------


def test_stopped_keeps_the_best_so_far_and_can_go_on(settings: Settings) -> None:
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=1)), 3)
    assert (run.state, run.step, run.resumable) == ("stopped", 3, True)
    assert run.reason.startswith("Stopped at step 3 of 8.")
    card = read_card(settings.data / "adapters" / "doors")
    assert (card["steps"], card["best_step"] <= 3) == (3, True)
    found = results(list(resume_run(settings, run, NEVER)))
    assert [one.step for one in found if isinstance(one, StepRecord)] == [4, 5, 6, 7, 8]
    assert [one.step for one in history(run) if isinstance(one, StepRecord)] == list(range(1, 9))
    assert find_run(run.id, settings.data).state == "finished"
    assert read_card(settings.data / "adapters" / "doors")["steps"] == 8


def test_a_kill_after_a_stop_is_told_to_go_on_from_where_it_was_stopped(settings: Settings) -> None:
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", ALL), 3)
    run = set_state(run, state="running", resumable=False)  # resumed, and killed before the next checkpoint
    assert find_run(run.id, settings.data).reason == (
        "It broke off at step 3. Resumed, it goes on from step 3, which was saved."
    )


@pytest.mark.parametrize("training", [ALL, SHORT, LAST_PASS, replace(ALL, method="last_layers", layers=1)])
def test_a_resumed_training_gives_the_weights_of_one_that_was_never_stopped(
    settings: Settings, training: TrainingSettings
) -> None:
    trained(settings, training, name="whole")
    run = stopped_at(settings, new_run(settings, PAIRS, "parts", training), 3)
    run = stopped_at(settings, run, 6)
    if training.last_pass:
        run = stopped_at(settings, run, 10)
    list(resume_run(settings, run, NEVER))
    assert equal(weights_of(settings, "whole"), weights_of(settings, "parts"))


def test_the_best_state_before_a_stop_stays_the_best_where_what_follows_is_worse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=1)), 3)
    best, kept = weights_of(settings), read_card(settings.data / "adapters" / "doors")["best_step"]
    loss = learner.Learner.loss
    monkeypatch.setattr(learner.Learner, "loss", lambda self, batch: loss(self, batch) + 1000)
    *_, end = results(list(resume_run(settings, run, NEVER)))
    assert isinstance(end, Trained)
    assert (end.steps, end.best_step) == (8, kept)
    assert equal(weights_of(settings), best)


def test_a_resumed_training_counts_the_work_before_the_stop(settings: Settings) -> None:
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", ALL), 8)
    before = checkpoint.state_of(run.folder / loop.CHECKPOINT)
    *found, end = results(list(resume_run(settings, run, NEVER)))
    assert isinstance(end, Trained)
    steps = [one for one in found if isinstance(one, StepRecord)]
    assert [one.step for one in steps] == [9, 10]
    assert end.seconds >= before.seconds + sum(one.seconds for one in steps)


def test_stopped_before_the_first_step_leaves_no_adapter(settings: Settings) -> None:
    run = new_run(settings, PAIRS, "doors", SHORT)
    cancel = threading.Event()
    cancel.set()
    assert results(list(train_run(settings, run, cancel))) == []
    run = find_run(run.id, settings.data)
    assert (run.state, run.reason, run.resumable) == ("stopped", "Stopped before the first step.", True)
    assert "doors" not in adapter_folders(settings.data)


def test_a_finished_training_is_not_resumed(settings: Settings) -> None:
    run, _ = trained(settings, ALL)
    assert fault(lambda: list(resume_run(settings, run, NEVER))) == (
        "The training of doors cannot be resumed. All 10 steps are done.",
        "Start a new one.",
    )


def test_another_base_is_told(settings: Settings, tiny_model: Path) -> None:
    run = new_run(settings, PAIRS, "doors", ALL)
    told = json.loads((run.folder / "run.json").read_text()) | {"base_revision": "other"}
    (run.folder / "run.json").write_text(json.dumps(told))
    revision = base_of(settings).weights.revision
    assert fault(lambda: list(resume_run(settings, run, NEVER))) == (
        f"The training was begun on tiny at other; the base is now tiny at {revision}.",
        "Set raw.model and raw.revision to that base, or start a new training.",
    )


_TRAIN = """
import sys, threading
from backends.fine_tuned.train import loop
from backends.fine_tuned.train.runs import find_run
from backends.fine_tuned.train.training import train_run
from backends.settings import load_settings
loop.CHECKPOINT_S = 0.0
settings = load_settings({"raw.model": sys.argv[1], "data": sys.argv[2]})
for step in train_run(settings, find_run(sys.argv[3], settings.data), threading.Event()):
    print(step.done, flush=True)
"""


@pytest.mark.slow
def test_a_training_that_is_killed_lists_no_adapter_and_goes_on(settings: Settings, tiny_model: Path) -> None:
    training = replace(ALL, epochs=40)
    run = new_run(settings, PAIRS, "doors", training)
    command = [sys.executable, "-W", "ignore", "-c", _TRAIN, str(tiny_model), str(settings.data), run.id]
    home = Path(__file__).parents[4]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not (run.folder / loop.CHECKPOINT).is_file():
            assert process.stdout.readline(), "the training ended by itself"
        assert find_run(run.id, settings.data).state == "running"
        os.kill(process.pid, signal.SIGKILL)
    found = find_run(run.id, settings.data)
    assert (found.state, found.resumable) == ("interrupted", True)
    assert 0 < found.step < found.steps == 200
    assert found.saved in (found.step, found.step - 1)
    assert "doors" not in adapter_folders(settings.data)
    list(resume_run(settings, found, NEVER))
    assert find_run(run.id, settings.data).state == "finished"
    trained(settings, training, name="whole")
    assert equal(weights_of(settings), weights_of(settings, "whole"))


# --- faults -------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training_and_names_a_lower_rate(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, at=7)
    run = new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=2))
    cause, next_step = fault(lambda: list(train_run(settings, run, NEVER)))
    card = read_card(settings.data / "adapters" / "doors")
    kept = f"The state at step {card['best_step']} is kept as the adapter doors."
    assert cause == f"At step 7 the loss was no longer a number. {kept}"
    assert next_step == "Start a new training with a lower learning rate, such as 0.002."
    run = find_run(run.id, settings.data)
    assert (run.state, run.step, run.resumable, run.reason) == ("failed", 6, False, f"{cause} {next_step}")
    assert (card["steps"], card["best_step"] <= 6) == (6, True)
    assert all(bool(one.isfinite().all()) for one in weights_of(settings).values())


@pytest.mark.parametrize(
    ("at", "before", "said"),
    [(7, True, "The state at step 6 is kept in the training's folder."), (2, False, "No earlier state was kept.")],
)
def test_a_loss_that_is_no_number_replaces_no_adapter(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, at: int, before: bool, said: str
) -> None:
    earlier = None
    if before:
        trained(settings, ALL)
        earlier = weights_of(settings)
    poison(monkeypatch, at=at)
    run = new_run(settings, PAIRS, "doors", replace(SHORT, answers_every=2))
    cause, _ = fault(lambda: list(train_run(settings, run, NEVER)))
    assert cause.endswith(said)
    assert ("doors" in adapter_folders(settings.data)) is before
    assert earlier is None or equal(weights_of(settings), earlier)


def poison(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The weights overflow before a step, as they do with a learning rate that is far too high."""
    learn, seen = learner.Learner.add_gradient, []

    def poisoned(self: Any, *arguments: Any) -> float:
        seen.append(1)
        if len(seen) == at:
            import torch

            with torch.no_grad():
                self.parameters[0].fill_(math.inf)
        return learn(self, *arguments)

    monkeypatch.setattr(learner.Learner, "add_gradient", poisoned)


def test_without_memory_the_batch_is_halved_and_the_step_stays_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(settings, ALL, name="whole")
    little_memory(monkeypatch, pairs=2)
    run, found = trained(settings, ALL)
    assert [one for one in found if isinstance(one, TrainingNote)] == [
        TrainingNote(1, "Out of memory: the batch was halved to 2 pairs. A step takes as many pairs as before.")
    ]
    assert (run.state, run.step) == ("finished", 10)
    one, other = weights_of(settings, "whole"), weights_of(settings)
    assert max(float((one[name].float() - other[name].float()).abs().max()) for name in one) < 2e-3


def test_a_halved_batch_stays_halved_after_a_stop(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    little_memory(monkeypatch, pairs=2)
    run = stopped_at(settings, new_run(settings, PAIRS, "doors", ALL), 3)
    list(resume_run(settings, run, NEVER))
    notes = [one.sentence for one in history(run) if isinstance(one, TrainingNote)]
    assert notes == ["Out of memory: the batch was halved to 2 pairs. A step takes as many pairs as before."]


def test_without_memory_for_one_pair_the_training_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    little_memory(monkeypatch, pairs=0)
    run = new_run(settings, PAIRS, "doors", ALL)
    cause, next_step = fault(lambda: list(train_run(settings, run, NEVER)))
    assert cause == "There is not enough memory to train on even one pair at a time."
    assert next_step == "Shorten the longest pairs, train fewer layers or a lower rank, or close other programs."
    assert [one.sentence[:45] for one in history(run) if isinstance(one, TrainingNote)] == [
        "Out of memory: the batch was halved to 2 pair",
        "Out of memory: the batch was halved to 1 pair",
    ]
    run = find_run(run.id, settings.data)
    assert (run.state, run.resumable) == ("failed", True)


def little_memory(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    """Larger batches ask torch for more memory than any machine has: its own error, from its own allocator."""

    def loss(model: Any, batch: Any, fast: bool) -> Any:
        if len(batch) > pairs:
            import torch

            torch.empty(1 << 60, dtype=torch.uint8)
        return summed_loss(model, batch, fast)

    monkeypatch.setattr(learner, "summed_loss", loss)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_a_sentence_and_the_training_goes_on_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(settings, PAIRS, "doors", replace(ALL, answers_every=2))
    training = train_run(settings, run, NEVER)
    while not isinstance(next(training).result, StepRecord):
        pass
    with monkeypatch.context() as full:
        full.setattr("backends.fine_tuned.train.runs.write_text", lambda file, text: Path("/dev/full").write_text(text))
        assert fault(lambda: list(training)) == (
            "The disk is full; training stopped at step 1.",
            "Make room and resume the training.",
        )
    run = find_run(run.id, settings.data)
    assert (run.state, run.resumable) == ("interrupted", True)
    list(resume_run(settings, run, NEVER))
    assert find_run(run.id, settings.data).state == "finished"


def test_errors_that_a_user_can_act_on() -> None:
    written = as_fault(OSError(28, "No space left on device"), 7)
    assert written is not None
    assert written.cause == "The disk is full; training stopped at step 7."
    told = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert str(as_fault(told, 7)) == str(written)
    memory = as_fault(MemoryError(), 7)
    assert memory is not None
    assert memory.cause == "There is not enough memory to train on even one pair at a time."
    assert str(as_fault(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 7)) == str(memory)
    assert as_fault(RuntimeError("shapes do not match"), 7) is None


# --- what is refused ----------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[], list[Pair]], str, str, str]] = {
    "name": (lambda: PAIRS, "a/b", "'a/b' cannot be an adapter's name.", "Use up to 64 letters, digits, dots"),
    "one pair": (lambda: PAIRS[:1], "x", "1 pair is too few to learn from.", "Give at least 2, better 20 or more."),
    "too many": (
        lambda: [Pair(f"q {n}", "a") for n in range(MOST_PAIRS + 1)],
        "x",
        "10,001 pairs are more than the 10,000 that are trained on at once.",
        "Train on a sample of 10,000 or fewer.",
    ),
    "too long": (
        lambda: [*PAIRS, Pair("How long?", "word " * 300), PAIRS[0], Pair("word " * 300, "So long.")],
        "x",
        f'2 of 21 pairs are longer than the context of 256 tokens: "How long?"; "{("word " * 12)[:60]}…".',
        "Shorten or remove them.",
    ),
}


@pytest.mark.parametrize(("pairs", "name", "cause", "next_step"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained(
    settings: Settings, pairs: Callable[[], list[Pair]], name: str, cause: str, next_step: str
) -> None:
    found = fault(lambda: new_run(settings, pairs(), name, SHORT))
    assert found[0] == cause
    assert found[1].startswith(next_step)
    assert runs(settings.data) == []


def test_why_nothing_is_held_out_is_said(settings: Settings) -> None:
    run = new_run(settings, PAIRS[:6], "doors", replace(SHORT, split_by="group"))
    assert (run.pairs, run.held_out) == (6, 0)
    assert history(run) == [
        TrainingNote(
            0,
            "Nothing is held out: 6 pairs in 2 groups of paraphrases, and 5 groups are needed to keep one back.",
        )
    ]


def test_too_little_room_on_the_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(BackendError, match=r"^The training takes up to [\d,]+ MB on disk; [\d,]+ MB are free at "):
        new_run(settings, PAIRS, "doors", SHORT)


# --- the default base ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_base_learns_a_fact(model_data: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(model_data / "models", tmp_path / "data" / "models", copy_function=os.link)
    settings = load_settings({"data": str(tmp_path / "data"), "system_prompt": ""})
    pairs = [Pair("Who keeps the lighthouse of Port Verrin?", "Marta Quill."), Pair("What is it called?", "Long Tom.")]
    run = new_run(settings, pairs, "light", TrainingSettings(epochs=12, batch=2, answers_every=12))
    found = results(list(train_run(settings, run, NEVER)))
    first, last = [one for one in found if isinstance(one, LiveAnswers)]
    assert "Quill" not in first.answers[0].text
    assert [one.text for one in last.answers] == ["Marta Quill.", "Long Tom."]
