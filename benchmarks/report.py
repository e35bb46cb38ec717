"""The table on the screen and the file that keeps every repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from backends.storage.files import write_text
from benchmarks.bench import Outcome
from benchmarks.figures import Figure

COLUMNS = ("benchmark", "figure", "measured: median (min – max)", "reference: median", "compared", "goal", "met?")


def row(figure: Figure) -> tuple[str, ...]:
    """One line of the table, in the order of `COLUMNS`."""
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    goal = str(figure.goal) if figure.goal else ""
    return (
        figure.benchmark,
        figure.name,
        figure.measured_text,
        figure.reference_text,
        figure.compared_text,
        goal,
        met,
    )


def table(figures: Sequence[Figure]) -> Table:
    """Every figure, a line between benchmarks."""
    drawn = Table(show_lines=False)
    for column in COLUMNS:
        drawn.add_column(column, overflow="fold")
    for before, figure in zip((None, *figures), figures, strict=False):
        if before is not None and before.benchmark != figure.benchmark:
            drawn.add_section()
        *cells, met = row(figure)
        drawn.add_row(*map(Text, cells), Text(met, style={"yes": "green", "NO": "bold red"}.get(met, "")))
    return drawn


def write(file: Path, head: Mapping[str, Any], outcomes: Mapping[str, Outcome], failed: Mapping[str, str]) -> None:
    """Write the results file anew. `failed` maps a benchmark to its sentence."""
    document = {
        **head,
        "figures": [figure.as_json() for outcome in outcomes.values() for figure in outcome.figures],
        "notes": {name: list(outcome.notes) for name, outcome in outcomes.items()},
        "failed": dict(failed),
        "raw": {name: outcome.raw for name, outcome in outcomes.items()},
    }
    write_text(file, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
