"""The map as it is drawn: a colour and a shape per document, the question, and its hits."""

from __future__ import annotations

from typing import Any

from ui.rag.map import COLOURS, REST_COLOUR, SHAPES, Point, QuestionPoint, coloured_documents, lightened, map_chart


def points(documents: int, each: int = 2) -> list[Point]:
    return [
        Point(number / 100, -number / 100, f"doc {number:02d}", "page 1", f"text {number}")
        for number in range(documents)
        for _ in range(each)
    ]


def layers(chart: Any) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    return [layer | {"rows": spec["datasets"][layer.get("data", spec.get("data"))["name"]]} for layer in spec["layer"]]


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_can_be_seen_on_both_pages() -> None:
    colours = (*COLOURS, REST_COLOUR)
    assert len(set(COLOURS)) == len(COLOURS) == 20
    assert min(contrast(colour, "#ffffff") for colour in colours) >= 2.99
    assert min(contrast(colour, "#12141c") for colour in lightened(colours)) >= 4.5
    assert lightened(["#000000", "#ffffff", "#437200"]) == ["#404040", "#ffffff", "#729540"]


def test_every_document_has_a_colour_and_a_shape() -> None:
    (chunks,) = layers(map_chart(points(16), None))
    scale = chunks["encoding"]["color"]["scale"]
    assert scale["domain"] == [f"doc {number:02d}" for number in range(16)]
    assert scale["range"] == list(COLOURS[:16])
    assert chunks["encoding"]["shape"]["scale"]["range"] == [SHAPES[number % 5] for number in range(16)]
    assert len(chunks["rows"]) == 32
    assert [entry["field"] for entry in chunks["encoding"]["tooltip"]] == ["document", "place", "text"]


def test_beyond_twenty_documents_the_smallest_share_one_colour() -> None:
    many = [*points(25), Point(0, 0, "doc 24", "", "")]
    assert coloured_documents(many) == ["doc 24", *(f"doc {number:02d}" for number in range(18))]
    (chunks,) = layers(map_chart(many, None))
    scale = chunks["encoding"]["color"]["scale"]
    assert scale["domain"][-1] == "other documents (6)"
    assert scale["range"][-1] == REST_COLOUR
    assert len(scale["range"]) == 20
    assert sum(row["colour"] == "other documents (6)" for row in chunks["rows"]) == 12
    assert "doc 23" in {row["document"] for row in chunks["rows"]}


def test_the_question_and_its_hits_are_marked() -> None:
    some = [*points(3), Point(0.5, 0.25, "doc 01", "page 2", "found", rank=1)]
    _, lines, rings, ranks, star = layers(map_chart(some, QuestionPoint(0.4, 0.2, "Where?"), "dark"))
    for layer in (lines, rings, ranks):
        (row,) = layer["rows"]
        assert (row["text"], row["number"], row["x"], row["from_x"]) == ("found", "1", 0.5, 0.4)
    assert star["rows"] == [{"x": 0.4, "y": 0.2, "text": "Where?"}]
    assert star["mark"]["color"] == "#e8eaf2"


def test_a_question_without_hits_is_a_star_alone() -> None:
    *_, star = layers(map_chart(points(3), QuestionPoint(0.4, 0.2, "Where?")))
    assert star["mark"]["color"] == "#1c2033"
    assert len(star["rows"]) == 1
