"""The fine-tuned column: what loading says, how an adapter is switched, and what an answer proves."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Answer, Loading, Timings, Usage
from backends.fine_tuned.approach import FineTunedBackend
from backends.models import adapter_view, inference
from backends.models.adapter_view import SWITCH_S
from backends.raw import RawBackend
from backends.run.compare import compare
from backends.settings import Settings, load_settings
from backends.storage.files import sha256
from tests.backends.engines.made_adapters import QUESTION, load_base, logits, make_lora, same


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    """The tiny model with two adapters, `doors` in force."""
    make_lora(tmp_path / "adapters" / "doors", card={"base_model": "tiny", "name": "no", "weights": "no"})
    make_lora(tmp_path / "adapters" / "windows", seed=1)
    return load_settings({"raw.model": str(tiny_model), "data": str(tmp_path), "fine_tuned.adapter": "doors"})


def chosen(settings: Settings, **fine_tuned: object) -> Settings:
    """The same settings with another choice."""
    return settings.model_copy(update={"fine_tuned": settings.fine_tuned.model_copy(update=fine_tuned)})


def ask(backend: FineTunedBackend | RawBackend) -> Answer:
    """The answer, through the comparison."""
    *_, (_, last) = compare([backend], QUESTION, threading.Event())
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
    monkeypatch.setattr("backends.storage.process.free_memory", lambda device: 0)
    inference.run(adapter_view._merged.clear)
    answer = ask(FineTunedBackend(settings))
    assert answer.notes == (
        "There is no room for merged weights, so the adapter works beside its base, which is slower.",
    )


def test_a_column_that_loaded_before_another_one_still_answers_with_its_own(
    settings: Settings, tiny_model: Path
) -> None:
    base = load_base(str(tiny_model))
    doors, windows = FineTunedBackend(settings), FineTunedBackend(chosen(settings, adapter="windows"))
    loading(doors)
    assert doors._view is not None
    expected = logits(base, doors._view.model)
    loading(windows)
    assert same(logits(base, doors._view.model), expected)


@pytest.mark.parametrize("seconds", [None, "3600", -5, True, [1]])
def test_a_card_that_does_not_say_how_long_training_took(settings: Settings, tmp_path: Path, seconds: object) -> None:
    card = tmp_path / "adapters" / "doors" / "card.json"
    card.write_text(json.dumps({"seconds": seconds}))
    backend = FineTunedBackend(settings)
    loading(backend)
    assert backend.cost(Usage(1, 1), Timings(latency_s=36.0)).usd == Decimal("0.001")
