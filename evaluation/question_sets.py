"""Question sets under work: as rows of a table that people edit, and the part of a set that is asked.

Within a cell, semicolons part facts, tags and sources, and vertical bars part the ways in which a fact may be said, as
in files (`backends.question_files`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backends.text import encodable
from evaluation.marks import marks
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample, evenly

WHOLE_REFERENCE = (
    "Without key facts, only an answer that holds the whole reference is marked right; key facts such as "
    "3 years|three years say what has to be in it."
)

COLUMNS = ("id", "question", "reference_answer", "key_facts", "source", "tags", "cluster", "critical")
"""The columns of the table, under the names that files have."""

Row = dict[str, Any]
"""A row of the table: texts, and whether the question is critical."""


def row_of(sample: Sample) -> Row:
    """A question as its row."""
    return {
        "id": sample.id,
        "question": sample.question,
        "reference_answer": sample.reference_answer,
        "key_facts": "; ".join(" | ".join(group) for group in sample.key_facts),
        "source": "; ".join(sample.sources),
        "tags": "; ".join(sample.tags),
        "cluster": sample.cluster,
        "critical": sample.critical,
    }


def samples_of_rows(rows: Iterable[Mapping[str, Any]], before: Sequence[Sample] = ()) -> list[Sample]:
    """The questions of a table; a row without a question is none. Those of `before` that nobody changed stay as they
    are, with facts that no cell can spell. A row without an id of its own gets one, the same whenever it is read.
    """
    asked = [(row, question) for row in rows if (question := _text(row.get("question")))]
    known = {sample.id: sample for sample in before}
    taken, seen, found = {_text(row.get("id")) for row, _ in asked}, set[str](), []
    for row, question in asked:
        id = _text(row.get("id"))
        if not id or id in seen:
            id = _new_id(taken)
            taken.add(id)
        seen.add(id)
        same = known.get(id)
        found.append(same if same is not None and _says(row) == _says(row_of(same)) else _sample(row, id, question))
    return found


def _says(row: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = (name for name in COLUMNS if name not in ("id", "critical"))
    return (*(_text(row.get(name)) for name in texts), _is_true(row.get("critical")))


def _sample(row: Mapping[str, Any], id: str, question: str) -> Sample:
    return Sample(
        id=id,
        question=question,
        reference_answer=_text(row.get("reference_answer")),
        key_facts=tuple(tuple(_parts(one, "|")) for one in _parts(_text(row.get("key_facts")), ";")),
        sources=tuple(_parts(_text(row.get("source")), ";")),
        tags=tuple(_parts(_text(row.get("tags")), ";")),
        cluster=_text(row.get("cluster")),
        critical=_is_true(row.get("critical")),
    )


def _new_id(taken: set[str]) -> str:
    number = len(taken) + 1
    while (id := f"q{number}") in taken:
        number += 1
    return id


def _text(value: object) -> str:
    """A cell as text: an empty one of a data frame is None or NaN."""
    return encodable(value).strip() if isinstance(value, str) else ""


def _is_true(value: object) -> bool:
    return str(value) == "True"  # bool or numpy's; an empty cell is None or NaN


def _parts(text: str, separator: str) -> list[str]:
    return [part for part in map(str.strip, text.split(separator)) if part]


def tags_of(samples: Iterable[Sample]) -> list[str]:
    """Every tag of these questions, in the order in which they come."""
    return list(dict.fromkeys(tag for sample in samples for tag in sample.tags))


def part_of(samples: Sequence[Sample], name: str, tags: Sequence[str], most: int | None) -> tuple[list[Sample], str]:
    """The questions with one of these tags (all without any), at most so many, evenly spread; and what that is called.

    `10 of 126 of Sample questions`.
    """
    tagged = [sample for sample in samples if not tags or set(tags) & set(sample.tags)]
    some = tagged if most is None else evenly(tagged, most)
    if len(some) == len(samples):
        return list(some), name
    chosen = f", tagged {' or '.join(tags)}" if tags else ""
    return some, f"{len(some)} of {len(samples)} of {name}{chosen}"


def doubts(samples: Sequence[Sample]) -> Iterator[str]:
    """In sentences, what cannot be measured with these questions."""
    unjudged = sum(not (sample.reference_answer or sample.key_facts) for sample in samples)
    if unjudged and unjudged == len(samples):
        yield "No question says what a right answer is: times and costs are measured, and nothing is marked right."
    elif unjudged:
        yield (
            f"{unjudged:,} of {len(samples):,} questions say nothing of a right answer: they are asked, and not marked "
            "right or wrong."
        )
    whole = sum(bool(sample.reference_answer and not sample.key_facts) for sample in samples)
    if whole and not all(NOT_ANSWERED in sample.tags for sample in samples if sample.reference_answer):
        yield f"{whole:,} of {len(samples):,} questions have a reference and no key facts. {WHOLE_REFERENCE}"
    asked = [sample.question for sample in samples]
    if twice := len(asked) - len(set(asked)):
        yield f"{twice:,} question{' is' if twice == 1 else 's are'} there more than once, and count each time."


def asked_before(data: Path, questions: Iterable[str] = ()) -> list[Sample]:
    """What people asked: `questions`, and those whose answers they marked; an answer that was marked good is the
    reference. Raises `BackendError` if the marks cannot be read.
    """
    answers: dict[str, str] = dict.fromkeys(filter(None, map(str.strip, questions)), "")
    for mark in marks(data):
        if mark.good and mark.answer:
            answers[mark.question] = mark.answer
        else:
            answers.setdefault(mark.question, "")
    return [Sample(f"q{number}", text, answers[text]) for number, text in enumerate(answers, 1)]
