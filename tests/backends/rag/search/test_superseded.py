"""What is no longer in force is recognised, labelled, and stands behind what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.rag.prompt import build_prompt, build_sentence_prompt
from backends.rag.quote import quote
from backends.rag.search.retriever import Searcher
from backends.rag.search.superseded import asks_for_the_past, superseded
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import SETTINGS, QuickEmbedder


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("returns-superseded.md", "# Returns"),
        ("archive/fees.txt", "Fees"),
        ("rules.md", "# Rules (SUPERSEDED)\n\nText."),
        ("rules.md", "Status: archived\n\nText."),
        ("rules.md", "# Rules\n\nAdopted in 2016. **This edition is no longer in force.**"),
        ("rules.md", "# Rules\n\nThis document was replaced by version 4."),
    ],
)
def test_a_document_says_so_itself(name: str, beginning: str) -> None:
    assert superseded({name: beginning}) == {name: "superseded"}


@pytest.mark.parametrize(
    "beginning",
    [
        "# Rules\n\nVersion 3 was superseded by this document.",
        "# Prices\n\nValid until 31 December 2026.",
        "# Notes\n\nThe archived files lie in the cellar.",
        "# Warranty\n\nA part that was replaced is covered for a year.",
    ],
)
def test_what_only_speaks_of_others_is_in_force(beginning: str) -> None:
    assert superseded({"rules.md": beginning}) == {}


def test_a_later_edition_supersedes_an_earlier_one() -> None:
    names = (
        "fees-2023.md",
        "Fees_2026.pdf",
        "terms edition 3.txt",
        "terms-edition-4.pdf",
        "fees-2025-draft.md",
        "2024.md",
    )
    assert superseded(dict.fromkeys(names, "")) == {
        "fees-2023.md": "superseded by Fees_2026.pdf",
        "terms edition 3.txt": "superseded by terms-edition-4.pdf",
    }


def test_questions_about_the_past() -> None:
    assert asks_for_the_past("What was the fee before the change?")
    assert asks_for_the_past("How many bags under the 2022 conditions?")
    assert not asks_for_the_past("How long before the ship leaves do I have to be there if a bag was left?")


@pytest.fixture
def editions(index: Index, tmp_path: Path) -> Searcher:
    for year, days in ((2022, 14), (2026, 30)):
        (tmp_path / f"terms-{year}.md").write_text(f"# Terms\n\nA complaint is due within {days} days.")
    fill(index, *sorted(tmp_path.glob("*.md")))
    return Searcher(index, QuickEmbedder(), RagSettings(**SETTINGS))


def test_it_stands_behind_what_is_in_force_and_is_labelled(editions: Searcher) -> None:
    new, old = (one.passage for one in editions.search("a complaint is due within how many days", 2).sentences)
    assert (new.document, new.superseded) == ("terms-2026.md", "")
    assert (old.document, old.superseded) == ("terms-2022.md", "superseded by terms-2026.md")
    assert "[2] (superseded) terms-2022 > Terms: A complaint" in build_sentence_prompt("?", [new, old])
    assert "[2] terms-2022.md (superseded)" in build_prompt("?", [new, old])
    assert quote([old], [new, old]) == "A complaint is due within 14 days. [2] (superseded)"


def test_who_asks_for_the_past_gets_it_first(editions: Searcher) -> None:
    first = editions.search("complaint due within 14 days in 2022", 2).sentences[0].passage
    assert first.document == "terms-2022.md"
