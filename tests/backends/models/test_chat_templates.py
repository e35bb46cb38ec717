"""Chat templates that refuse a system prompt, drop it, want parts, open the reasoning themselves, or do not work."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from backends.base import Answer, Note, Question, Reasoning, TextDelta, Trace
from backends.errors import BackendError
from backends.models import generate
from backends.models.generate import IN_QUESTION, build_prompt, token_decoder
from backends.raw import RawBackend
from backends.run.timing import run_timed
from backends.settings import load_settings
from terminal.commands import app

QUESTION = Question("How long?", "Be brief.", max_tokens=4)
TURNS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</{{ m['role'] }}>{% endfor %}"
END = "{% if add_generation_prompt %}<assistant>{% endif %}"
REFUSES = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
ALTERNATES = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}{% endfor %}"
)
DROPS = "{% for m in messages %}{% if m['role'] == 'user' %}<user>{{ m['content'] }}</user>{% endif %}{% endfor %}"
PARTS = "{% for m in messages %}<{{ m['role'] }}>{% for p in m['content'] %}{{ p['text'] }}{% endfor %}{% endfor %}"
SHOUTS = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}</{{ m['role'] }}>{% endfor %}"
MERGES = (
    "{% set s = messages[0].content if messages[0].role == 'system' else '' %}"
    "<user>{{ s }}|{{ messages[-1].content }}</user>"
)


def with_template(tiny_model: Path, tmp_path: Path, template: str) -> Path:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "templated"))
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


class Tokenizer:
    """The real rendering over a template of the test's own, without weights."""

    def __init__(self, real: Any, template: str) -> None:
        self._real = real
        self.chat_template = template

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def apply_chat_template(self, messages: Any, **more: Any) -> Any:
        return self._real.apply_chat_template(messages, chat_template=self.chat_template, **more)

    def __call__(self, text: str, **more: Any) -> Any:
        return self._real(text, **more)


@pytest.fixture
def prompt_of(tiny_model: Path) -> Callable[[str, Question], generate.Prompt]:
    from transformers import AutoTokenizer

    real = AutoTokenizer.from_pretrained(tiny_model)

    def build(template: str, question: Question) -> generate.Prompt:
        weights = SimpleNamespace(label="tiny", model_id="tiny")
        base: Any = SimpleNamespace(tokenizer=Tokenizer(real, template), weights=weights, context_tokens=None)
        return build_prompt(base, question)

    return build


PromptOf = Callable[[str, Question], generate.Prompt]


@pytest.mark.parametrize(
    ("template", "text", "note"),
    [
        (TURNS + END, "<system>Be brief.</system><user>How long?</user><assistant>", ""),
        (SHOUTS + END, "<system>Be brief.</system><user>How long?</user><assistant>", ""),
        (MERGES + END, "<user>Be brief.|How long?</user><assistant>", ""),
        (REFUSES + TURNS + END, "<user>Be brief.\n\nHow long?</user><assistant>", IN_QUESTION),
        (ALTERNATES + TURNS + END, "<user>Be brief.\n\nHow long?</user><assistant>", IN_QUESTION),
        (DROPS + END, "<user>Be brief.\n\nHow long?</user><assistant>", IN_QUESTION),
        (PARTS + END, "<system>Be brief.<user>How long?<assistant>", ""),
        (REFUSES + PARTS + END, "<user>Be brief.\n\nHow long?<assistant>", IN_QUESTION),
    ],
)
def test_no_system_prompt_is_lost(prompt_of: PromptOf, template: str, text: str, note: str) -> None:
    prompt = prompt_of(template, QUESTION)
    assert (prompt.text, prompt.note) == (text, note)
    bare = prompt_of(template, Question("How long?"))
    assert "How long?" in bare.text
    assert bare.note == ""


def test_a_system_prompt_that_the_template_holds_anyway_is_not_taken_for_kept(prompt_of: PromptOf) -> None:
    prompt = prompt_of(DROPS + END, Question("How long?", "user"))
    assert prompt.text == "<user>user\n\nHow long?</user><assistant>"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('Only for tools') }}", "TemplateError: Only for tools"),
        ("{{ messages[0].nothing.more }}", "UndefinedError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("nothing", "it leaves the question out"),
    ],
)
def test_a_template_that_does_not_work_is_a_sentence(prompt_of: PromptOf, template: str, why: str) -> None:
    for question in (QUESTION, Question("How long?")):
        with pytest.raises(BackendError) as raised:
            prompt_of(template, question)
        assert raised.value.cause.startswith("The chat template of tiny cannot be filled with a question (")
        assert why in raised.value.cause
        assert raised.value.next_step.startswith("Correct the model's chat_template.jinja")


@pytest.mark.slow
def test_a_model_that_refuses_the_role_answers_with_a_note(tiny_model: Path, tmp_path: Path) -> None:
    folder = with_template(tiny_model, tmp_path, REFUSES + TURNS + END)
    backend = RawBackend(load_settings({"raw.model": str(folder)}))
    *events, answer = run_timed(backend, QUESTION, threading.Event())
    assert isinstance(answer, Answer)
    assert answer.status in ("ok", "truncated", "empty")
    assert Note(IN_QUESTION) in events
    assert IN_QUESTION in answer.notes


@pytest.mark.slow
def test_a_template_s_fault_on_the_terminal_is_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    folder = with_template(tiny_model, tmp_path, "{{ raise_exception('Only for tools') }}")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(f'{{"question": "What is {n}?", "answer": "{n}."}}' for n in range(12)))
    chosen = ["--set", f"raw.model={folder}", "--set", "max_tokens=4"]
    for command in (["train", str(pairs), "--estimate"], ["train", str(pairs)], ["ask", "x", "--approach", "raw"]):
        done = CliRunner().invoke(app, [*command, *chosen])
        assert done.exit_code == 1
        assert "cannot be filled with a question (TemplateError: Only for tools)" in done.output
        assert "Traceback" not in done.output


@pytest.mark.slow
def test_training_notes_where_the_system_prompt_stands(tiny_model: Path, tmp_path: Path) -> None:
    folder = with_template(tiny_model, tmp_path, REFUSES + TURNS + END)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(f'{{"question": "What is {n}?", "answer": "{n}."}}' for n in range(12)))
    chosen = ["--set", f"raw.model={folder}", "--set", "max_tokens=4"]
    estimated = CliRunner().invoke(app, ["train", str(pairs), "--estimate", *chosen])
    assert estimated.exit_code == 0, estimated.output
    assert IN_QUESTION in " ".join(estimated.output.split())
    trained = CliRunner().invoke(app, ["train", str(pairs), "--epochs", "1", *chosen])
    assert trained.exit_code == 0, trained.output
    assert IN_QUESTION in " ".join(trained.output.split())


def test_reasoning_of_a_model_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script of tokens in place of the model; the marks are special tokens, as Mistral's are."""
    words = ["[THINK]", "Hm", ".", "[/THINK]", "36", " months", ""]
    events = events_of(monkeypatch, words, "<user>x</user>")
    assert said(events) == "36 months"
    assert [event.value for event in events if isinstance(event, Trace) and event.name == "reasoning"] == ["Hm."]
    assert sum(isinstance(event, Reasoning) for event in events) == 2


def test_reasoning_that_the_template_has_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["Hm", ".\n", "</think>", "\n\n", "36", " months", ""]
    assert said(events_of(monkeypatch, words, "<user>x</user><assistant><think>\n")) == "36 months"
    closed = events_of(monkeypatch, ["36", " months", ""], "<think>\n\n</think>\n\n")
    assert said(closed) == "36 months"
    unclosed = events_of(monkeypatch, ["36", " months", ""], "<assistant><think>")
    assert said(unclosed) == "36 months"
    assert any(isinstance(event, Note) and "never closed" in event.text for event in unclosed)


def said(events: list[Any]) -> str:
    """The text of the answer, as whoever follows the events has it in the end."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif type(event).__name__ == "Reclassified":
            text = ""
    return text


class FixedModel:
    """Generates tokens 0, 1, ... so many; the last one ends the text."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.generation_config = SimpleNamespace(eos_token_id=tokens - 1)

    def generate(self, *, input_ids: torch.Tensor, streamer: Any, **options: Any) -> None:
        streamer.put(input_ids)
        for number in range(self.tokens):
            streamer.put(torch.tensor([number]))
        streamer.end()


def events_of(monkeypatch: pytest.MonkeyPatch, words: list[str], prompt: str) -> list[Any]:
    """The events of an answer that consists of these tokens; the last one ends the text."""

    ids = torch.zeros((1, 3), dtype=torch.long)
    monkeypatch.setattr(generate, "build_prompt", lambda *_: generate.Prompt(prompt, ids, True))
    monkeypatch.setattr(generate, "token_decoder", lambda _: lambda number: words[number])
    base: Any = SimpleNamespace(tokenizer=None, device="cpu")
    return list(generate.generate(base, FixedModel(len(words)), Question("x"), threading.Event()))


def test_marks_that_are_special_tokens_are_kept(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>", "<other>"]})
    ids = tokenizer("<think>Hm</think>A<other>B", add_special_tokens=False).input_ids
    decode = token_decoder(tokenizer)
    assert "".join(map(decode, ids)) == "<think>Hm</think>AB"
