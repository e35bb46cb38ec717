"""A rating session as files: tables of what was said, or one archive from which everything can be recomputed.

Raters have numbers in place of names. The numbers follow ids that are drawn, so they do not tell who joined first, and
of the time of a rating only the day is given. What people wrote into comments is exported as they wrote it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends.errors import BackendError, disk_faults
from backends.storage.files import replacing
from backends.store.database import Store
from evaluation.ratings import sessions
from evaluation.ratings.model import Item, Rater, Rating, RatingSession
from evaluation.spreadsheet import csv_bytes

FORMAT = 1
_FACTS = ("status", "latency_s", "cost_usd", "cites")
_TEXTS = ("question", "reference", "text", "gold", "tags", "cluster", "approach", "comment", "rater", "kind", "day")
_NUMBERS = ("rating", "round", "item", "place", "rank")
_README = """\
A rating session of Crossroads.

session.json   what was asked, of which approaches
raters.jsonl   who rated, as a number; what each guessed at the end
items.jsonl    the questions with the answers as raters saw them, and what the run had measured
ratings.jsonl  what one rater said of one item, a line each: one observation
ratings.csv    the same, a row for each answer of a rating; also as ratings.parquet
recompute.py   recomputes every figure of the result: python recompute.py (needs numpy)
"""


@dataclass(frozen=True, slots=True)
class _Exported:
    session: RatingSession
    items: Sequence[Item]
    raters: Sequence[Rater]
    ratings: Sequence[Rating]
    names: Mapping[str, str]
    """By the id of a rater the number that stands for the person."""


def export_session(store: Store, session: RatingSession, file: Path) -> None:
    """Write a session, whole or not at all: .csv, .jsonl and .parquet have its ratings, .zip has everything.

    Raises `BackendError` for another ending, and while the session is open or paused: nobody is to see who leads.
    """
    if file.suffix.lower() not in _WRITERS:
        raise BackendError(f"{file.name} cannot be written.", f"Its name has to end in {', '.join(_WRITERS)}.")
    if session.state not in ("closed", "locked"):
        raise BackendError("This session is not over: its export would tell who leads.", "Close or lock it first.")
    content = _WRITERS[file.suffix.lower()](_exported(store, session))
    with disk_faults(f"The file {file.name}"), replacing(file) as part:
        part.write_bytes(content)


def _exported(store: Store, session: RatingSession) -> _Exported:
    raters = sorted(sessions.raters_of(store, session.id), key=lambda one: one.id)
    names = {one.id: f"rater {number:03d}" for number, one in enumerate(raters, 1)}
    return _Exported(
        session, sessions.items_of(store, session.id), raters, sessions.ratings_of(store, session.id), names
    )


# --- what is said of each -------------------------------------------------------------------------


def _session_record(session: RatingSession) -> dict[str, Any]:
    """Without what lets anybody in."""
    return {
        "format": FORMAT,
        "session": session.id,
        "name": session.name,
        "created_at": session.created_at.isoformat(),
        "state": session.state,
        "round": session.round,
        "run": session.run,
        "approaches": list(session.approaches),
        "plan": asdict(session.plan),
    }


def _item_record(item: Item) -> dict[str, Any]:
    return {
        "item": item.number,
        "question": item.question,
        "reference": item.reference,
        "tags": list(item.tags),
        "cluster": item.cluster,
        "gold": item.gold,
        "core": item.core,
        "answers": dict(item.answers),
        "facts": {name: dict(facts) for name, facts in item.facts.items()},
    }


def _rater_record(rater: Rater, names: Mapping[str, str]) -> dict[str, Any]:
    return {"rater": names[rater.id], "kind": rater.kind, "guess": None if rater.guess is None else dict(rater.guess)}


def _rating_record(number: int, one: Rating, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "rating": number,
        "rater": names[one.rater],
        "item": one.item,
        "round": one.round,
        "again": one.again,
        "day": None if one.at is None else f"{one.at:%Y-%m-%d}",
        "shown": list(one.order),
        "ranks": dict(one.ranks),
        "scores": {criterion: dict(scores) for criterion, scores in one.scores.items()},
        "all_bad": one.all_bad,
        "skipped": one.skipped,
        "comment": one.comment,
    }


def _rating_records(found: _Exported) -> list[dict[str, Any]]:
    return [_rating_record(number, one, found.names) for number, one in enumerate(found.ratings, 1)]


def _rows(found: _Exported) -> list[dict[str, Any]]:
    """For tables: a row for each answer of a rating, in the order in which they were shown."""
    kinds = {found.names[one.id]: one.kind for one in found.raters}
    rows = []
    for record in _rating_records(found):
        item = found.items[record["item"]]
        for place, approach in enumerate(record["shown"], 1):
            facts = item.facts.get(approach, {})
            row = {name: record[name] for name in ("rating", "rater", "item", "round", "day", "comment")}
            row |= {name: record[name] for name in ("again", "all_bad", "skipped")}
            row |= {"kind": kinds[record["rater"]], "approach": approach, "place": place}
            row |= {"rank": record["ranks"].get(approach), "question": item.question, "reference": item.reference}
            row |= {"text": item.answers[approach], "tags": "; ".join(item.tags), "cluster": item.cluster}
            row |= {"gold": item.gold} | {name: facts.get(name) for name in _FACTS}
            row |= {f"rated_{name}": scores.get(approach) for name, scores in record["scores"].items()}
            rows.append(row | {f"score_{name}": value for name, value in facts.get("scores", {}).items()})
    return rows


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    fixed = ["rating", "round", "rater", "kind", "day", "item", "question", "reference", "tags", "cluster", "gold"]
    fixed += ["approach", "place", "text", "rank", "all_bad", "again", "skipped", *_FACTS, "comment"]
    return fixed + [name for name in dict.fromkeys(name for row in rows for name in row) if name not in fixed]


# --- files ----------------------------------------------------------------------------------------


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records).encode()


def _jsonl(found: _Exported) -> bytes:
    return _lines(_rating_records(found))


def _csv(found: _Exported) -> bytes:
    rows = _rows(found)
    columns = _columns(rows)
    return csv_bytes(columns, ([row.get(name) for name in columns] for row in rows))


def _parquet(found: _Exported) -> bytes:
    import pyarrow
    import pyarrow.parquet

    rows = _rows(found)
    kinds: dict[str, Any] = dict.fromkeys(_columns(rows), pyarrow.float64())
    kinds |= dict.fromkeys((*_TEXTS, "status", "cost_usd"), pyarrow.string())
    kinds |= dict.fromkeys(_NUMBERS, pyarrow.int64())
    kinds |= dict.fromkeys(("again", "all_bad", "skipped", "cites"), pyarrow.bool_())
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(list(kinds.items()))), written)
    return written.getvalue()


def _zip(found: _Exported) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        archive.writestr("session.json", json.dumps(_session_record(found.session), ensure_ascii=False, indent=1))
        archive.writestr("raters.jsonl", _lines(_rater_record(one, found.names) for one in found.raters))
        archive.writestr("items.jsonl", _lines(map(_item_record, found.items)))
        archive.writestr("ratings.jsonl", _jsonl(found))
        archive.writestr("ratings.csv", _csv(found))
        archive.writestr("ratings.parquet", _parquet(found))
        archive.writestr("recompute.py", Path(__file__).with_name("recompute.py").read_bytes())
    return written.getvalue()


_WRITERS: dict[str, Callable[[_Exported], bytes]] = {
    ".zip": _zip,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
ENDINGS = tuple(_WRITERS)
"""What a session can be exported as."""
