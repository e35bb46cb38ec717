"""Keyword search and its upkeep, with the real bm25s."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from backends.rag.search.keyword import KeywordIndex, holds_no_word, key, spellings, tokenize
from backends.rag.search.keyword_cache import KeywordCache, indexed_text
from backends.rag.store.library import StoredChunk

TEXTS = {
    3: "Kettles may be returned within 28 days.",
    5: "The kettle boils water. The kettle is steel.",
    9: "Part BP-1142 fits the Ember One.",
}


def built(texts: dict[int, str]) -> KeywordIndex:
    return KeywordIndex.empty().updated(list(texts), texts)


@pytest.mark.parametrize(
    ("question", "nothing"),
    [
        ("the of and", True),
        ("What's it?", True),
        ("THE OF AND", True),
        ("I don't, do you?", True),
        ("???", True),
        ("What is a kettle?", False),
        ("Which documents do I need?", False),
        ("passage document", False),
        ("Who is Will?", False),
        ("What is IT?", False),
        ("Is it 12?", False),
        ("What is K2?", False),
        ('What is "to be or not to be"?', False),
        ("Was will er hier?", False),
        ("这是什么", False),
        ("これは何ですか", False),
    ],
)
def test_a_question_of_the_commonest_words_alone_holds_no_word(question: str, nothing: bool) -> None:
    assert holds_no_word(question) is nothing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The K2's price: £49", ["the", "k2", "s", "price", "49"]),
        ("Größe café", ["grösse", "café"]),
        ("rc_local BP-1142", ["rc", "local", "bp", "1142"]),
        ("東京都 Tokyo", ["東京", "京都", "tokyo"]),
        ("日", ["日"]),
        ("  -- ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("M\u00fcller", "Muller Mueller M\u00fcller mu\u0308ller"),
        ("Mueller", "M\u00fcller"),
        (
            "\u0141\u00f3d\u017a S\u00e3o \u0395\u03bb\u03bb\u03ac\u03b4\u03b1",
            "Lodz Sao \u03b5\u03bb\u03bb\u03b1\u03b4\u03b1",
        ),
        ("r\u00e9sum\u00e9", "resume"),
        ("getUserProfile", "get user profile getuserprofile user_profile"),
        ("XMLHttpRequest HTTPServer", "http request server"),
        ("get_user", "get user"),
        ("an e-mail over Wi-Fi", "email wifi"),
        ("an email", "e-mail"),
        ("36months 3.5mm", "36 months 3.5 mm"),
        ("the U.S.A. and the EU", "USA E.U."),
        ("O'Brien", "obrien"),
        ("\uff21\uff22\uff23\uff11", "abc1"),
    ],
)
def test_words_are_found_in_other_spellings(written: str, asked: str) -> None:
    """Each word that is asked for is one that is indexed (reported of many keyword searches)."""
    indexed = {key(word) for word in spellings(written)}
    for word in asked.split():
        assert indexed & {key(one) for one in spellings(word)}, word
    assert set(tokenize(written)) <= set(spellings(written))


def test_other_spellings_do_not_reach_other_words() -> None:
    assert spellings("12kg-34 and pads, GK-2207-B") == ["12kg", "34", "and", "pads", "gk", "2207", "b", "12", "kg"]
    assert key("\u0e19\u0e49\u0e33") == "\u0e19\u0e49\u0e33"


def test_scores_are_those_of_lucenes_bm25() -> None:
    """idf ln(1 + (N - df + 0.5) / (df + 0.5)) times tf / (tf + k1 (1 - b + b length / mean length))."""
    index = built(TEXTS)
    lengths = np.array([6, 5, 6])  # without stop words
    tf = np.array([1, 2, 0])
    expected = np.log(1 + 1.5 / 2.5) * tf / (tf + 1.5 * (0.25 + 0.75 * lengths / lengths.mean()))
    assert index.scores("a kettle") == pytest.approx(expected)


def test_matches_are_stemmed_and_limited_to_rows() -> None:
    index = built(TEXTS)
    assert set(index.matches("return the kettle", 9).best) == {3, 5}
    assert set(index.matches("return the kettle", 1).best) == {3}
    among = index.matches("return the kettle", 9, among=[5, 9, 77])
    assert set(among.best) == {5}
    assert among.top == among.best[5]
    assert among.scores_of([9, 5, 3, 77]) == [0.0, among.top, 0.0, 0.0]


@pytest.mark.parametrize("query", ["", "the and", "zeppelin", "?!"])
def test_a_query_without_a_known_word_finds_nothing(query: str) -> None:
    found = built(TEXTS).matches(query, 5)
    assert (found.best, found.top) == ({}, 0.0)


@pytest.mark.parametrize("texts", [{}, {4: "the of"}, {4: "", 7: "?"}])
def test_texts_without_words_do_no_harm(texts: dict[int, str]) -> None:
    index = built(texts)
    assert index.matches("kettle", 5).best == {}
    assert index.matches("kettle", 5).scores_of([4, 1]) == [0.0, 0.0]
    grown = index.updated([*texts, 8], {8: "kettle"})
    assert set(grown.matches("kettle", 5).best) == {8}


def test_an_updated_index_is_as_one_built_anew() -> None:
    after = {2: "Steel is returned.", 5: TEXTS[5], 9: TEXTS[9], 12: "A new kettle of the new kind."}
    updated = built(TEXTS).updated(list(after), {2: after[2], 12: after[12]})
    anew = built(after)
    assert updated.rows.tolist() == [2, 5, 9, 12]
    for query in ("new kettle", "steel", "returned", "BP-1142", "28 days"):
        assert updated.scores(query) == pytest.approx(anew.scores(query))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    index = built(TEXTS)
    index.save(tmp_path)
    loaded = KeywordIndex.load(tmp_path)
    assert loaded.scores("steel kettle") == pytest.approx(index.scores("steel kettle"))
    more = loaded.updated([5, 20], {20: "a kettle"})
    assert set(more.matches("kettle", 5).best) == {5, 20}


def test_a_saved_index_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    built(TEXTS).save(tmp_path)
    np.save(tmp_path / "rows.npy", np.array([1, 2]))
    with pytest.raises(ValueError, match="do not fit"):
        KeywordIndex.load(tmp_path)


class Held:
    """Chunks that a test changes; counts what was read."""

    def __init__(self, texts: dict[int, str]) -> None:
        self.texts = texts
        self.version = "1"
        self.read: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]:
        self.gate.wait()
        return sorted(self.texts)

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]:
        self.read += rows
        return {row: StoredChunk(row, "", "d", None, 0, 1, "", self.texts[row]) for row in rows}

    def change(self, version: str, texts: dict[int, str]) -> None:
        self.texts = texts
        self.version = version


def test_the_cache_reads_only_what_is_new() -> None:
    held = Held(dict(TEXTS))
    cache = KeywordCache(held)
    first = cache.current()
    assert cache.current() is first
    held.change("2", {3: TEXTS[3], 30: "A kettle again"})
    assert set(cache.current().matches("kettle", 5).best) == {3, 30}
    assert held.read == [3, 5, 9, 30]


def test_the_cache_is_kept_on_disk_by_version(tmp_path: Path) -> None:
    held = Held(dict(TEXTS))
    KeywordCache(held, tmp_path, kept_from=1).current()
    again = KeywordCache(held, tmp_path, kept_from=1)
    assert set(again.current().matches("kettle", 5).best) == {3, 5}
    assert held.read == [3, 5, 9]
    held.change("2", {9: TEXTS[9]})
    again.current()
    assert len(list(tmp_path.iterdir())) == 1
    assert KeywordCache(held, tmp_path, kept_from=1).current().rows.tolist() == [9]
    assert held.read == [3, 5, 9]


@pytest.mark.parametrize("damage", ["cut short", "missing", "garbage"])
def test_a_damaged_cache_is_built_again(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = Held(dict(TEXTS))
    KeywordCache(held, tmp_path, kept_from=1).current()
    (folder,) = tmp_path.iterdir()
    for file in folder.iterdir():
        if damage == "missing" and file.name == "tokens.npy":
            file.unlink()
        elif damage == "cut short" and file.suffix == ".npy":
            file.write_bytes(file.read_bytes()[:-3])
        elif damage == "garbage":
            file.write_bytes(b"garbage")
    assert set(KeywordCache(held, tmp_path, kept_from=1).current().matches("kettle", 5).best) == {3, 5}
    assert "is built again" in caplog.text
    assert KeywordIndex.load(folder).rows.tolist() == [3, 5, 9]


def test_a_disk_that_cannot_be_written_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "keyword").write_text("a file where a folder should be")
    cache = KeywordCache(Held(dict(TEXTS)), tmp_path / "keyword", kept_from=1)
    assert set(cache.current().matches("kettle", 5).best) == {3, 5}
    assert "cannot be kept on disk" in caplog.text


def test_a_large_index_serves_while_a_change_is_worked_in() -> None:
    held = Held(dict(TEXTS))
    cache = KeywordCache(held, meanwhile_from=3)
    first = cache.current()
    held.gate.clear()
    held.change("2", {**TEXTS, 30: "A kettle again"})
    assert cache.current() is first
    assert cache.current() is first
    held.gate.set()
    cache.wait()
    assert set(cache.current().matches("kettle", 5).best) == {3, 5, 30}


def test_many_threads_build_it_once(tmp_path: Path) -> None:
    held = Held(dict(TEXTS))
    cache = KeywordCache(held, tmp_path / "none")
    threads = [threading.Thread(target=cache.current) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held.read == [3, 5, 9]
    assert not (tmp_path / "none").exists()


def test_file_name_and_headings_count_twice() -> None:
    chunk = StoredChunk(1, "", "returns-policy.pdf", 1, 0, 9, "Exchanges", "Within 9 days.")
    context = ["returns", "policy", "exchanges"]
    assert tokenize(indexed_text(chunk)) == [*context, *context, "within", "9", "days"]
