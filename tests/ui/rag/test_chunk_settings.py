"""How long chunks are, as a chart: every chunk is counted once, now and then on one scale."""

from __future__ import annotations

from ui.rag.chunk_settings import NOW, THEN, lengths_chart


def test_every_chunk_is_in_one_bar() -> None:
    spec = lengths_chart([1, 15, 16, 31, 160], [10, 160, 159]).to_dict()
    rows = [row for data in spec["datasets"].values() for row in data]
    counted = {(row["which"], row["low"], row["high"]): row["chunks"] for row in rows}
    assert counted == {
        (NOW, 0, 10): 1,
        (NOW, 10, 20): 2,
        (NOW, 30, 40): 1,
        (NOW, 160, 170): 1,
        (THEN, 10, 20): 1,
        (THEN, 150, 160): 1,
        (THEN, 160, 170): 1,
    }
    assert [layer["encoding"]["x"]["scale"]["domain"] for layer in spec["layer"]] == [[0, 170]] * 2


def test_an_empty_collection_has_an_empty_chart() -> None:
    assert len(lengths_chart([], []).to_dict()["layer"]) == 2
