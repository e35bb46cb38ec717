"""The fine-tuned column: what loading says, how an adapter is switched, and what an answer proves."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.base import Answer, Loading, Question, TextDelta, Timings, Usage
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS, adapter_folders
from backends.fine_tuned.approach import FineTunedBackend
from backends.models.adapter_view import SWITCH_S, AdapterView, load_adapter
from backends.raw import RawBackend
from backends.run.compare import compare
from backends.settings import Settings, load_settings
from backends.storage.files import sha256
from tests.backends.models.made_adapters import QUESTION, load_base, logits, make_lora, pointers, same

SAMPLE = SAMPLE_ADAPTERS / "brambleworth"


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    """The tiny model with two adapters, `doors` in force."""
    make_lora(tmp_path / "adapters" / "doors", card={"base_model": "tiny", "name": "no", "weights": "no"})
    make_lora(tmp_path / "adapters" / "windows", seed=1)
    return load_settings({"raw.model": str(tiny_model), "data": str(tmp_path), "fine_tuned.adapter": "doors"})


def chosen(settings: Settings, **fine_tuned: object) -> Settings:
    """The same settings with another choice."""
    return settings.model_copy(update={"fine_tuned": settings.fine_tuned.model_copy(update=fine_tuned)})


def ask(backend: FineTunedBackend | RawBackend, question: Question = QUESTION) -> Answer:
    """The answer, through the comparison."""
    *_, (_, last) = compare([backend], question, threading.Event())
    assert isinstance(last, Answer)
    return last


def loading(backend: FineTunedBackend) -> list[Loading]:
    """What loading says."""
    return list(backend.load(threading.Event()))


def test_a_switch_is_said_and_does_not_load_the_base_again(settings: Settings, tiny_model: Path) -> None:
    base = load_base(str(tiny_model))
    doors, windows = FineTunedBackend(settings), FineTunedBackend(chosen(settings, adapter="windows"))
    assert loading(doors) == [Loading("putting the adapter doors over its base", SWITCH_S)]
    assert loading(doors) == []
    assert loading(windows) == [Loading("putting the adapter windows over its base", SWITCH_S)]
    assert loading(doors) == [Loading("putting the adapter doors over its base", SWITCH_S)]
    assert load_base(str(tiny_model)).model is base.model


def test_answers_in_turn_are_each_adapters_own(settings: Settings) -> None:
    doors, windows = FineTunedBackend(settings), FineTunedBackend(chosen(settings, adapter="windows"))
    raw = RawBackend(settings)
    first = [ask(backend).text for backend in (doors, windows, raw)]
    assert [ask(backend).text for backend in (raw, windows, doors)] == first[::-1]
    assert len(set(first)) == 3


def test_the_trace_tells_how_the_weights_came_together(settings: Settings, tmp_path: Path) -> None:
    digest = sha256(tmp_path / "adapters" / "doors" / "adapter_model.safetensors")
    merged = json.loads(ask(FineTunedBackend(settings)).traces[1].value)
    assert (merged["name"], merged["sha256"], merged["base_model"]) == ("doors", digest, "tiny")
    assert merged["weights"] in (  # a processor without bfloat16 keeps the base in float32
        "merged in float32, rounded once to bfloat16; 0.041 MB of its own",
        "merged in float32, rounded once to float32; 0.0819 MB of its own",
    )
    answer = ask(FineTunedBackend(chosen(settings, merge=False)))
    assert json.loads(answer.traces[1].value)["weights"] == "beside the base's weights (0.0209 MB), not merged"
    assert answer.notes == ()


def test_too_little_memory_for_merging_is_noted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=0))
    answer = ask(FineTunedBackend(settings))
    assert answer.notes == (
        "There is no room for merged weights, so the adapter works beside its base, which is slower.",
    )


def test_a_base_that_is_named_otherwise_is_noted_with_the_answer(settings: Settings, tmp_path: Path) -> None:
    expected = ask(FineTunedBackend(settings)).text
    card = tmp_path / "adapters" / "doors" / "card.json"
    ending = "Shapes fit; whether its weights are those of this base is not known."
    card.write_text(json.dumps({"base_model": "unsloth/tiny-bnb-4bit"}))
    answer = ask(FineTunedBackend(settings))
    copy = f"The adapter doors: It was trained for unsloth/tiny-bnb-4bit, by its name a copy of tiny. {ending}"
    assert (answer.text, answer.notes) == (expected, (copy,))
    card.write_text(json.dumps({"base_model": "acme/other"}))
    assert ask(FineTunedBackend(settings)).status == "error"
    nevertheless = chosen(settings, any_base_name=True)
    answer = ask(FineTunedBackend(nevertheless))
    other = f"The adapter doors: It was trained for acme/other, by its name not tiny. {ending}"
    assert (answer.text, answer.notes) == (expected, (other,))
    assert ask(FineTunedBackend(settings)).status == "error", "what the setting allowed ends with it"


def test_a_column_that_loaded_before_another_one_still_answers_with_its_own(settings: Settings) -> None:
    def text(backend: FineTunedBackend) -> str:
        stream = backend.stream(QUESTION, threading.Event())
        return "".join(event.text for event in stream if isinstance(event, TextDelta))

    doors, windows = FineTunedBackend(settings), FineTunedBackend(chosen(settings, adapter="windows"))
    loading(doors)
    expected = text(doors)
    loading(windows)
    assert text(windows) != expected
    assert text(doors) == expected


@pytest.mark.parametrize("seconds", [None, "3600", -5, True, [1]])
def test_a_card_that_does_not_say_how_long_training_took(settings: Settings, tmp_path: Path, seconds: object) -> None:
    card = tmp_path / "adapters" / "doors" / "card.json"
    card.write_text(json.dumps({"seconds": seconds}))
    backend = FineTunedBackend(settings)
    loading(backend)
    assert backend.cost(Usage(1, 1), Timings(latency_s=36.0)).usd == Decimal("0.001")


def test_an_answer_of_the_adapter_leaves_the_base_as_it_was(settings: Settings, tiny_model: Path) -> None:
    base = load_base(str(tiny_model))
    before, at = logits(base, base.model), pointers(base.model)
    assert ask(FineTunedBackend(settings)).usage.completion_tokens
    assert same(logits(base, base.model), before)
    assert pointers(base.model) == at
    assert not [name for name, _ in base.model.named_modules() if "lora" in name]


def test_the_answer_names_the_adapter_and_its_hash(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "adapters" / "doors"
    digest = sha256(folder / "adapter_model.safetensors")
    (folder / "card.json").write_text(json.dumps({"base_model": "tiny", "sha256": digest, "data": {"pairs": 6}}))
    backend = FineTunedBackend(settings)
    assert backend.model.endswith("+ adapter doors")
    answer = ask(backend)
    assert (backend.identity["adapter"], backend.identity["adapter sha256"]) == ("doors", digest)
    assert backend.identity.items() >= {"weights": "tiny"}.items()
    assert answer.model == f"tiny + adapter doors (sha256 {digest[:12]})"
    assert answer.status in ("ok", "truncated", "empty")
    assert [trace.name for trace in answer.traces] == ["weights", "adapter", "prompt"]
    shown = json.loads(answer.traces[1].value)
    assert (shown["name"], shown["sha256"], shown["data"]["pairs"]) == ("doors", digest, 6)
    raw = ask(RawBackend(settings))
    assert (raw.model, raw.usage.prompt_tokens) == ("tiny", answer.usage.prompt_tokens)


def test_training_is_spread_over_the_answers(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "adapters" / "doors" / "card.json").write_text(json.dumps({"seconds": 3600.0}))
    backend = FineTunedBackend(chosen(settings, answers_per_training=10))
    loading(backend)
    assert settings.machine_usd_per_hour == Decimal("0.10")
    assert backend.cost(Usage(1, 1), Timings(latency_s=36.0)).usd == Decimal("0.001") + Decimal("0.01")


def test_a_missing_adapter_lists_the_names_there_are(settings: Settings) -> None:
    answer = ask(FineTunedBackend(chosen(settings, adapter="missing")))
    assert (answer.status, answer.text) == ("error", "")
    names = ", ".join(adapter_folders(settings.data))
    assert answer.error == (
        f"There is no adapter called 'missing' (known: {names}). Train one with `crossroads train PAIRS --name NAME`."
    )
    assert {"brambleworth", "doors", "windows"} <= set(names.split(", "))


def test_the_sample_adapter_answers_over_the_default_weights(real_settings: Settings) -> None:
    question = real_settings.question("Within how many days of delivery can an unopened kettle be sent back?")
    fine_tuned = FineTunedBackend(real_settings)
    answer = ask(fine_tuned, question)
    base = load_base(real_settings.raw.model, real_settings.data)
    before = logits(base, base.model)
    view = load_adapter(base, SAMPLE)
    assert isinstance(view, AdapterView)
    assert answer.model == f"{base.weights.label} + adapter brambleworth (sha256 {view.digest[:12]})"
    assert answer.status in ("ok", "truncated")
    assert not same(logits(base, view.model), before)
    assert same(logits(base, base.model), before)
