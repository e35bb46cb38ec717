"""PDF pages in reading order: columns, tables, right-to-left lines, divided words, fields, notes, lost glyphs."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BackendError
from backends.rag.documents.readers import read
from backends.rag.documents.readers.pdf.hyphens import joined
from backends.rag.documents.readers.reading import Reading
from tests.backends.rag.documents.pdfs import Page, Placed, coded, lines, pdf, printed

LEFT = ["Returns are accepted", "within 30 days. The", "restocking fee is", "12 percent of the", "price of the item."]
RIGHT = ["Deliveries leave the", "warehouse at noon.", "Couriers need two", "working days for", "remote islands."]
COLUMNS = "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT)


def text_of(content: bytes) -> str:
    """The text of a page of this content."""
    ((_, text),) = read(pdf([content]), "pdf").pages
    return text


def beside(*columns: list[Placed]) -> list[Placed]:
    """The texts of columns, drawn row by row."""
    return [placed for row in zip(*columns, strict=True) for placed in row]


# --- columns and tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("right_y", [700, 693], ids=["level", "lines between lines"])
@pytest.mark.parametrize("by_row", [True, False])
def test_columns_are_read_one_after_another(by_row: bool, right_y: float) -> None:
    left, right = lines(72, 700, LEFT), lines(320, right_y, RIGHT)
    assert text_of(printed(beside(left, right) if by_row else left + right)) == COLUMNS


def test_three_columns_under_a_heading_that_goes_across() -> None:
    thirds = [lines(x, 660, column) for x, column in ((60, LEFT), (230, RIGHT), (400, LEFT))]
    heading = "Terms of sale and of delivery for all countries and all machines"
    page = printed([(60, 700, heading)], 16) + printed(beside(*thirds))
    assert text_of(page) == f"{heading}\n\n{COLUMNS}\n\n" + "\n".join(LEFT)


def test_a_column_that_is_longer_than_the_other_stays_whole() -> None:
    rows = beside(lines(72, 700, LEFT[:3]), lines(320, 700, RIGHT[:3])) + lines(72, 658, LEFT[3:])
    assert text_of(printed(rows)) == "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT[:3])


def test_a_table_stays_together_row_by_row() -> None:
    cells = [["Year", "2024", "2025"], ["Sold", "1,200", "1,430"], ["Returned", "31", ""]]
    placed = [beside_cell for row in range(3) for beside_cell in _row(cells, row) if beside_cell[2]]
    assert text_of(printed(placed)) == (
        "| Year | Sold | Returned |\n| --- | --- | --- |\n| 2024 | 1,200 | 31 |\n| 2025 | 1,430 |  |"
    )


def _row(columns: list[list[str]], row: int) -> list[Placed]:
    return [(72 + 120 * place, 700 - 16 * row, column[row]) for place, column in enumerate(columns)]


def test_a_table_of_sentences_is_no_text_in_columns() -> None:
    asked = ["When is the deposit paid back?", "Who pays for the transport?", "Is there a warranty on parts?"]
    said = ["Within thirty days after the return.", "The customer pays for it.", "Yes, for two years."]
    rows = beside(lines(72, 700, asked), lines(320, 700, said))
    assert text_of(printed(rows)).splitlines()[2] == f"| {asked[1]} | {said[1]} |"


def test_the_lines_of_a_wrapped_cell_are_one_cell() -> None:
    rows = [
        [["GK-1"], ["A tank of steel that", "holds two litres."], ["4.50"]],
        [["GK-2"], ["A lid of glass with", "a handle of wood."], ["7.50"]],
    ]
    placed: list[Placed] = [(72, 730, "Part"), (150, 730, "Description"), (320, 730, "Price")]
    for turn, row in enumerate(rows):
        for x, cell in zip((72, 150, 320), row, strict=True):
            placed += lines(x, 700 - 44 * turn, cell)
    assert text_of(printed(placed)).splitlines()[2:] == [
        "| GK-1 | A tank of steel that holds two litres. | 4.50 |",
        "| GK-2 | A lid of glass with a handle of wood. | 7.50 |",
    ]


def test_bullets_and_numbers_belong_to_their_items() -> None:
    items = [("•", "Fill the tank"), ("•", "Switch it on"), ("12.", "Wait a minute")]
    placed = [
        one
        for row, (mark, text) in enumerate(items)
        for one in ((72, 700 - 14 * row, mark), (96, 700 - 14 * row, text))
    ]
    assert text_of(printed(placed)) == "• Fill the tank\n• Switch it on\n12. Wait a minute"


def test_line_numbers_in_the_margin_do_not_make_a_table() -> None:
    said = ["The parties agree that the goods", "are delivered free of charge and", "that the buyer tests them."]
    rows = beside(lines(50, 700, ["1", "2", "3"]), lines(80, 700, said))
    assert text_of(printed(rows)) == "1\n2\n3\n\n" + "\n".join(said)


def test_lists_that_were_set_as_columns_stay_row_by_row() -> None:
    lists = lines(72, 700, ["Kettles", "Grills", "Mixers"]) + lines(320, 700, ["Lids", "Racks", "Bowls"])
    assert text_of(printed(lists)) == "| Kettles | Lids |\n| --- | --- |\n| Grills | Racks |\n| Mixers | Bowls |"


# --- lines and characters -----------------------------------------------------------------------------------


def test_right_to_left_lines_are_read_in_the_order_of_speech() -> None:
    shown = [
        "ارهش 36 نامضلا ةدم",
        "₪ 1,250 הלוע )שדח( ED-220 םגד",
        "דבלב Gold Club תוחוקלל 15% לש החנה",
        "١٢٣٤",
    ]
    assert text_of(coded(lines(72, 700, shown, 20))).splitlines()[::2] == [
        "مدة الضمان 36 شهرا",
        "דגם ED-220 (חדש) עולה 1,250 ₪",
        "הנחה של 15% ללקוחות Gold Club בלבד",
        "١٢٣٤",
    ]


def test_arabic_shapes_become_letters_and_ligatures_their_letters() -> None:
    assert text_of(coded([(72, 700, "ﺎﺒﺣﺮﻣ")])) == "مرحبا"
    assert text_of(coded([(72, 700, "Oﬃce ﬁlter")])) == "Office filter"


def test_text_that_is_printed_twice_is_read_once() -> None:
    twice: list[Placed] = [(72, 700, "Caution: hot"), (72.4, 700, "Caution: hot"), (72, 680, "Filling 11,111 bottles")]
    assert text_of(printed(twice)) == "Caution: hot\nFilling 11,111 bottles"


def test_raised_digits_are_exponents() -> None:
    volume = printed([(72, 700, "5 m")]) + printed([(90, 704, "3")], 7)
    pressure = printed([(97, 700, "at 10")]) + printed([(125, 704, "6")], 7)
    assert text_of(volume + pressure) == "5 m^3 at 10^6"


def test_exponents_that_stand_high_and_those_inside_of_a_word_are_read_with_it() -> None:
    high = printed([(72, 700, "about 10")]) + printed([(115, 706, "6")], 7) + printed([(119, 700, " cells")])
    inner = printed([(72, 680, "10")]) + printed([(84.3, 684, "-3")], 7) + printed([(90.6, 680, "/ml")])
    ordinal = printed([(72, 660, "the 1")]) + printed([(96.6, 664, "st")], 7) + printed([(104, 660, "time")])
    assert text_of(high + inner + ordinal) == "about 10^6 cells\n10^-3/ml\nthe 1st time"


def test_letters_that_are_set_wide_are_words() -> None:
    spaced = "I N V O I C E   N U M B E R"
    assert text_of(printed([(72, 700, spaced), (72, 680, "The usual text.")])) == "INVOICE NUMBER\nThe usual text."
    assert text_of(b"BT /F1 12 Tf 72 700 Td [(T)-600(O)-600(T)-600(A)-600(L)] TJ ET") == "TOTAL"
    assert text_of(printed([(72, 700, "A B C D E F")])) == "A B C D E F"
    assert text_of(printed([(72, 700, "I am A")])) == "I am A"


def test_accents_that_are_printed_over_letters_are_part_of_them() -> None:
    """As TeX prints them in its first fonts (reported of pypdf and pdfplumber)."""
    over = b"BT /F1 12 Tf 72 700 Td [(M)] TJ [(\xa8) 450 (uller in a caf) (\xb4) 450 (e)] TJ ET"
    assert text_of(over) == "M\u00fcller in a caf\u00e9"
    assert text_of(printed([(72, 700, "5^2 and ~7 and `name` ok")])) == "5^2 and ~7 and `name` ok"


# --- the names of glyphs --------------------------------------------------------------------------------


def fonted(font: str, content: bytes) -> Reading:
    """What is read of a page whose font F is given; objects from 201 on may follow it."""
    first, *more = font.split("\n---\n")
    ordinary = printed([(72, 600, "Thirty-six months of warranty, in ordinary letters.")])
    return read(pdf([content + ordinary], extra=[first, *more], fonts="/F 200 0 R"), "pdf")


def simple_font(differences: str, unicode: str = "", kind: str = "Type1") -> str:
    widths = f"/FirstChar 32 /LastChar 255 /Widths [{'500 ' * 224}]"
    encoding = f"/Encoding << /BaseEncoding /WinAnsiEncoding /Differences [{differences}] >>"
    return f"<< /Type /Font /Subtype /{kind} /BaseFont /ABCDEF+Own {widths} {encoding} {unicode} >>"


def test_ligatures_that_are_named_by_their_parts_are_letters() -> None:
    """Adobe Glyph List Specification, section 2; reported of PyMuPDF (issue 2785)."""
    content = b"BT /F 11 Tf 72 700 Td (con\x80guration at\x81r o\x82ce u\x83 x\x84y) Tj ET"
    reading = fonted(simple_font("128 /f_i /t_a /f_f_i /uni00660069 /g23"), content)
    assert reading.pages[0][1].startswith("configuration attar office ufi x\ufffdy")
    assert reading.warnings == ("Page 1: 1 character is unknown and stands as \ufffd.",)


@pytest.mark.parametrize("shows", ["0000", "fffd", "e123", "0006"])
def test_a_glyph_that_is_mapped_to_nothing_is_unknown_and_no_hyphen(shows: str) -> None:
    """Reported of pypdf (issue 1351): ligatures whose map says U+0000."""
    letters = "\n".join(f"<{code:02x}> <{code:04x}>" for code in range(32, 127))
    body = f"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 96 beginbfchar\n{letters}\n<80> <{shows}>\n"
    body += "endbfchar endcmap"
    stream = f"<< /Length {len(body)} >>\nstream\n{body}\nendstream"
    font = simple_font("", "/ToUnicode 201 0 R", "TrueType")
    reading = fonted(f"{font}\n---\n{stream}", b"BT /F 11 Tf 72 700 Td (con\x80guration of\x80ce) Tj ET")
    assert reading.pages[0][1].startswith("con\ufffdguration of\ufffdce\n")
    assert reading.warnings == ("Page 1: 2 characters are unknown and stand as \ufffd.",)


def test_the_names_of_drawn_glyphs_are_read() -> None:
    """Fonts of Type 3, as plotting programs write them."""
    glyph = "<< /Length 29 >>\nstream\n600 0 0 0 500 500 d1 0 0 5 5 re f\nendstream"
    font = (
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /Resources << >> "
        "/CharProcs << /A 201 0 R /five 201 0 R >> /Encoding << /Type /Encoding /Differences [65 /A /five] >> "
        "/FirstChar 65 /LastChar 66 /Widths [600 600] >>"
    )
    assert fonted(f"{font}\n---\n{glyph}", b"BT /F 11 Tf 72 700 Td (AB) Tj ET").pages[0][1].startswith("A5\n")


def test_turned_text_is_read_along_its_line() -> None:
    upwards = b"BT /F1 11 Tf 0 1 -1 0 60 300 Tm (Kilowatt hours) Tj ET "
    slanted = b"BT /F1 40 Tf 0.7 0.7 -0.7 0.7 200 200 Tm (DRAFT) Tj ET"
    level = printed([(100, 700, "Consumption per year")])
    assert text_of(level + upwards + slanted) == "Consumption per year\n\nKilowatt hours\n\nDRAFT"


def test_an_invisible_layer_over_a_scan_is_text() -> None:
    assert text_of(b"BT 3 Tr /F1 12 Tf 72 700 Td (A letter of 3 May) Tj ET") == "A letter of 3 May"


def test_text_beyond_the_edges_is_left_out_and_named() -> None:
    reading = read(pdf([printed([(72, 700, "Seen by everybody"), (72, 900, "unseen")])]), "pdf")
    assert reading.pages == ((1, "Seen by everybody"),)
    assert reading.warnings == ("6 characters beyond the edges of the pages, where nobody sees them, were left out.",)


# --- divided words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("an extended war-\nranty", "an extended warranty"),
        ("a war\u00ad\nranty", "a warranty"),
        ("A well-\nknown ice ma-\nker X-\n200", "A well-known ice maker X-200"),
        ("Kaffee-\nmaschine aus Rhein-\nMain", "Kaffeemaschine aus Rhein-Main"),
        ("Vor-\nund Nachteile", "Vor-\nund Nachteile"),
        ("the state-of-the-\nart e-\nmail", "the state-of-the-art e-mail"),
        ("http://a.example/pre-\nheat", "http://a.example/pre-heat"),
        ("pages 12-\n14", "pages 12-14"),
        ("a co-\nworker, many co-workers, a co-worker", "a co-worker, many co-workers, a co-worker"),
        ("a re-\nturn, the return", "a return, the return"),
        ("a wonder-\n\nful end", "a wonderful end"),
        ("a list:\n- one\n- two", "a list:\n- one\n- two"),
    ],
)
def test_divided_words_are_whole_and_compounds_keep_their_hyphen(text: str, whole: str) -> None:
    assert joined([text]) == [whole]


@given(st.lists(st.text(alphabet="ab-\n\u00ad1A. ", max_size=60), max_size=4))
def test_joining_takes_away_hyphens_and_line_ends_and_nothing_else(pages: list[str]) -> None:
    marks = str.maketrans("", "", "-\n\u00ad")
    assert [page.translate(marks) for page in joined(pages)] == [page.translate(marks) for page in pages]


def test_hyphens_in_a_file_of_both_kinds() -> None:
    assert text_of(printed(lines(72, 700, ["The war-", "ranty is 36 months"]))) == "The warranty is 36 months"
    soft = lines(72, 700, ["The ex\xadtended war\xad", "ranty of the com\xadpres\xadsor"])
    assert text_of(printed(soft)) == "The extended warranty of the compressor"


# --- glyphs without characters -----------------------------------------------------------------------------


def test_pages_whose_fonts_have_no_map_are_named_and_the_others_read() -> None:
    unknown = coded([(72, 700, "7KHZDUUDQW\\")], font="X")
    reading = read(pdf([printed([(72, 700, "A good page of text.")]), unknown]), "pdf")
    assert reading.pages == ((1, "A good page of text."), (2, ""))
    assert reading.warnings == (
        "Page 2 could not be read: the fonts there do not say which characters their glyphs are. "
        "Run OCR on it (text recognition).",
    )
    with pytest.raises(BackendError, match=r"^The PDF has 1 page but no readable text: its fonts"):
        read(pdf([unknown]), "pdf")


def test_single_unknown_glyphs_are_counted_and_stand_as_such() -> None:
    text = "The price is about 35 euros for each of the machines in the list."
    reading = read(pdf([printed([(72, 700, text)]) + coded([(72, 680, "\uf0b7 an item \ue123 and \ufffd")])]), "pdf")
    assert reading.pages[0][1].endswith("• an item \ufffd and \ufffd")
    assert reading.warnings == ("Page 1: 2 characters are unknown and stand as \ufffd.",)


def test_glyph_numbers_that_another_program_wrote_are_no_text() -> None:
    with pytest.raises(BackendError, match="no readable text"):
        read(pdf([printed([(72, 700, "(cid:12)(cid:7)(cid:33) of (cid:4)")])]), "pdf")


# --- fields and notes ----------------------------------------------------------------------------------------

WIDGET = "<< /Type /Annot /Subtype /Widget /Rect [200 690 400 710] /F 4 "
FIELDS = [
    WIDGET + "/FT /Tx /T (surname) /V (Okonkwo) >>",
    WIDGET + "/FT /Btn /T (gift) /V /Yes /AS /Yes >>",
    WIDGET + "/FT /Btn /T (terms) /AS /Off >>",
    WIDGET + "/FT /Ch /T (size) /TU (Size of the machine:) /Opt [[(s) (Small)] [(l) (Large)]] /V (l) >>",
    WIDGET + "/Parent 200 0 R /AS /Express >>",
    WIDGET + "/Parent 200 0 R /AS /Off >>",
    WIDGET + "/FT /Tx /Ff 8192 /T (pin) /V (1234) >>",
    "<< /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 2 /FT /Tx /T (hidden) /V (secret) >>",
    "<< /Type /Annot /Subtype /FreeText /Rect [72 600 400 640] /Contents (The deposit is 75 euros since May.) >>",
    "<< /Type /Annot /Subtype /Highlight /Rect [72 600 400 640] /Contents (Ask legal.) /T (Kim) >>",
    "<< /Type /Annot /Subtype /Stamp /Rect [72 600 400 640] /Contents (PAID) >>",
    "<< /Type /Annot /Subtype /Popup /Rect [72 600 400 640] /Contents (Ask legal.) >>",
]
RADIO = "<< /FT /Btn /Ff 32768 /T (delivery) /V /Express /Kids [104 0 R 105 0 R] >>"
ORPHAN = "<< /FT /Tx /T (orphan) /V (on no page) >>"


def test_fields_and_notes_are_read_with_their_names() -> None:
    form = "/AcroForm << /Fields [100 0 R 101 0 R 102 0 R 103 0 R 200 0 R 106 0 R 107 0 R 201 0 R] >>"
    reading = read(pdf([Page(printed([(72, 695, "Surname:")]), "", FIELDS)], form, [RADIO, ORPHAN]), "pdf")
    assert reading.pages[0][1].splitlines() == [
        "Surname:",
        "",
        "surname: Okonkwo",
        "gift: Yes",
        "terms: No",
        "Size of the machine: Large",
        "delivery: Express",
        "The deposit is 75 euros since May.",
        "Comment (Kim): Ask legal.",
        "Stamp: PAID",
        "orphan: on no page",
    ]
    assert reading.warnings == (
        "1 password field was left out.",
        "1 note or field that is hidden was left out.",
    )


def test_a_form_without_printed_text_is_read() -> None:
    reading = read(pdf([Page(b"", "", FIELDS[:1])], "/AcroForm << /Fields [100 0 R] >>"), "pdf")
    assert reading.pages == ((1, "surname: Okonkwo"),)


def test_attached_files_and_xfa_forms_are_named() -> None:
    root = "/Names << /EmbeddedFiles << /Names [(prices.xlsx) 200 0 R] >> >> /AcroForm << /Fields [] /XFA (x) >>"
    reading = read(pdf([printed([(72, 700, "See the attachment, please.")])], root, ["<< /Type /Filespec >>"]), "pdf")
    assert reading.warnings == (
        "The form is of the kind XFA, which is not read: print it to a PDF to have its values.",
        "Files are attached to the PDF and were not read: prices.xlsx.",
    )


def test_fields_in_a_circle_end() -> None:
    circle = ["<< /FT /Tx /T (a) /Parent 201 0 R /Kids [201 0 R] >>", "<< /T (b) /Parent 200 0 R /Kids [200 0 R] >>"]
    widget = WIDGET + "/Parent 200 0 R >>"
    form = "/AcroForm << /Fields [200 0 R] >>"
    reading = read(pdf([Page(printed([(72, 700, "A page with a form.")]), "", [widget])], form, circle), "pdf")
    assert reading.pages == ((1, "A page with a form."),)


# --- what always holds --------------------------------------------------------------------------------------------

PLACES = st.tuples(
    st.integers(min_value=20, max_value=560),
    st.integers(min_value=20, max_value=760),
    st.sampled_from(["Tea", "at four", "12.50"]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=12, unique_by=lambda one: one[:2]))
def test_no_word_is_lost_and_none_is_made_up(placed: list[Placed]) -> None:
    """Wherever texts stand, beside or over each other: their letters are read, as often as they are printed."""
    text = text_of(printed(placed))
    apart = all(abs(a[1] - b[1]) > 13 for place, a in enumerate(placed) for b in placed[:place])
    kept = sorted("".join(text.split()).replace("|", "").replace("---", ""))
    drawn = sorted("".join("".join(one[2].split()) for one in placed))
    assert kept == drawn if apart else set(kept) <= set(drawn) | {"^"}


DAMAGE = st.lists(
    st.tuples(st.integers(min_value=9, max_value=20_000), st.integers(min_value=0, max_value=255)), max_size=8
)
FORM = pdf([Page(printed(beside(lines(72, 700, LEFT), lines(320, 700, RIGHT))), "", FIELDS)], extra=[RADIO, ORPHAN])


@settings(max_examples=60, deadline=None)
@given(DAMAGE)
def test_a_damaged_file_is_read_or_refused(damage: list[tuple[int, int]]) -> None:
    data = bytearray(FORM)
    for place, byte in damage:
        data[place % len(data)] = byte
    characters = 0
    with contextlib.suppress(BackendError):
        characters = read(bytes(data), "pdf").characters
    assert characters < 10 * len(FORM)
