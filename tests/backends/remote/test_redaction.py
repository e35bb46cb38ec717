"""Secrets in what a server sends back: found in any case, encoding and place, also in a text that comes in pieces."""

from __future__ import annotations

import json
import random
from collections.abc import Generator
from dataclasses import replace

import pytest

from backends.base import AttemptEnded, BackendEvent, Finished, Note, Passage, Retrieved, TextDelta, Trace, Usage
from backends.errors import BackendError
from backends.remote.redaction import Redaction

KEY = "Canary-k9/Q+x=27&zz"
REDACTION = Redaction((KEY, "team-header-value-7"))


def percent(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


SPELLINGS = {
    "as it is": KEY,
    "small": KEY.lower(),
    "large": KEY.upper(),
    "percent-encoded": "Canary-k9%2FQ%2Bx%3D27%26zz",
    "percent-encoded throughout": percent(KEY),
    "escaped in JSON": KEY.replace("/", r"\/"),
    "escaped in JSON throughout": "".join(rf"\u{ord(character):04X}" for character in KEY),
    "escaped in HTML": KEY.replace("&", "&amp;"),
    "numbers in HTML": "".join(f"&#{ord(character)};" for character in KEY),
    "hexadecimal numbers in HTML": "".join(f"&#x{ord(character):x};" for character in KEY),
    "with a character of no width": "\u200b".join(KEY),
    "with a control character": KEY[:5] + "\x00" + KEY[5:],
    "with a soft hyphen": KEY[:5] + "\u00ad" + KEY[5:],
    "with the Kelvin sign": KEY.replace("k", "\u212a"),
    "a header": "TEAM-header-value-7",
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(
    "around", [("", ""), ("Bearer ", ", said İ"), ("x%", "%2"), ("\U0001f600\\", "\\u00"), ("&", ";")]
)
def test_a_secret_is_found_however_it_is_spelled(spelled: str, around: tuple[str, str]) -> None:
    before, after = around
    assert REDACTION.text(before + spelled + after) == f"{before}[key]{after}"


@pytest.mark.parametrize(
    "text", ["", "Canary", "100 % of a\\b &amp; c", "%zz \\ué", "ſ İ \ud800", "Paris is the capital."]
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert REDACTION.text(text) == text
    assert Redaction(()).text(text) == text


def test_anything_that_looks_like_a_key_goes_from_messages() -> None:
    assert Redaction(()).text("no SK-proj-abc123, and sk-learn is one too") == "no [key], and sk-learn is one too"


def test_a_secret_that_is_itself_spelled_with_escapes() -> None:
    odd = Redaction((r"ab%41cd\"ef&gh",))
    assert odd.text(r"<ab%41cd\"ef&gh>") == "<[key]>"


def events(*pieces: str) -> Generator[BackendEvent]:
    for at, piece in enumerate(pieces):
        yield TextDelta(piece, float(at))
    yield Finished(Usage(), "stop")


def answered(*pieces: str, redaction: Redaction = REDACTION) -> str:
    return "".join(event.text for event in redaction.events(events(*pieces)) if isinstance(event, TextDelta))


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_in_an_answer_is_found_wherever_it_is_cut(spelled: str) -> None:
    text = f"It is {spelled}, and again: {spelled}"
    chance = random.Random(3)
    for _ in range(50):
        cuts = sorted(chance.sample(range(len(text) + 1), chance.randint(1, 12)))
        pieces = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        found = answered(*pieces)
        assert len(Redaction((KEY, "team-header-value-7")).text(found)) == len(found)
        assert found.startswith("It is ")
        assert found.count("[key]") == 2
        # Its first three characters may be on their way before it is clear what they are the beginning of.
        assert len(found) <= len("It is [key], and again: [key]") + 2 * 4 * len("&#x43;")


def test_a_secret_that_comes_letter_by_letter() -> None:
    assert answered(*f"It is {KEY}.") == "It is Can[key]."


def test_text_is_not_held_back_without_reason() -> None:
    given = ["C", "an", " you", " canary", "-x?", " Ca", "nar", "ies"]
    passed = list(REDACTION.events(events(*given)))
    assert [event.text for event in passed if isinstance(event, TextDelta)] == [
        "C",
        "an",
        " you",
        " ",
        "canary-x?",
        " Ca",
        "naries",
    ]


@pytest.mark.parametrize(("end", "shown"), [("Canar", "Canar"), ("Canary-k9", "[key]")])
def test_what_is_held_back_at_the_end_is_passed_on_unless_it_is_much_of_a_secret(end: str, shown: str) -> None:
    assert answered("It is ", end) == f"It is {shown}"


def test_short_keys_and_plain_words_do_not_garble_an_answer() -> None:
    placeholder = Redaction(("ollama", "production"))
    assert answered("The ollama is in production.", redaction=placeholder) == "The ollama is in production."
    assert placeholder.text("unknown key ollama") == "unknown key [key]"


def test_every_field_of_every_event_is_redacted_and_so_is_the_fault() -> None:
    def failing() -> Generator[BackendEvent]:
        yield Note(f"asked with {KEY}")
        yield Trace("request", json.dumps({"key": KEY}))
        yield TextDelta("Cana")
        yield Finished(Usage(service_tier=KEY.lower()), KEY.upper())
        raise BackendError(f"{KEY} is wrong.", f"Correct {KEY}.")

    passed: list[BackendEvent] = []
    with pytest.raises(BackendError) as raised:
        passed.extend(REDACTION.events(failing()))
    assert raised.value.cause == "[key] is wrong."
    assert raised.value.next_step == "Correct [key]."
    assert raised.value.__suppress_context__
    assert KEY.lower() not in repr(passed).lower()


def test_texts_within_tuples_of_an_event_are_redacted() -> None:
    said = AttemptEnded(f"refused {KEY}", usage=Usage(1, 2))
    passage = Passage(f"{KEY}.md", None, "1", 0.5, 0, 3, f"The key is {KEY}.")

    def events() -> Generator[BackendEvent]:
        yield said
        yield Retrieved((passage,))

    attempt, found = REDACTION.events(events())
    assert attempt == replace(said, fault="refused [key]")
    assert found == Retrieved((replace(passage, document="[key].md", text="The key is [key]."),))


def test_an_unforeseen_error_is_redacted_too() -> None:
    def failing() -> Generator[BackendEvent]:
        yield TextDelta("It is Canar")
        raise ValueError(f"illegal header {KEY}")

    found = REDACTION.events(failing())
    assert next(found) == TextDelta("It is ")
    assert next(found) == TextDelta("Canar")
    with pytest.raises(RuntimeError, match=r"^ValueError: illegal header \[key\]$"):
        next(found)
