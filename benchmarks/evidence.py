"""How often the mark "supported" is right, and how many supported sentences get it.

Supported are the reference answers of sample_docs/questions.csv and one paraphrase of each, beside the passages that
the search finds for the question; those that hold the key facts are among them. Unsupported are the same sentences
with another number of the same unit from the passages, with a number from nowhere, with another product or name, or
beside passages of other documents; and false statements that look alike and general knowledge from
evidence_claims.csv, beside the passages that the search finds for them. Texts were written by hand, by nobody's model.

Rules and thresholds were chosen on odd ids; even ids are reported apart. An early version's errors on them were looked
at once, which led to the rules on "no", on numbers with other units, and on clauses. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import csv
import random
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import Passage
from backends.rag.approach import RagBackend, open_index, open_searcher
from backends.rag.evidence.answer import sentence_evidence
from backends.rag.search.retriever import Searcher
from backends.rag.store.index import Index
from backends.raw import RawBackend
from backends.terms import terms
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure
from evaluation.metrics import contains_fact
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.statistics import share_text

NAME = "evidence"
CLAIMS = Path(__file__).with_name("evidence_claims.csv")
_K = 3
_QUICK = 12

_IN_TWO_DOCUMENTS = {"q002", "q003", "q004", "q005", "q017", "q018", "q019", "q020", "q043", "q045"}
"""Questions whose fact stands in another document too, judged by hand."""

_SUPERSEDED = "superseded"
_NAMES = (
    ("Ember One", "Ember Duo"),
    ("K2", "K3"),
    ("Burr Sixty", "Burr Forty"),
    ("Clarity L", "Clarity S"),
    ("European Union", "Northern Isles"),
    ("London", "Leeds"),
    ("Saturday", "Sunday"),
    ("Standard", "Express"),
    ("Flint", "Tinder"),
    ("Slate", "Fern"),
    ("Helen Sturrock", "Dafydd Oakhanger"),
    ("Grindlehurst Steel", "Pennock Seals"),
    ("Odile Harcastle", "Casimir Dunleavy"),
    ("Head of Customer Care", "Managing Director"),
    ("Thornaby Vale", "Kiln Yard"),
    ("Dunmere Cross", "Kiln Yard"),
    ("Priya Lockridge", "Marcus Thelwell"),
)
"""Pairs that make a true sentence false when they change places."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence beside passages, and whether they support it. `id` decides the half."""

    id: str
    kind: str
    text: str
    passages: tuple[Passage, ...]
    supported: bool
    question: str = ""

    @property
    def held_out(self) -> bool:
        """Whether no rule or threshold was chosen on it."""
        return int(re.sub(r"\D", "", self.id)) % 2 == 0


def run(bench: Bench) -> Outcome:
    """Judge every claim."""
    settings = bench.settings()
    list(RagBackend(settings, RawBackend(settings)).load(threading.Event()))
    claims = list(_claims(open_searcher(settings), open_index(settings), bench.quick))
    marked = [sentence_evidence(claim.text, claim.passages, claim.question) for claim in claims]
    right = [any(one.verdict == "supported" for one in found) for found in marked]
    judged = list(zip(claims, right, strict=True))
    figures = [figure for held_out in (True, False) for figure in _figures(judged, held_out)]
    wrong = [{"id": c.id, "kind": c.kind, "claim": c.text, "marked": m} for c, m in judged if m != c.supported]
    return Outcome(tuple(figures), (_NOTE,), {"wrong": wrong})


_NOTE = "Precision: of the sentences marked as supported, how many are. It depends on the mix of sentences; see kinds."

_Judged = Sequence[tuple[Claim, bool]]


def _figures(judged: _Judged, held_out: bool) -> Iterator[Figure]:
    half = "even ids" if held_out else "odd ids, on which it was chosen"
    chosen = [(claim, marked) for claim, marked in judged if claim.held_out is held_out]
    yield from _share(f"precision of supported, {half}", [claim.supported for claim, marked in chosen if marked])
    for kind in dict.fromkeys(claim.kind for claim, _ in chosen):
        marks = [marked for claim, marked in chosen if claim.kind == kind]
        supported = next(claim.supported for claim, _ in chosen if claim.kind == kind)
        yield from _share(f"marked supported{'' if supported else ' by mistake'}, {kind}, {half}", marks)


def _share(name: str, hits: Sequence[bool]) -> Iterator[Figure]:
    if hits:
        shown = share_text(sum(hits), len(hits))
        yield Figure(NAME, name, "%", (100 * sum(hits) / len(hits),), shown=shown)


# --- the claims ---------------------------------------------------------------------------------


def _claims(searcher: Searcher, index: Index, quick: bool) -> Iterator[Claim]:
    with CLAIMS.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    paraphrases = {row["id"]: row["claim"] for row in rows if row["kind"] == "paraphrase"}
    samples = [sample for sample in read_question_set(SAMPLE_QUESTIONS) if sample.id in paraphrases]
    random_numbers = random.Random(7)
    for sample in samples[:_QUICK] if quick else samples:
        found = tuple(hit.passage for hit in searcher.search(sample.question, 50).hits)
        beside = _with_key_facts(sample, found, index)
        other_passages = tuple(passage for passage in found if passage.document not in sample.sources)[:_K]
        for kind, text in (("reference answer", sample.reference_answer), ("paraphrase", paraphrases[sample.id])):
            several = " of two passages" if len(sample.sources) > 1 else ""
            yield Claim(sample.id, kind + several, text, beside, True, sample.question)
            yield from _altered(sample, text, beside, random_numbers)
            if sample.id not in _IN_TWO_DOCUMENTS:
                yield Claim(sample.id, "other documents", text, other_passages, False, sample.question)
    for row in [row for row in rows if row["kind"] != "paraphrase"][: _QUICK if quick else None]:
        near = tuple(hit.passage for hit in searcher.search(row["claim"], _K).hits)
        yield Claim(row["id"], row["kind"].replace("_", "-"), row["claim"], near, False)


def _with_key_facts(sample: Sample, found: Sequence[Passage], index: Index) -> tuple[Passage, ...]:
    """The first hits; the best passage of each source document that holds key facts replaces the last of them."""
    gold = []
    for source in sample.sources:
        chunks = [passage for passage in found if passage.document == source] or [
            Passage(c.document, c.page, c.chunk_id, 0.0, c.start, c.end, c.text) for c in index.chunks([source])
        ]
        gold.append(
            max(chunks, key=lambda passage: sum(contains_fact(passage.text, facts) for facts in sample.key_facts))
        )
    rest = [passage for passage in found if passage not in gold][: _K - len(gold)]
    return (*gold, *rest)


def _altered(sample: Sample, text: str, passages: Sequence[Passage], numbers: random.Random) -> Iterator[Claim]:
    """A sentence made false: another number of the same unit from the passages, a new number, another name."""
    written = [match for match in re.finditer(r"(?<![\w.,:-])£?(\d{1,4}(?:\.\d\d?)?)(?![\w.,:-]*\d)", text)]
    own = terms(text).numbers
    if written:
        match = numbers.choice(written)
        unit = next((number.unit for number in own if number.value == match[1]), None)
        current = [passage for passage in passages if _SUPERSEDED not in passage.document]
        there = {number for passage in current for number in terms(passage.text).numbers}
        alike = sorted({number.value for number in there if unit and number.unit == unit} - {n.value for n in own})
        new = next(value for value in range(int(float(match[1])) + 1, 10**6) if str(value) not in alike)
        while any(number.value == str(new) for number in there):
            new += numbers.randint(1, 9)
        for kind, value in (("other number", numbers.choice(alike) if alike else None), ("new number", str(new))):
            if value:
                false = text[: match.start(1)] + value + text[match.end(1) :]
                yield Claim(sample.id, kind, false, tuple(passages), False, sample.question)
    for one, other in _NAMES:
        if one in text or other in text:
            false = text.replace(one, "\0").replace(other, one).replace("\0", other)
            yield Claim(sample.id, "other name", false, tuple(passages), False, sample.question)
            break
