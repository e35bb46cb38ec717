"""What a benchmark is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.settings import Settings, load_settings
from benchmarks.corpora import Corpus
from benchmarks.figures import Figure

HOME = Path(__file__).resolve().parents[1]
"""The folder that holds `streamlit_app.py`."""

SHORT_QUESTION = "What is the capital of France?"


@dataclass(frozen=True, slots=True)
class Bench:
    """`data` is a data folder with converted weights and the sample index; `quick` asks for one repeat and little work.

    `adapter` is a name or folder, or None where there is none; `report` says on standard error what is going on.
    `manuals` and `reranker` are for retrieval: texts in place of Debian Policy, and a cross-encoder.
    `corpora` (all if empty), `search_only`, `limit` (questions per corpus) and `against` (earlier results) are for rag.
    `chosen` settings go before those that a benchmark makes.
    """

    data: Path
    quick: bool
    adapter: str | None
    report: Callable[[str], None]
    repeats_wanted: int | None = None
    manuals: tuple[Path, ...] = ()
    reranker: str | None = None
    corpora: tuple[Corpus, ...] = ()
    search_only: bool = False
    limit: int | None = None
    against: Path | None = None
    chosen: Mapping[str, object] = field(default_factory=dict)

    def repeats(self, usual: int) -> int:
        """How often to measure: once when quick, else what was asked for, else `usual`."""
        return 1 if self.quick else self.repeats_wanted or usual

    def settings(self, **overrides: object) -> Settings:
        """The defaults on this data folder with what was chosen; `__` stands for the dot in a setting's name."""
        adapter = {"fine_tuned.adapter": self.adapter} if self.adapter else {}
        named = {name.replace("__", "."): value for name, value in overrides.items()}
        return load_settings({"data": str(self.data), **adapter, **named, **self.chosen})


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures for the table, sentences that go with them, and whatever else was recorded (JSON types only)."""

    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
