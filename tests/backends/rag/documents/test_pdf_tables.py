"""Tables and columns of a PDF page: borders, the order of the file, heads, and text beside and around them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backends.rag.documents.readers import read
from backends.rag.documents.readers.pdf.ruling import Lines
from backends.rag.documents.tables import columns_in_words
from tests.backends.rag.documents.pdfs import Page, Placed, lines, pdf, printed

LEFT = [
    "4. Luggage",
    "Each passenger may",
    "bring two pieces of",
    "luggage and a pram,",
    "which are carried",
    "free of",
]
RIGHT = [
    "charge at any time.",
    "5. Children",
    "Children travel only",
    "with a person who is",
    "at least sixteen",
    "years old.",
]


def text_of(content: bytes, entries: str = "") -> str:
    """The text of a page of this content."""
    ((_, text),) = read(pdf([Page(content, entries)]), "pdf").pages
    return text


def bordered(xs: Sequence[float], ys: Sequence[float], as_one_path: bool = False) -> bytes:
    """Lines around all cells between these edges."""
    across = [f"{xs[0]} {y} m {xs[-1]} {y} l" for y in ys]
    up = [f"{x} {ys[0]} m {x} {ys[-1]} l" for x in xs]
    return (" ".join([*across, *up, "S"]) if as_one_path else " S ".join([*across, *up, ""])).encode() + b" "


def cells(xs: Sequence[float], y: float, texts: Sequence[str], pitch: float = 14) -> list[Placed]:
    """A row of cells; the lines of a cell are parted by line ends."""
    return [placed for x, text in zip(xs, texts, strict=True) for placed in lines(x, y, text.split("\n"), pitch)]


def rows_of(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without the lines under their heads."""
    rows = [line.strip("| ").split(" | ") for line in text.split("\n") if line.startswith("|")]
    return [row for row in rows if row[0] != "---"]


# --- borders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_one_path", [True, False])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_cells_with_borders_are_cells_whatever_is_in_them(as_one_path: bool, angle: int) -> None:
    xs = (80, 180, 340)
    placed = cells(xs, 690, ["When", "Paid back", "Changed"])
    placed += cells(xs, 664, ["Before that", "the price, of\nwhich forty are\nkept", "free"])
    placed += cells(xs, 608, ["Later", "nothing", "if there is room,\nfor seventy"])
    drawn = bordered([76, 176, 336, 470], [706, 680, 626, 580], as_one_path) + printed(placed)
    turn = {0: "1 0 0 1 0 0", 90: "0 1 -1 0 790 0", 180: "-1 0 0 -1 600 790", 270: "0 -1 1 0 -100 600"}[angle]
    assert rows_of(text_of(f"q {turn} cm ".encode() + drawn + b" Q")) == [
        ["When", "Paid back", "Changed"],
        ["Before that", "the price, of which forty are kept", "free"],
        ["Later", "nothing", "if there is room, for seventy"],
    ]


def test_columns_of_text_above_a_bordered_table_whose_border_is_below_the_space_between_them() -> None:
    columns = lines(72, 740, LEFT) + lines(320, 740, RIGHT)
    table = cells((80, 330), 630, ["Delay", "Compensation"]) + cells((80, 330), 610, ["an hour", "a quarter"])
    table += cells((80, 330), 590, ["two hours", "half"])
    page = printed([*columns, (72, 652, "6. Delays"), *table]) + bordered([72, 322, 540], [644, 624, 604, 584])
    assert text_of(page) == (
        "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT) + "\n\n6. Delays\n\n"
        "| Delay | Compensation |\n| --- | --- |\n| an hour | a quarter |\n| two hours | half |"
    )


def test_a_bordered_table_inside_of_a_column_stands_where_it_is_drawn() -> None:
    table = cells((80, 180), 690, ["Kind", "Price"]) + cells((80, 180), 670, ["Bike", "4.50"])
    left = [*lines(72, 740, LEFT[:3]), *table, *lines(72, 640, LEFT[3:])]
    page = printed(left + lines(320, 740, [*RIGHT, *LEFT])) + bordered([72, 172, 260], [704, 684, 664])
    table_text = "| Kind | Price |\n| --- | --- |\n| Bike | 4.50 |"
    assert text_of(page) == "\n".join(
        [*LEFT[:3], "", table_text, "", *LEFT[3:], "", *RIGHT, *LEFT],
    )


def test_merged_cells_are_repeated_and_a_title_stands_above_the_table() -> None:
    edges = b"72 720 m 372 720 l S 72 700 m 372 700 l S 72 680 m 372 680 l S 72 660 m 372 660 l S 72 720 m 72 660 l S "
    edges += b"372 720 m 372 660 l S 172 700 m 172 660 l S 272 680 m 272 660 l S "
    placed: list[Placed] = [(80, 706, "Fares of 2026"), (80, 686, "Line"), (180, 686, "Summer")]
    assert text_of(edges + printed([*placed, *cells((80, 180, 280), 666, ["Skarvik", "12", "14"])])) == (
        "Fares of 2026\n\n| Line | Summer | Summer |\n| --- | --- | --- |\n| Skarvik | 12 | 14 |"
    )


def test_rows_without_lines_between_them_are_rows() -> None:
    placed = cells((80, 200), 700, ["Part", "Price"])
    for place, row in enumerate([["Lid", "4.50"], ["Cord", "7.50"], ["Filter", "3"]]):
        placed += cells((80, 200), 680 - 14 * place, row)
    page = bordered([72, 190, 280], [714, 694, 640]) + printed(placed)
    assert rows_of(text_of(page)) == [["Part", "Price"], ["Lid", "4.50"], ["Cord", "7.50"], ["Filter", "3"]]


def test_frames_that_are_no_cells_leave_the_text_as_it_is() -> None:
    frames = b"60 600 300 140 re S 80 620 200 60 re S 200 560 300 100 re S 90 640 m 470 640 l S 300 500 m 300 760 l S "
    assert text_of(frames + printed([(72, 700, "A sentence that is long"), (72, 686, "and goes on below.")])) == (
        "A sentence that is long\nand goes on below."
    )


def test_very_many_lines_are_read_in_time_and_lose_no_text() -> None:
    places = [(7 * place % 500, 20 + place % 740) for place in range(3_000)]
    many = "".join(f"{x} {y} m {x + 20} {y} l S {x} {y} m {x} {y + 9} l S " for x, y in places)
    assert text_of(many.encode() + printed([(72, 700, "A map of the harbour")])) == "A map of the harbour"


def test_lines_turn_with_the_text() -> None:
    drawn = Lines(across=[(10, 50, 100)], up=[(20, 80, 30)])
    assert drawn.turned(90) == Lines([(-80, -20, 30)], [(10, 50, -100)])
    assert drawn.turned(180) == Lines([(-50, -10, -100)], [(-80, -20, -30)])
    assert drawn.turned(270) == Lines([(20, 80, -30)], [(-50, -10, 100)])
    assert drawn.turned(45) == Lines()


# --- tables without borders -------------------------------------------------------------------------------------


def test_columns_of_text_above_a_table_without_borders() -> None:
    columns = lines(72, 740, LEFT) + lines(320, 740, RIGHT)
    table = cells((72, 320), 630, ["Service", "Fee"]) + cells((72, 320), 616, ["Change", "25"])
    assert text_of(printed(columns + table)) == (
        "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT) + "\n\n| Service | Fee |\n| --- | --- |\n| Change | 25 |"
    )


def test_cells_in_the_middle_of_their_row() -> None:
    placed = cells((72, 250, 350), 700, ["Type", "One", "Two"])
    placed += [(72, 680, "Maximum current"), (72, 668, "per tracker"), (250, 674, "12 A"), (350, 674, "14 A")]
    placed += [(72, 648, "Power"), (250, 648, "3 kW"), (350, 648, "5 kW")]
    assert rows_of(text_of(printed(placed))) == [
        ["Type", "One", "Two"],
        ["Maximum current per tracker", "12 A", "14 A"],
        ["Power", "3 kW", "5 kW"],
    ]


def test_numbers_that_stand_close_beside_each_other_are_two_columns() -> None:
    rows = [["Lid", "312", "774.82"], ["Cord", "58", "4,742.75"], ["Filter", "187", "85.12"]]
    placed = [one for at, row in enumerate(rows) for one in cells((72, 239 + 6 * (at == 1), 268), 700 - 18 * at, row)]
    assert rows_of(text_of(printed(placed)))[-3:] == rows


def test_two_tables_under_each_other_have_columns_of_their_own() -> None:
    placed: list[Placed] = [(72, 720, "Type"), (200, 720, "One"), (300, 720, "Two"), (400, 720, "Three")]
    placed += cells((72, 200, 300, 400), 704, ["Noise", "25 dB", "29 dB", "38 dB"])
    placed += [(72, 682, "Order numbers")]
    placed += cells((72, 150, 270), 664, ["Type", "Standard", "Coated"]) + cells(
        (72, 150, 270), 648, ["One", "A-1", "A-2"]
    )
    assert rows_of(text_of(printed(placed))) == [
        ["Type", "One", "Two", "Three"],
        ["Noise", "25 dB", "29 dB", "38 dB"],
        ["Type", "Standard", "Coated"],
        ["One", "A-1", "A-2"],
    ]


def test_clauses_whose_numbers_stand_beside_them_are_lines() -> None:
    first, second = (
        ["The pump is checked every", "month by the caretaker."],
        ["The filter is cleaned when", "it is full."],
    )
    placed = [(72, 700, "4.1"), *lines(110, 700, first), (72, 672, "4.2"), *lines(110, 672, second)]
    assert text_of(printed(placed)) == f"4.1 {first[0]}\n{first[1]}\n4.2 {second[0]}\n{second[1]}"


def test_dots_that_lead_to_a_price_are_part_of_the_line() -> None:
    names = ["Lid" + " ." * 30, "A long cord" + " ." * 23]
    placed = [(72, 700, names[0]), (280, 700, "4.50"), (72, 686, names[1]), (280, 686, "12.00")]
    assert [line.replace(" .", "") for line in text_of(printed(placed)).split("\n")] == [
        "Lid 4.50",
        "A long cord 12.00",
    ]


def test_the_last_line_of_a_paragraph_stays_with_it_above_a_table() -> None:
    placed = lines(72, 720, ["All amounts are in euros with the value added tax that is", "due there."], 12)
    placed += cells((72, 300), 680, ["Bin", "Charge"]) + cells((72, 300), 664, ["Small", "12.50"])
    assert text_of(printed(placed)).startswith(
        "All amounts are in euros with the value added tax that is\ndue there.\n\n|"
    )


# --- heads ------------------------------------------------------------------------------------------------------


def test_a_table_whose_first_row_holds_values_has_an_empty_head() -> None:
    rows = [["Lid", "4.50"], ["Cord", "7.50"], ["Filter", "3.20"]]
    placed = [one for at, row in enumerate(rows) for one in cells((72, 300), 700 - 16 * at, row)]
    assert text_of(printed(placed)).split("\n")[:3] == ["|  |  |", "| --- | --- |", "| Lid | 4.50 |"]
    assert columns_in_words("|  |  |\n| --- | --- |") == ""


@pytest.mark.parametrize("head", [["Bin", "60 litres"], ["Year", "2026"], ["Type", "HX3"], ["Class", "1"]])
def test_heads_with_numbers_are_heads(head: list[str]) -> None:
    rows = [head, ["Lid", "4.50"], ["Cord", "7.50"], ["Filter", "3.20"]]
    placed = [one for at, row in enumerate(rows) for one in cells((72, 300), 700 - 16 * at, row)]
    assert text_of(printed(placed)).split("\n")[0] == f"| {head[0]} | {head[1]} |"


def test_a_table_that_goes_on_on_the_next_page_keeps_its_head() -> None:
    rows = [["What", "Charge"], ["Tyre", "3.50"], ["Tyre with rim", "5.50"], ["Rubble", "9.00"], ["Wood", "16.00"]]
    first = [one for at, row in enumerate(rows[:2]) for one in cells((72, 300), 100 - 16 * at, row)]
    second = [one for at, row in enumerate(rows[2:]) for one in cells((72, 300), 700 - 16 * at, row)]
    reading = read(pdf([printed([*first, (300, 30, "1")]), printed([(72, 750, "Charges of 2026"), *second])]), "pdf")
    assert rows_of(reading.pages[1][1]) == [rows[0], *rows[2:]]
