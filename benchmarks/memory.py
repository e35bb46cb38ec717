"""Memory of all four approaches against one copy of the weights, each in a fresh process, and proof that there is one.

Resident memory (RSS), weighed from outside after each step. The reference imports transformers, loads the weights and
makes one token; ours imports every library of the four columns first, so that what the libraries take is shown apart
from what is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from backends.models.weights import resolve
from backends.settings import DEFAULT_MODEL
from benchmarks.bench import SHORT_QUESTION, Bench, Outcome
from benchmarks.children import MB, child, line_from, rss_mb
from benchmarks.figures import Figure, Goal

NAME = "memory"
_ONCE = Goal(100, "at least", "%")
_BARE = "bare transformers script"


def run(bench: Bench) -> Outcome:
    """Weigh the bare script and the four approaches in turn."""
    folder = resolve(DEFAULT_MODEL, bench.data).folder
    bare_command = ["benchmarks.bare", str(folder), bench.settings().system_prompt, SHORT_QUESTION]
    our_command = ["benchmarks.memory_child", *([bench.adapter] if bench.adapter else [])]
    bare, ours = [], []
    repeats = bench.repeats(3)
    for repeat in range(repeats):
        bench.report(f"memory {repeat + 1} of {repeats}: the bare script, then all approaches")
        bare.append(_weigh(bench, bare_command, "answered"))
        ours.append(_weigh(bench, our_command, "shared"))
    weights_mb = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / MB
    notes = _NOTES if bench.adapter else (*_NOTES, "There was no adapter, so the fine-tuned column is missing.")
    raw = {"bare": bare, "ours": ours, "weights_file_mb": weights_mb}
    return Outcome((*_figures(bare, ours, weights_mb), *_proof(ours)), notes, raw)


_NOTES = (
    "Weights are mapped from their files and count as resident once they are read, so the figures to read are those "
    "after an answer. RAG brings its own embedder and the vector store.",
)


def _weigh(bench: Bench, command: Sequence[str], last: str) -> dict[str, Any]:
    """Step -> MB, and under `shared` what the last step said."""
    weighed: dict[str, Any] = {}
    with child(["-m", *command], bench.data) as process:
        assert process.stdin is not None
        while last not in weighed:
            said = json.loads(line_from(process))
            step = said.pop("step")
            weighed[step] = said if step == "shared" else rss_mb(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
    return weighed


def _figures(bare: list[dict[str, Any]], ours: list[dict[str, Any]], weights_mb: float) -> tuple[Figure, ...]:
    def column(runs: list[dict[str, Any]], step: str) -> tuple[float, ...]:
        return tuple(run[step] for run in runs)

    def compared(name: str, step: str, bare_step: str) -> Figure:
        return Figure(NAME, name, "MB", column(ours, step), _BARE, column(bare, bare_step), "difference")

    growth = tuple(run["answered"] - run["imported"] for run in ours)
    bare_growth = tuple(run["answered"] - run["imported"] for run in bare)
    every = list(ours[0])
    steps = [step for step in every if step.startswith("loaded ")]
    return (
        Figure(NAME, "the file of the weights", "MB", (weights_mb,)),
        compared("libraries imported", "imported", "imported"),
        compared("all approaches loaded", steps[-1], "loaded"),
        compared("each local approach has answered", "answered", "answered"),
        Figure(NAME, "loaded and answered, without the libraries", "MB", growth, _BARE, bare_growth, "difference"),
        *(
            Figure(NAME, f"added by loading {step.removeprefix('loaded ')}", "MB", _added(ours, before, step))
            for before, step in zip(["imported", *steps], steps, strict=False)
        ),
    )


def _added(runs: list[dict[str, Any]], before: str, after: str) -> tuple[float, ...]:
    return tuple(run[after] - run[before] for run in runs)


def _proof(ours: list[dict[str, Any]]) -> list[Figure]:
    """The share of the base's tensors that the other columns hold at the very same address.

    The adapter's view holds those that the adapter changes merged, as tensors of its own: so many bytes are stated.
    """
    own = [run["shared"]["adapter_bytes"] / MB for run in ours if "adapter_bytes" in run["shared"]]
    figures = [Figure(NAME, "merged weights of the adapter's own", "MB", tuple(own))] if own else []
    for key, who in (("view_shares", "the adapter's view"), ("rag_shares", "RAG's generator")):
        found = [run["shared"] for run in ours if key in run["shared"]]
        if found:
            shares = tuple(100 * one[key] / one["base_tensors"] for one in found)
            shown = f"{found[0][key]} of {found[0]['base_tensors']} tensors"
            goal = _ONCE if key == "rag_shares" else None
            figures.append(Figure(NAME, f"base weights shared with {who}", "%", shares, goal=goal, shown=shown))
    return figures
