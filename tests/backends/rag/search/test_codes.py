"""What counts as a code in a question, and that it passes the floor of similarity where it stands word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.rag.search.codes import acronyms, codes, is_short, spellings
from backends.rag.search.retriever import Searcher
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

PARTS = {
    "duo.txt": "Part EK-4471-B fits model Ember Duo and costs 12 euros.",
    "one.txt": "Part EK-4417-B fits model Ember One and costs 14 euros.",
    "pro.txt": "Part EK4471 fits model Ember Pro and costs 19 euros.",
    "max.txt": "Part EK-4471-BX fits model Ember Max and costs 23 euros.",
    "mini.txt": "Part 0004711 fits model Ember Mini and costs 8 euros.",
    "console.txt": "Part C++ fits model the console and costs 1 euro.",
    "firmware.txt": "Part 10.5.2 fits model firmware of 2022 and costs 30 euros.",
    "rfc.txt": "It follows RFC\u00a07231 and nothing else.",
}


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("EK-4471-B", ("ek-4471-b",)),
        ("What does the \u201cEK\u20114471\u2011B\u201d cost?", ("ek-4471-b",)),
        ("0004711", ("0004711",)),
        ("4711", ("4711",)),
        ("Is gk2207 in stock?", ("gk2207",)),
        ("Who needs C++ or C#?", ("c++", "c#")),
        ("What is new in 10.5.2?", ("10.5.2",)),
        ("What does E4 mean?", ("e4",)),
        ("What is K3-17-IN made of?", ("k3-17-in",)),
        ("K3-17-IN", ("k3-17-in",)),
        ("IS THERE A 5-IN-1 TOOL?", ()),
        ("What does RFC 7231 say?", ("rfc-7231",)),
        ("Why ERR_CONN_RESET?", ("err_conn_reset",)),
        ("0x80070057", ("0x80070057",)),
        ("GDPR?", ("gdpr",)),
        ("Is the GDPR a law of the EU?", ()),
        ("Where is maxRetryCount set?", ("maxretrycount",)),
        ("What does HttpRequestHandler do?", ("httprequesthandler",)),
        ("Who says \u201cmodel Ember Duo\u201d?", ("model ember duo",)),
        ("Do I need an iPhone, PowerPoint or YouTube for it?", ()),
        ('What is a "kettle"?', ()),
        ("Who won the World Cup in 2022?", ()),
        ("May I return it after 30 days, or by mid-2024?", ()),
        ("Does it cost 12,500 euros or EUR 1200?", ()),
        ("5kg, 24h, 3D, 12.5 %, 24/7, 7:30 or a 36-month term", ()),
        ("What is the wifi-password?", ()),
        ("", ()),
    ],
)
def test_codes_of_a_question(question: str, found: tuple[str, ...]) -> None:
    assert codes(question) == found


def test_the_words_under_which_a_code_may_be_indexed() -> None:
    assert spellings("gk-2207") == ["gk", "2207", "gk2207"]
    assert spellings("gk2207") == ["gk2207", "gk", "2207"]
    assert (is_short("k2"), is_short("e-40"), is_short("gk22")) == (True, True, False)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_it_never_raises(text: str) -> None:
    for code in codes(text):
        assert code
        spellings(code)


@pytest.fixture
def parts(index: Index, tmp_path: Path) -> Index:
    for name, text in PARTS.items():
        (tmp_path / name).write_text(text)
    fill(index, *(tmp_path / name for name in PARTS))
    return index


@pytest.mark.parametrize("mode", ["dense", "keyword", "fused"])
@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("EK-4471-B", ["duo.txt"]),
        ("ek4471b", ["duo.txt"]),
        ("EK\u20134417\u2013B, please", ["one.txt"]),
        ("EK 4471", ["pro.txt"]),
        ("0004711", ["mini.txt"]),
        ("C++", ["console.txt"]),
        ("10.5.2", ["firmware.txt"]),
        ("RFC 7231", ["rfc.txt"]),
        ("EK-4471-B or EK-4417-B", ["duo.txt", "one.txt"]),
        ('Which part fits "the console"?', ["console.txt"]),
        ('Which part fits "the consoles"?', []),
        ("EK-9999-Z", []),
        ("model", []),
        ("costs 30 euros in 2022", []),
        ("zeppelin", []),
    ],
)
def test_a_code_passes_the_floor(
    parts: Index, quick: QuickEmbedder, question: str, names: list[str], mode: str
) -> None:
    searcher = Searcher(parts, quick, RagSettings(**SETTINGS, candidates=2))
    found = searcher.search(question, 3, mode=mode, min_score=0.99)  # type: ignore[arg-type]
    assert sorted(hit.passage.document for hit in found.hits) == names
    assert bool(found.codes) is bool(names)


def test_a_short_code_in_many_passages_does_not(index: Index, quick: QuickEmbedder, tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(f"The K2 has button {number}. " + ("E4 is heat." if number < 2 else ""))
    fill(index, *(tmp_path / f"{number}.txt" for number in range(12)))
    searcher = Searcher(index, quick, RagSettings(**SETTINGS))
    assert searcher.search("How high is K2?", 3, min_score=0.99).hits == ()
    found = searcher.search("What does E4 mean?", 3, min_score=0.99)
    assert len(found.hits) == 2
    held = {hit.passage.chunk_id for hit in found.hits}
    assert {one.passage.chunk_id for one in found.sentences} <= held
    assert [one.passage.text for one in found.sentences[:2]] == ["E4 is heat."] * 2
    assert [one.rank for one in found.sentences] == list(range(1, len(found.sentences) + 1))
    assert searcher.holds_code("What does E4 mean?")
    assert not searcher.holds_code("How high is K2?")


def test_an_acronym_within_a_question_passes_where_few_passages_hold_it(
    index: Index, quick: QuickEmbedder, tmp_path: Path
) -> None:
    assert acronyms("What does HACCP ask of a shop in the EU?") == ("haccp",)
    assert acronyms("WHAT DOES HACCP ASK?") == acronyms("What does it ask?") == ()
    for number in range(12):
        rare = "HACCP asks for a plan." if number < 2 else ""
        (tmp_path / f"{number}.txt").write_text(f"The VAT of button {number} is known. {rare}")
    fill(index, *(tmp_path / f"{number}.txt" for number in range(12)))
    searcher = Searcher(index, quick, RagSettings(**SETTINGS))
    assert len(searcher.search("What does HACCP ask for?", 3, min_score=0.99).hits) == 2
    assert searcher.search("What does VAT ask for?", 3, min_score=0.99).hits == ()
