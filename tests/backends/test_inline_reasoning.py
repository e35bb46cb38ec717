"""Reasoning between marks inside an answer, wherever a stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Note, Reasoning, Reclassified, TextDelta
from backends.inline_reasoning import MARKS, ReasoningReader, opening_mark_of


def read(pieces: list[str], opened: str = "", reason: str = "stop") -> tuple[str, str, list[str]]:
    """Text, reasoning and notes as whoever follows the events has them in the end."""
    reader = ReasoningReader(opened)
    text: list[str] = []
    notes: list[str] = []
    events = [event for n, piece in enumerate(pieces) for event in reader.say(piece, float(n))]
    for event in (*events, *reader.end(reason)):
        if isinstance(event, TextDelta):
            text.append(event.text)
        elif isinstance(event, Reclassified):
            text.clear()
        elif isinstance(event, Note):
            notes.append(event.text)
        else:
            assert isinstance(event, Reasoning)
    assert "".join(text) == reader.text
    return reader.text, reader.reasoning, notes


CASES = [
    ("<think>Hm.\n</think>\n\n36 months.", "36 months.", "Hm.\n"),
    ("\n<think>\nHm.\n</think>\n36 months.", "36 months.", "\nHm.\n"),
    ("<think></think>36", "36", ""),
    ("Okay, so.\n</think>\n\n36 months.", "36 months.", "Okay, so.\n"),
    ("Okay, so.</think>36 months.", "36 months.", "Okay, so."),
    ("Okay, so. </think>\n36 months.", "36 months.", "Okay, so. "),
    ("<thinking>Hm</thinking>A", "A", "Hm"),
    ("<reasoning>Hm</reasoning>\nA", "A", "Hm"),
    ("<thought>\nHm</thought>A", "A", "\nHm"),
    ("◁think▷Hm◁/think▷A", "A", "Hm"),
    ("[THINK]Hm[/THINK]A", "A", "Hm"),
    ("<seed:think>Hm</seed:think>A", "A", "Hm"),
    ("Hm◁/think▷A", "A", "Hm"),
    ("<|START_THINKING|>Hm<|END_THINKING|>A", "A", "Hm"),
    ("<|channel>thought\nHm<channel|>A", "A", "\nHm"),
    (
        "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>A",
        "A",
        "Hm<|end|>",
    ),
    ("<think>one</think> <think>two</think> A", "A", "onetwo"),
    ("<think>a </thinking> b</think>A", "A", "a </thinking> b"),
    ("<think>Hm</think>It ends with </think>.", "It ends with </think>.", "Hm"),
    ("A model writes <think> first.", "A model writes <think> first.", ""),
    ("It begins with <think> and ends\n</think>\nlike this.", None, ""),
    ("The mark `</think>` ends it.", None, ""),
    ("```\n</think>\n```\nThat is the mark.", None, ""),
    ("The mark </think> ends it.", None, ""),
    ('The mark "</think>" ends it.', None, ""),
    ("It ends with\n</think>", None, ""),
    ("It ends with\n</think>\n\n", None, ""),
    ("a < b, [1], ◁ and <thin", None, ""),
    ("  \n", None, ""),
    ("", None, ""),
]


@pytest.mark.parametrize(("whole", "text", "reasoning"), CASES, ids=range(len(CASES)))
def test_reasoning_is_told_from_the_answer_wherever_it_is_cut(whole: str, text: str | None, reasoning: str) -> None:
    expected = (whole if text is None else text, reasoning, [])
    assert read([whole]) == expected
    assert read(list(whole)) == expected
    for at in range(1, len(whole)):
        assert read([whole[:at], whole[at:]]) == expected


@given(
    st.lists(
        st.sampled_from(
            [*MARKS, *MARKS.values(), "Hm. ", "\n", " ", "`", "```\n", "a", "<", "</thi", "◁", "[", "\n\n"]
        ),
        max_size=12,
    ),
    st.data(),
)
def test_any_cut_gives_the_same(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts)
    opened = data.draw(st.sampled_from(["", *MARKS]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(pieces, opened) == read([whole], opened)


@given(st.text(alphabet="<>/think [THINK]\n`a", max_size=60))
def test_nothing_is_lost(whole: str) -> None:
    text, reasoning, _ = read([whole])
    kept = len("".join((text + reasoning).split()))
    marks = 2 * max(map(len, (*MARKS, *MARKS.values()))) * max(1, whole.count("<") + whole.count("["))
    assert len("".join(whole.split())) - marks <= kept <= len("".join(whole.split()))


def test_reasoning_that_never_ends_is_said() -> None:
    text, reasoning, notes = read(["<think>", "Hm, so"], reason="length")
    assert (text, reasoning) == ("", "Hm, so")
    assert notes == ["The model began to reason and never ended it, so there is no answer; its reasoning can be read."]


def test_a_template_that_opens_the_block_itself() -> None:
    assert opening_mark_of("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opening_mark_of("<|im_start|>assistant\n<think>\n\n</think>\n\n") == ""
    assert read(["Hm.", "\n</think>\n\n", "A"], "<think>") == ("A", "Hm.\n", [])
    assert read(["Hm."], "<think>", "length")[:2] == ("", "Hm.")
    text, reasoning, notes = read(["36 ", "months."], "<think>", "stop")
    assert (text, reasoning) == ("36 months.", "")
    assert "that the model never closed, so all that it wrote is shown as its answer" in notes[0]


def test_long_answers_take_linear_time() -> None:
    for piece in ("</think> ", "<", "\n", "`", "a"):
        reader = ReasoningReader()
        for n in range(100_000):
            for _ in reader.say(piece, float(n)):
                pass
