"""The head of a table goes with every piece of it, whatever format it came from."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from backends.base import Passage
from backends.rag.documents.chunks import chunk, embedded_texts
from backends.rag.documents.files import Document, Page
from backends.rag.documents.tables import head_at, head_of, parts_of, shown_heading, table_heads
from backends.rag.evidence.answer import sentence_evidence
from backends.rag.prompt import build_prompt
from backends.rag.search.embedder import Embedder

HEAD = "| City | Opens | Parking spaces |\n| --- | --- | --- |"
ROWS = [f"| Town {number} | {number % 5 + 6}:00 | {number * 3} |" for number in range(1, 40)]
TABLE = "\n".join([HEAD, *ROWS])


@pytest.fixture(scope="module")
def tokenizer(embedder: Embedder) -> Tokenizer:
    return embedder.tokenizer


def document(text: str, format: str, name: str = "offices.bin") -> Document:
    return Document(name, "ab" * 32, format, (Page(None, 0, text),))


def last_passage(text: str, format: str, name: str, tokenizer: Tokenizer) -> Passage:
    found = chunk(document(text, format, name), tokenizer, 64, 8)
    assert len(found) > 3
    one = found[-1]
    return Passage(one.document, None, one.chunk_id, 0.5, one.start, one.end, one.text, one.heading)


@pytest.mark.parametrize("format", ["markdown", "html", "docx", "xlsx", "pptx", "pdf", "text"])
def test_every_piece_of_a_table_has_the_names_of_its_columns(format: str, tokenizer: Tokenizer) -> None:
    text = f"# Offices\n\nWhere we are.\n\n{TABLE}\n"
    found = chunk(document(text, format), tokenizer, 64, 8)
    for one, embedded in zip(found, embedded_texts(found, tokenizer), strict=True):
        if "| Town" in one.text:
            assert "Parking spaces" in embedded
        if one.text.startswith("| Town"):
            assert parts_of(one.heading)[1] == HEAD
    prompt = build_prompt("How many?", [last_passage(text, format, "offices", tokenizer)])
    assert f"{HEAD}\n" in prompt


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.tsv", "\t"), ("offices", ";")])
def test_csv_in_any_separator_and_under_any_name(name: str, separator: str, tokenizer: Tokenizer) -> None:
    head = separator.join(["City", "Opens", "Parking spaces"])
    rows = "\n".join(separator.join([f"Town {n}", f"{n % 5}:00", str(n)]) for n in range(40))
    passage = last_passage(f"{head}\n{rows}\n", "csv", name, tokenizer)
    assert shown_heading(passage.heading) == head
    assert head in build_prompt("How many?", [passage])


@pytest.mark.parametrize("first", ["City", ""], ids=["named", "without a name"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\n\t\n"], ids=["nothing", "a byte order mark", "an empty row"])
def test_tabs_part_the_columns_in_the_prompt_too(first: str, before: str, tokenizer: Tokenizer) -> None:
    rows = [f"Town {number}\t{number}\t\t{number * 3}" for number in range(1, 60)]
    head = f"{first}\tPhone extension\tFax\tParking  spaces"
    one = last_passage("\n".join([before + head, *rows]), "csv", "a.tsv", tokenizer)
    lines = build_prompt("How many?", [one]).split("\n")
    shown = lines[lines.index("[1] a.tsv") + 2 :]
    assert shown[0] == f"{first}\tPhone extension\tFax\tParking spaces"
    assert {line.count("\t") for line in shown[: shown.index(">>>")]} == {3}


def test_what_follows_a_table_has_nothing_of_it(tokenizer: Tokenizer) -> None:
    text = f"# Offices\n\n{TABLE}\n\n" + "The offices are closed on Sundays. " * 30
    found = chunk(document(text, "markdown"), tokenizer, 64, 0)
    assert found[-1].heading == "Offices"


def heads(text: str, format: str = "markdown") -> list[str]:
    return [one.text for one in table_heads(text, format)]


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (["a,b,c", "1,2,3", "4,5,6"], 1),
        (["Price list,,", "item,colour,price", "K2,red,4.50"], 2),
        (["Office,Hours,Hours", "City,Opens,Closes", "Aldby,7:00,8:00"], 2),
        (["Year,Revenue,Revenue", ",2023,2024", "North,1.5,2.5"], 2),
        (["item,length,weight", ",(mm),(kg)", "K2,20,1"], 2),
        (["item,length,weight", ",mm,kg", "K2,20,1"], 2),
        ([",K2,K3", "colour,red,blue", "litres,1.7,1.5"], 1),
        (["name,city,country", "Ann,York,UK", "Bob,Leeds,UK"], 1),
        (["name,note,", "Ann,tall,", "Bob,short,"], 1),
    ],
)
def test_a_head_may_have_two_rows(rows: list[str], count: int) -> None:
    assert heads("\n".join(rows), "csv") == ["\n".join(rows[:count])]
    first, *others = (f"| {' | '.join(row.split(','))} |" for row in rows)
    rule = "| --- | --- | --- |"
    assert heads("\n".join([first, rule, *others])) == ["\n".join([first, rule, *others[: count - 1]])]


def test_other_shapes_of_tables() -> None:
    assert heads("City | Opens\n--- | ---:\nAldby | 7:00") == ["City | Opens\n--- | ---:"]
    assert heads("sep=;\na;b\n1;2", "csv") == ["a;b"]
    assert heads('"a\nb",c\n1,2\n', "csv") == ['"a\nb",c']
    assert heads("\ufeff\n\na,b\n1,2", "csv") == ["a,b"]
    assert heads("a | b\nno rule\n") == []
    assert heads("", "csv") == []
    assert heads("a | b\n--- | ---\n1 | 2", "code") == []


def test_chunks_of_earlier_versions_have_the_head_of_csv_alone() -> None:
    old = Passage("Prices.TSV", None, "1", 0.5, 120, 160, "K3\tInk\t98", "model\tcolour\tprice")
    assert head_of(old) == "model\tcolour\tprice"
    assert head_of(Passage("a.md", None, "1", 0.5, 120, 160, "K3", "Prices > Kettles")) == ""


def test_a_row_supports_what_its_column_says(tokenizer: Tokenizer) -> None:
    passage = last_passage(f"# Offices\n\n{TABLE}\n", "markdown", "offices.md", tokenizer)
    right, wrong = (sentence_evidence(f"Town 39 has {n} parking spaces.", [passage])[0].verdict for n in (117, 114))
    assert (right, wrong) == ("supported", "unsupported")


@settings(max_examples=100, deadline=None)
@given(st.text('|-: \n,;"ab1', max_size=80), st.sampled_from(["csv", "markdown"]))
def test_heads_lie_in_the_text_and_nothing_raises(text: str, format: str) -> None:
    found = table_heads(text, format)
    for one in found:
        assert 0 <= one.start <= one.end <= one.table_end <= len(text)
        assert head_at(found, one.start) == ""
    assert [one.start for one in found] == sorted(one.start for one in found)
