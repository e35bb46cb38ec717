"""What a right answer costs: the cost of an answer divided by the share of right ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from backends.errors import BackendError
from backends.storage import strict_json
from evaluation import attribution
from evaluation.attribution import read_attribution, stored_attributions
from evaluation.costs.inputs import Origin
from evaluation.costs.monthly import as_decimal
from evaluation.judging import Share
from evaluation.proof import read_proof
from evaluation.statistics import wilson
from evaluation.stored_results import newest

FORMULA = "Cost of an answer ÷ share of right answers"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`right` of `asked` questions were answered right, with where that comes from."""

    right: int
    asked: int
    origin: Origin
    note: str = ""

    @property
    def share(self) -> Fraction:
        """Of right answers, 0 to 1."""
        return Fraction(self.right, self.asked)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share, which is never outside of it for a rounding of its floats."""
        low, high = wilson(self.right, self.asked)
        return min(low, float(self.share)), max(high, float(self.share))


@dataclass(frozen=True, slots=True)
class CostPerRight:
    """USD for one right answer, and from where to where it may be (the accuracy's 95 % interval).

    None: there was no right answer, or (`high`) there may be none, or the cost is unknown; `why` tells.
    """

    usd: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""


def cost_per_right(per_answer: Decimal | None, accuracy: Accuracy | None, why: str = "") -> CostPerRight:
    """`per_answer` in USD, None if it is unknown for the reason `why`."""
    if per_answer is None:
        return CostPerRight(None, why=why or "the cost of an answer is unknown")
    if accuracy is None:
        return CostPerRight(None, why="it is not known how many answers are right")
    usd = Fraction(per_answer)
    least, most = accuracy.interval
    low = as_decimal(usd / Fraction(most))
    if not accuracy.right:
        return CostPerRight(None, low, why="no right answer")
    return CostPerRight(as_decimal(usd / accuracy.share), low, as_decimal(usd / Fraction(least)))


BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "latest.json"
"""What `python -m benchmarks quality` writes."""


@dataclass(frozen=True, slots=True)
class AnsweredRun:
    """One run in which approaches answered the same questions: when it ended, and how many each got right."""

    title: str
    ended: datetime
    accuracies: Mapping[str, Accuracy]


def runs(data: Path, writer: str, benchmark: Path | None = None) -> list[AnsweredRun]:
    """Every run that can be read, newest first. `writer` is who writes the answers of RAG now: others do not count."""
    found = [
        *_readable(_benchmark_run, [benchmark or BENCHMARK], writer),
        *_readable(_attribution_run, stored_attributions(data), writer),
        *_readable(_proof_run, newest(list((data / "proofs").glob("*/*/proof.json"))), writer),
    ]
    return sorted((run for run in found if run.accuracies), key=lambda run: run.ended, reverse=True)


_Reader = Callable[[Path, str], AnsweredRun]


def _readable(reader: _Reader, files: list[Path], writer: str) -> list[AnsweredRun]:
    """What of `files` can be read: a run that is damaged is as good as none."""
    made = []
    for file in files:
        try:
            made.append(_read(reader, file, file.stat().st_mtime_ns, writer))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, BackendError):
            continue
    return made


@lru_cache(maxsize=64)
def _read(reader: _Reader, file: Path, changed_ns: int, writer: str) -> AnsweredRun:
    """Read once, and again when the file has changed."""
    return reader(file, writer)


def _benchmark_run(file: Path, writer: str) -> AnsweredRun:
    result = strict_json.an_object(file.read_bytes())
    ended = datetime.fromisoformat(result["date"])
    rights: dict[str, list[bool]] = {}
    for sample in result["raw"]["quality"]["samples"]:
        for approach, answer in sample["answers"].items():
            rights.setdefault(str(approach), []).append(answer["right"] is True)
    if writer != "raw":  # the benchmark lets the raw model write
        rights.pop("rag", None)
    counts = {name: (sum(found), len(found)) for name, found in rights.items()}
    return _run(f"Benchmark of {_day(ended)}, sample questions", ended, counts)


def _attribution_run(file: Path, writer: str) -> AnsweredRun:
    found = read_attribution(file)
    arms = {"raw": attribution.BASE, "fine_tuned": attribution.ADAPTER}
    rag = {"raw": attribution.RAG, "fine_tuned": attribution.BOTH}.get(writer)
    if rag:
        arms["rag"] = rag
    title = f"Attribution of {found.adapter}, {_day(found.created)}, {found.question_set}"
    return _run(title, found.created, {name: _counts(found.arms[arm].right) for name, arm in arms.items()})


def _proof_run(file: Path, writer: str) -> AnsweredRun:
    found = read_proof(file)
    title = f"Proof of {found.adapter}, {_day(found.created)}, {found.question_set}"
    shares = {"raw": found.base, "fine_tuned": found.tuned}
    return _run(title, found.created, {name: _counts(share) for name, share in shares.items()})


def _run(title: str, ended: datetime, counts: Mapping[str, tuple[int, int]]) -> AnsweredRun:
    note = title[:1].lower() + title[1:]
    known = {name: Accuracy(right, asked, "measured here", note) for name, (right, asked) in counts.items() if asked}
    return AnsweredRun(title, ended.astimezone(), known)


def _counts(share: Share) -> tuple[int, int]:
    return share.right, share.questions


def _day(at: datetime) -> str:
    return f"{at.day} {at:%b %Y}"
