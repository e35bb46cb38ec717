"""Keyword search: BM25 over the chunks of a collection, in memory."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.matching import DIVIDED, HANGUL, NO_SPACES, matchable, plain
from backends.rag.search.codes import codes
from backends.storage import strict_json
from backends.terms import STOPPED, is_unit, stem

if TYPE_CHECKING:
    import numpy as np
    from bm25s import BM25
    from numpy.typing import NDArray

_NO_SPACES = NO_SPACES + HANGUL
_DENSE = re.compile(f"[{_NO_SPACES}]")
_WORD = re.compile(rf"[{_NO_SPACES}]+|[^\W_{_NO_SPACES}]+")


_HYPHENATED = re.compile(rf"(?<![\w-])[^\W\d_{_NO_SPACES}]{{1,40}}(?:-[^\W\d_{_NO_SPACES}]{{1,40}}){{1,3}}(?![\w-])")
_INITIALS = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){2,8}(?:[^\W\d_](?![^\W_]))?|(?<![^\W_])[do]'[^\W\d_]{2,40}")
_NOT_LETTERS = re.compile(r"[^\w]")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_HAS_HUMP = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}")
_LATIN_WORD = re.compile(r"[A-Za-z0-9]+")
_MEASURED = re.compile(r"(\d+)([^\W\d_]+)")
_UMLAUT = re.compile("[\u00e4\u00f6\u00fc]")
_UMLAUTS = {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue"}
_ABOVE = re.compile("[\u0300-\u036f]")
_STROKES = str.maketrans({"\u0142": "l", "\u00f8": "o", "\u0111": "d", "\u0131": "i", "\u00e6": "ae", "\u0153": "oe"})


def key(word: str) -> str:
    """What a word of `tokenize` is counted as: its stem, without accents, since people search without them too."""
    if not word.isascii() and not _DENSE.match(word):
        word = _ABOVE.sub("", unicodedata.normalize("NFD", word)).translate(_STROKES)
    return stem(word)


def tokenize(text: str) -> list[str]:
    """The words of a text as they are compared (`backends.matching`); pairs of characters in scripts without spaces.

    A word that was divided at the end of a line is there whole and, since the hyphen may be its own, in its parts.
    """
    return _tokenize(text, matchable(text))


def spellings(text: str) -> list[str]:
    """The words of `tokenize`, and beside them the other ways to write them.

    These are "e-mail" as one word, the words of `getUserProfile`, 36 and months of "36months", and oe for an umlaut.
    """
    folded = matchable(text)
    words = _tokenize(text, folded)
    return words + list(_other_spellings(text, folded, words))


def _tokenize(text: str, folded: str) -> list[str]:
    found: list[str] = []
    divided = (part.casefold() for match in DIVIDED.finditer(text) for part in match.groups()) if "\n" in text else ()
    for word in itertools.chain(_WORD.findall(folded), divided):
        if word[0] >= "\u0e00" and len(word) > 1 and _DENSE.match(word):
            found += (word[place : place + 2] for place in range(len(word) - 1))
        else:
            found.append(word)
    return found


def _other_spellings(text: str, folded: str, words: Sequence[str]) -> Iterator[str]:
    """What the words of a text could have been written as: one word, or several."""
    if _HAS_HUMP.search(text):
        for word in _LATIN_WORD.findall(text):
            if _HAS_HUMP.search(word) and len(parts := _HUMPS.split(word)) > 1:
                yield from (part.casefold() for part in parts)
    for pattern in (_HYPHENATED, _INITIALS):
        yield from (_NOT_LETTERS.sub("", found) for found in pattern.findall(folded))
    for word in words:
        if word[0].isdecimal() and (measured := _MEASURED.fullmatch(word)) and is_unit(measured[2]):
            yield from measured.groups()
        elif not word.isascii() and _UMLAUT.search(word):
            yield _UMLAUT.sub(lambda found: _UMLAUTS[found[0]], word)


_IN_SENTENCE = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


_SAYS_SOMETHING = frozenset(["document", "documents", "passage", "passages", "state", "states", "need", "needs"])
"""Left out of the index's words, since every question may hold them, but somebody may ask for nothing else."""


def holds_no_word(question: str) -> bool:
    """Whether there is nothing to look for in a question: it has no code, and no words but the commonest English ones
    (`STOPPED`), or none at all.

    A word that is written with a capital where others are not may be a name (Will, the IT), but for the first one.
    """
    mixed = any(map(str.islower, question))
    for place, word in enumerate(_IN_SENTENCE.findall(plain(question))):
        lower = word.casefold().replace("\u2019", "'")
        if lower in _SAYS_SOMETHING or (lower not in STOPPED and lower.removesuffix("'s") not in STOPPED):
            return False
        if place and mixed and word[0].isupper() and word != "I":
            return False
    return not codes(question)


class KeywordIndex:
    """BM25 (Lucene's variant, k1 1.5, b 0.75) of chunks known by row. Immutable; safe to use from several threads.

    Words (`spellings`) are stemmed without their accents (`key`) and the commonest English ones left out;
    docs/measurements.md says what that and other values of k1 and b change.
    `rows` ascend; the token ids of `rows[n]` are `tokens[offsets[n]:offsets[n + 1]]`.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        offsets: NDArray[np.int64],
        tokens: NDArray[np.int32],
        vocabulary: dict[str, int],
        model: BM25 | None = None,
    ) -> None:
        self.rows = rows
        self._offsets = offsets
        self._tokens = tokens
        self._vocabulary = vocabulary
        self._model = model or self._indexed()

    @classmethod
    def empty(cls) -> KeywordIndex:
        """An index of nothing, to be `updated`."""
        import numpy as np

        return cls(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int32), {})

    def updated(self, rows: Collection[int], added: Mapping[int, str]) -> KeywordIndex:
        """An index of these rows: `added` has the texts of those that are not in this one. Others are dropped."""
        import numpy as np

        vocabulary = dict(self._vocabulary)
        fresh = _Tokens(vocabulary)
        kept = np.isin(self.rows, np.fromiter(rows, np.int64, len(rows)))
        lengths = np.diff(self._offsets)
        parts = [self._tokens[np.repeat(kept, lengths)]]
        new = sorted(added)
        parts += [np.array(fresh.ids(added[row]), dtype=np.int32) for row in new]
        row = np.concatenate([self.rows[kept], np.array(new, dtype=np.int64)])
        length = np.concatenate([lengths[kept], np.array([len(part) for part in parts[1:]], dtype=np.int64)])
        if len(row) > 1 and (np.diff(row) < 0).any():  # a row below the old ones: put everything in order
            order = np.argsort(row, kind="stable")
            pieces = np.split(np.concatenate(parts), np.cumsum(length)[:-1])
            parts = [pieces[place] for place in order]
            row, length = row[order], length[order]
        return KeywordIndex(row, np.concatenate([[0], np.cumsum(length)]), np.concatenate(parts), vocabulary)

    def scores(self, query: str) -> NDArray[np.float32]:
        """The BM25 score of every chunk, in the order of `rows`; 0 for those that share no word with the query."""
        import numpy as np

        known = [self._vocabulary.get(key(word)) for word in spellings(query) if word not in _stop_words()]
        ids = [id for id in known if id is not None]
        if self._model is None or not ids:
            return np.zeros(len(self.rows), dtype=np.float32)
        scores: NDArray[np.float32] = self._model.get_scores_from_ids(ids)
        return scores

    def weights(self, query: str) -> dict[str, float]:
        """How much each word of a query says, by the key it is compared by: BM25's inverse document frequency.

        Words that no chunk has weigh most; stop words are left out.
        """
        weights = {}
        for word in tokenize(query):
            if word in _stop_words() or word in STOPPED:
                continue
            id = self._vocabulary.get(key(word))
            found = 0 if id is None else self._chunks_with(id)
            weights[key(word)] = math.log1p((len(self.rows) - found + 0.5) / (found + 0.5))
        return weights

    def _chunks_with(self, id: int) -> int:
        if self._model is None:
            return 0
        ends = self._model.scores["indptr"]
        return int(ends[id + 1] - ends[id]) if id + 1 < len(ends) else 0

    def matches(self, query: str, n: int, among: Sequence[int] | None = None) -> Matches:
        """The `n` best chunks (of these rows) that share a word with the query."""
        import numpy as np

        scores = self.scores(query)
        if among is not None:
            scores = np.where(np.isin(self.rows, np.array(among, dtype=np.int64)), scores, 0)
        places = np.flatnonzero(scores)
        if len(places) > n:
            places = places[np.argpartition(-scores[places], n - 1)[:n]]
        best = dict(zip(self.rows[places].tolist(), scores[places].tolist(), strict=True))
        return Matches(best, max(best.values(), default=0.0), self.rows, scores)

    def save(self, folder: Path) -> None:
        """Write to an empty folder. Raises `OSError`."""
        import numpy as np

        if self._model is not None:
            self._model.save(folder, show_progress=False)
        np.save(folder / "rows.npy", self.rows)
        np.save(folder / "offsets.npy", self._offsets)
        np.save(folder / "tokens.npy", self._tokens)
        (folder / "vocabulary.json").write_text(json.dumps(self._vocabulary), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> KeywordIndex:
        """What `save` wrote. Raises `OSError` or `ValueError` if it is not complete."""
        import numpy as np
        from bm25s import BM25

        rows, offsets, tokens = (np.load(folder / f"{name}.npy") for name in ("rows", "offsets", "tokens"))
        vocabulary = strict_json.an_object((folder / "vocabulary.json").read_bytes())
        model = BM25.load(folder, load_vocab=False, show_progress=False) if len(tokens) else None
        sizes = (len(offsets), int(offsets[-1]), model.scores["num_docs"] if model else len(rows))
        if sizes != (len(rows) + 1, len(tokens), len(rows)):
            raise ValueError("the parts of the keyword index do not fit together")
        return cls(rows, offsets, tokens, vocabulary, model)

    def _indexed(self) -> BM25 | None:
        """bm25s refuses a corpus without a single word, so there is no model then."""
        from bm25s import BM25

        if not len(self._tokens):
            return None
        flat, ends = self._tokens.tolist(), self._offsets.tolist()
        corpus = [flat[start:end] for start, end in itertools.pairwise(ends)]
        model = BM25()
        model.index((corpus, self._vocabulary), create_empty_token=False, show_progress=False)
        return model


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What a query found: `best` has BM25 scores by row, without order; `top` is the highest score, 0 if none."""

    best: dict[int, float]
    top: float
    _rows: NDArray[np.int64]
    _scores: NDArray[np.float32]

    def scores_of(self, rows: Sequence[int]) -> list[float]:
        """The BM25 scores of any rows; 0 for those that the index does not have."""
        import numpy as np

        if not len(self._rows):
            return [0.0] * len(rows)
        wanted = np.array(rows, dtype=np.int64)
        places = np.minimum(np.searchsorted(self._rows, wanted), len(self._rows) - 1)
        found: list[float] = np.where(self._rows[places] == wanted, self._scores[places], 0).tolist()
        return found


class _Tokens:
    """Texts become token ids; new words get the next id of the vocabulary."""

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary
        self._known: dict[str, int | None] = dict.fromkeys(_stop_words())

    def ids(self, text: str) -> list[int]:
        ids = []
        for word in spellings(text):
            if word not in self._known:
                self._known[word] = self._vocabulary.setdefault(key(word), len(self._vocabulary))
            if (id := self._known[word]) is not None:
                ids.append(id)
        return ids


@functools.cache
def _stop_words() -> frozenset[str]:
    """The 33 English words that Lucene leaves out too."""
    from bm25s.stopwords import STOPWORDS_EN

    return frozenset(STOPWORDS_EN)
