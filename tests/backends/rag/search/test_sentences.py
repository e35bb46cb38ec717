"""Chunks are cut into sentences and rows that stand alone, and these are put in order."""

from __future__ import annotations

import pytest

from backends.rag.documents.tables import row_in_words
from backends.rag.search.sentences import Scored, cut, distinct, in_words, place_of, ranked, share_of, with_context
from backends.rag.store.library import StoredChunk


def chunk(text: str, document: str = "guide.md", heading: str = "", start: int = 0) -> StoredChunk:
    return StoredChunk(1, "c1", document, None, start, start + len(text), heading, text)


def test_sentences_keep_their_place_and_headings() -> None:
    text = "## Fees\n\nThe fee is 12%. It is waived for trade customers."
    found = cut(chunk(text, heading="Policy > Fees", start=100))
    assert [one.text for one in found] == ["The fee is 12%.", "It is waived for trade customers."]
    assert all(text[one.start - 100 : one.end - 100] == one.text for one in found)
    assert with_context(found[0]) == "guide: Policy > Fees: The fee is 12%."


def test_a_heading_inside_a_chunk_stands_above_what_follows_it() -> None:
    found = cut(chunk("It costs £5.\n\n## Kettles\n\nThey are free.", heading="Policy > Fees"))
    assert [one.heading for one in found] == ["Policy > Fees", "Policy > Kettles"]


def test_rows_have_the_names_of_their_columns() -> None:
    table = "| Room | Seats |\n| --- | --- |\n| Cinder | 14 |\n| Flint | 6 |\n"
    found = cut(chunk(f"Rooms to meet in.\n\n{table}\nBook early."))
    assert [in_words(one) for one in found] == [
        "Rooms to meet in.",
        "Room: Cinder; Seats: 14",
        "Room: Flint; Seats: 6",
        "Book early.",
    ]


def test_rows_in_the_middle_of_a_table_have_them_too() -> None:
    heading = "Rooms\n| Room | Seats |\n| --- | --- |"
    (row,) = cut(chunk("| Tinder | 4 |\n", heading=heading))
    assert in_words(row) == "Room: Tinder; Seats: 4"
    assert with_context(row) == "guide: Rooms: Room: Tinder; Seats: 4"


@pytest.mark.parametrize("heading", ["", "\nsku,name,price"])
def test_rows_of_csv(heading: str) -> None:
    text = 'K3,Kettle,£98\nBF,"Burr, forty",£179\nTX,"two\nlines",£1'
    found = cut(chunk(text if heading else f"sku,name,price\n{text}", "prices.csv", heading))
    assert [in_words(one) for one in found] == [
        "sku: K3; name: Kettle; price: £98",
        "sku: BF; name: Burr, forty; price: £179",
        "sku: TX; name: two lines; price: £1",
    ]


def test_items_keep_the_words_that_introduce_them() -> None:
    found = cut(chunk("The warranty does not cover:\n\n- frost\n- vinegar in the boiler\n\nAll else is covered."))
    assert [with_context(one) for one in found[1:]] == [
        "guide: The warranty does not cover:: frost",
        "guide: The warranty does not cover:: vinegar in the boiler",
        "guide: All else is covered.",
    ]


def test_a_sentence_goes_on_in_the_next_line_of_a_plain_text() -> None:
    found = cut(chunk("PARKING\n\nThe shuttle runs from 07:20 to\n17:40. Bicycles go in the shed.", "a.txt"))
    assert [in_words(one) for one in found] == ["The shuttle runs from 07:20 to 17:40.", "Bicycles go in the shed."]
    assert {one.heading for one in found} == {"PARKING"}


@pytest.mark.parametrize("text", ["", "\n\n", "# Heading only", "| --- | --- |", "| | |", "---"])
def test_what_says_nothing_is_no_sentence(text: str) -> None:
    assert cut(chunk(text)) == []


def test_what_lies_in_another_sentence_counts_once() -> None:
    whole, part = cut(chunk("The number is BR and six digits.")), cut(chunk("BR and six digits.", start=14))
    assert distinct([*part, *whole]) == whole


def test_rows_with_other_cells_than_the_head_stay_as_they_are() -> None:
    assert row_in_words("| a | b |\n| --- | --- |", "| 1 | 2 | 3 |") == "1; 2; 3"
    assert row_in_words("| Price | Price |\n| net | gross |", "| 1 | 2 |") == "Price net: 1; Price gross: 2"
    assert row_in_words("", "") == ""
    wide = "|" + "|".join(f" c{n} " for n in range(200)) + "|"
    assert row_in_words(wide, wide.replace("c", "")).startswith("c0: 0; c1: 1")


def test_the_best_sentence_is_first_and_one_of_two_chunks_counts_once() -> None:
    first, second = cut(chunk("The fee is twelve percent. The kettle is red and blue."))
    found = ranked([(0.5, [Scored(first, 0.8, 1.0), Scored(second, 0.1, 0.0)]), (0.9, [Scored(first, 0.8, 1.0)])])
    assert [one.passage.text for one in found] == ["The fee is twelve percent.", "The kettle is red and blue."]
    assert [one.rank for one in found] == [1, 2]
    assert found[0].score == pytest.approx(0.5 * 0.8 + 0.15 + 0.3 * 0.9)


def test_the_judge_decides_among_those_that_it_was_asked_about() -> None:
    first, second, third = cut(
        chunk("The fee is twelve percent. The fee is paid at the desk. Nobody likes paying a fee.")
    )
    of_passage = [(0.5, [Scored(first, 0.6, 1.0), Scored(second, 0.7, 1.0), Scored(third, 0.9, 1.0)])]
    found = ranked(of_passage, {place_of(first): 3.0, place_of(second): -3.0})
    assert [one.passage.text for one in found] == ["The fee is twelve percent.", "The fee is paid at the desk."]
    assert 0 < found[1].score < found[0].score < 1


def test_the_share_of_the_questions_words() -> None:
    weights = {"fee": 3.0, "restock": 1.0}
    assert share_of(weights, "The fees are low.") == 0.75
    assert share_of({}, "anything") == 0.0


def test_a_short_item_of_a_list_stands_alone() -> None:
    found = cut(chunk("Fees for a day:\n- 3 euros.\n- 5 euros.", "a.md"))
    assert [in_words(one) for one in found][1:] == ["3 euros.", "5 euros."]


def test_bold_words_are_read_without_their_asterisks() -> None:
    found = cut(chunk("**Product**: Ember One; **price**: 2**8 pounds, **not** more ** than that."))
    assert [in_words(one) for one in found] == ["Product: Ember One; price: 2**8 pounds, not more ** than that."]


def test_the_names_of_columns_are_read_without_their_asterisks() -> None:
    found = cut(chunk("| **Product** | **Price** |\n| --- | --- |\n| Ember One | 95 pounds |\n"))
    assert [in_words(one) for one in found] == ["Product: Ember One; Price: 95 pounds"]
