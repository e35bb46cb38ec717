"""What a question may contain, whatever was pasted into the box."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Question
from backends.errors import BackendError
from backends.text import MAX_CHARACTERS, clean_question, counted, normalised, visible

BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
anything = st.text(st.characters(), max_size=200) | st.text(
    st.sampled_from("a \t\n\r\x00\x1b\x7f\x85\ud800\udfff\ufeff" + BIDI), max_size=40
)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("What is 1 + 1?", "What is 1 + 1?"),
        ("a\x00b", "ab"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("bell\x07 back\x08 delete\x7f next\x85line", "bell back delete nextline"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        ("user\u202etxt.exe", "usertxt.exe"),
        (f"a{BIDI}b", "ab"),
        ("\ufeffmark", "mark"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        (
            "caf\u00e9 \U0001f600 \u65e5\u672c \u05e9\u05dc\u05d5\u05dd",
            "caf\u00e9 \U0001f600 \u65e5\u672c \u05e9\u05dc\u05d5\u05dd",
        ),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_visible(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(anything)
def test_nothing_invisible_is_left_and_cleaning_again_changes_nothing(text: str) -> None:
    seen = visible(text)
    assert visible(seen) == seen
    seen.encode("utf-8")
    assert not set(seen) & set(BIDI + "\ufeff")
    assert {character for character in seen if unicodedata.category(character) in ("Cc", "Cs")} <= {"\t", "\n"}


@given(anything)
def test_a_question_is_clean_or_refused(text: str) -> None:
    try:
        cleaned = clean_question(Question(text))
    except BackendError:
        assert not any(character.isalnum() for character in text)
        return
    assert cleaned.text == visible(text).strip()
    assert clean_question(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t ", "\r\n", "\xa0\u2003\u3000", "\x00", "\u202e", "\ufeff", " \x00\u200e\n"],
    ids=ascii,
)
def test_blank(text: str) -> None:
    with pytest.raises(BackendError, match=r"^The question is empty\. Type a question first\.$"):
        clean_question(Question(text))


@pytest.mark.parametrize("text", ["\u200b", " \u200b\u200b\n", "\u2060", "\u200d\u200c", "\u00ad"], ids=ascii)
def test_characters_without_a_shape_are_no_question_either(text: str) -> None:
    with pytest.raises(BackendError, match=r"^The question is empty\."):
        clean_question(Question(text))


def test_the_longest_question() -> None:
    assert len(clean_question(Question("x" * MAX_CHARACTERS)).text) == 100_000


@pytest.mark.parametrize("character", ["x", " ", "\x00", "\U0001f600"], ids=ascii)
def test_a_megabyte_is_refused_with_its_size(character: str) -> None:
    with pytest.raises(BackendError) as refused:
        clean_question(Question(character * 1_000_000))
    assert refused.value.cause == "The question has 1,000,000 characters; the limit is 100,000."
    assert refused.value.next_step == "Shorten it, or put long texts into documents for the RAG approach."


def test_the_system_prompt_is_cleaned_and_the_rest_is_kept() -> None:
    asked = Question(" q ", system_prompt=" Be\x00 brief.\r\n", max_tokens=5, temperature=0.7, seed=9)
    assert clean_question(asked) == Question("q", system_prompt="Be brief.", max_tokens=5, temperature=0.7, seed=9)


def test_normalising_takes_linear_time_and_changes_no_ordinary_text() -> None:
    for text in ("Cafe\u0301 \uff11", "\u1112\u1161\u11ab", "a" + "\u0300" * 30, "plain"):
        for form in ("NFC", "NFKC"):
            assert normalised(form, text) == unicodedata.normalize(form, text)

    def seconds(marks: str) -> float:
        began = time.thread_time()
        assert len(normalised("NFKC", "a" + marks)) > 10_000
        return time.thread_time() - began

    for marks in ("\u0300\u0316", "\u0f73"):
        short, long = marks * (10_000 // len(marks)), marks * (100_000 // len(marks))
        times = [(seconds(short), seconds(long)) for _ in range(9)]  # in turn: other work slows both
        assert min(longer for _, longer in times) < 16 * min(shorter for shorter, _ in times)


def test_one_is_no_plural() -> None:
    said = [counted(number, "chunk") for number in (0, 1, 1200)]
    assert said == ["0 chunks", "1 chunk", "1,200 chunks"]
    assert counted(2, "file was", "files were") == "2 files were"
