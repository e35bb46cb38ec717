"""The numbers of lists and headings in Word documents."""

from __future__ import annotations

import pytest

from backends.rag.documents.readers.list_numbers import counted, formatted
from tests.backends.rag.documents.readers.word_files import p, text_of, warnings_of, word_file


def level(place: int, form: str, text: str, start: int = 1, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{place}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def abstract(name: int, *levels: str) -> str:
    return f'<w:abstractNum w:abstractNumId="{name}">{"".join(levels)}</w:abstractNum>'


def num(name: int, of: int, more: str = "") -> str:
    return f'<w:num w:numId="{name}"><w:abstractNumId w:val="{of}"/>{more}</w:num>'


def item(text: str, list_id: int, place: int = 0, style: str = "") -> str:
    numbers = f'<w:numPr><w:ilvl w:val="{place}"/><w:numId w:val="{list_id}"/></w:numPr>'
    return p(text, (f'<w:pStyle w:val="{style}"/>' if style else "") + numbers)


def test_numbers_begin_where_the_list_does_and_carry_its_signs() -> None:
    data = word_file(
        item("Payment is due.", 1) + item("See § 4.", 1),
        numbering=abstract(0, level(0, "decimal", "§ %1", start=4)) + num(1, 0),
    )
    assert text_of(data) == "§ 4 Payment is due.\n\n§ 5 See § 4."


def test_levels_count_within_each_other_and_restart() -> None:
    levels = (
        *(level(0, "decimal", "Article %1", 3), level(1, "decimal", "%1.%2"), level(2, "lowerLetter", "(%3)")),
        level(3, "decimal", "%4)", more="<w:lvlRestart w:val='0'/>"),
    )
    body = (
        *(item("Scope", 1), item("first", 1, 1), item("second", 1, 1), item("a", 1, 2), item("b", 1, 2)),
        *(item("x", 1, 3), item("Next", 1), item("anew", 1, 1), item("a again", 1, 2), item("goes on", 1, 3)),
    )
    assert text_of(word_file("".join(body), numbering=abstract(0, *levels) + num(1, 0))) == (
        "Article 3 Scope\n3.1 first\n3.2 second\n(a) a\n(b) b\n      1) x\n\n"
        "Article 4 Next\n4.1 anew\n(a) a again\n      2) goes on"
    )


def test_lists_that_share_their_numbers_and_lists_that_start_anew() -> None:
    override = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="10"/></w:lvlOverride>'
    data = word_file(
        item("one", 1)
        + p("Text between.")
        + item("two", 1)
        + item("same numbers", 2)
        + item("ten", 3)
        + item("eleven", 3),
        numbering=abstract(0, level(0, "decimal", "%1.")) + num(1, 0) + num(2, 0) + num(3, 0, override),
    )
    assert text_of(data) == "1. one\n\nText between.\n\n2. two\n3. same numbers\n10. ten\n11. eleven"


def test_headings_take_their_numbers_from_their_styles() -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/>'
        '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/>'
        '<w:basedOn w:val="berschrift1"/>'
        '<w:pPr><w:numPr><w:ilvl w:val="1"/></w:numPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Clause"><w:name w:val="Clause"/>'
        '<w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
    )
    levels = level(0, "decimal", "%1."), level(1, "decimal", "%1.%2")
    body = [
        ("Scope", "berschrift1"),
        ("Aim", "berschrift2"),
        ("Prices", "berschrift1"),
        ("Net", "berschrift2"),
        ("Own", "Clause"),
    ]
    data = word_file(
        "".join(p(text, f'<w:pStyle w:val="{style}"/>') for text, style in body),
        styles=styles,
        numbering=abstract(0, *levels) + num(1, 0),
    )
    assert text_of(data) == "# 1. Scope\n\n## 1.1 Aim\n\n# 2. Prices\n\n## 2.1 Net\n\n### Own"


def test_bullets_are_a_list_and_switched_off_numbers_are_none() -> None:
    levels = level(0, "bullet", "\uf0b7"), level(1, "bullet", "o")
    data = word_file(
        item("a", 1) + item("b", 1, 1) + item("c", 1) + item("plain", 0), numbering=abstract(0, *levels) + num(1, 0)
    )
    assert text_of(data) == "- a\n  - b\n- c\n\nplain"


def test_a_legal_level_shows_all_numbers_as_digits() -> None:
    levels = level(0, "upperRoman", "%1."), level(1, "decimal", "%1.%2", more="<w:isLgl/>")
    data = word_file(item("four", 1) + item("legal", 1, 1), numbering=abstract(0, *levels) + num(1, 0))
    assert text_of(data) == "I. four\n1.1 legal"


def test_a_form_that_is_not_known_gives_no_number_and_is_named() -> None:
    data = word_file(item("text", 1), numbering=abstract(0, level(0, "hebrew1", "%1.")) + num(1, 0))
    assert text_of(data) == "text"
    assert warnings_of(data) == ("1 list number is in a form that is not read, and was left out: hebrew1.",)


def test_hidden_and_deleted_items_do_not_count() -> None:
    gone = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr><w:del/></w:rPr>'
    data = word_file(
        item("one", 1)
        + p(properties=gone, raw="<w:del><w:r><w:delText>old</w:delText></w:r></w:del>")
        + item("two", 1),
        numbering=abstract(0, level(0, "decimal", "%1.")) + num(1, 0),
    )
    assert text_of(data) == "1. one\n2. two"


@pytest.mark.parametrize(
    ("number", "form", "shown"),
    [
        (7, "decimalZero", "07"),
        (14, "lowerRoman", "xiv"),
        (1994, "upperRoman", "MCMXCIV"),
        (27, "upperLetter", "AA"),
        (22, "ordinal", "22nd"),
        (12, "ordinal", "12th"),
        (21, "chineseCounting", "二十一"),
        (3, "decimalEnclosedCircle", "③"),
        (4, "001, 002, 003, ...", "004"),
        (3, "russianLower", "в"),
        (5, "none", ""),
        (5, "hebrew1", None),
        (0, "upperRoman", None),
        (5000, "lowerLetter", None),
    ],
)
def test_forms_of_numbers(number: int, form: str, shown: str | None) -> None:
    assert formatted(number, form) == shown


def test_a_page_goes_on_with_two_letters_after_z() -> None:
    assert [counted(number) for number in (1, 26, 27, 28, 53)] == ["a", "z", "aa", "ab", "ba"]
