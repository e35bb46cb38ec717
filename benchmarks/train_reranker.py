"""`python -m benchmarks.train_reranker OUT MANUAL...`: a small cross-encoder, so that reranked search can be measured.

No cross-encoder comes inside a package, so this makes one from the default embedder's weights: it learns to put the
section that a title (or a first sentence) was taken from before sections that dense search finds close to it. The
MANUALs are files or folders of plain text or reStructuredText, none of them searched by `benchmarks retrieval`. It is
a stand-in of 22 M parameters trained for minutes; a reranker trained on millions of pairs, such as
cross-encoder/ms-marco-MiniLM-L6-v2, will do better.

The loss is the cross entropy of the right passage among one right and five wrong ones (listwise softmax; Cao et al.
2007, "Learning to Rank: From Pairwise Approach to Listwise Approach"). The wrong ones are drawn from all passages at
first and from the close ones more and more: with close ones alone it did not learn in the same time, for what tells
them apart is too little to begin with (docs/decisions.md).
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backends.models.weights import resolve
from backends.settings import DEFAULT_EMBEDDER, load_settings
from benchmarks.manuals import SHORTEST, read_manual

NEGATIVES = 5
CLOSE = 3  # of them at most, at the end
LONGEST = 96  # tokens of query and passage
_CHARACTERS = 350
_WORDS = 7  # of the passage itself, as the easiest kind of query
_QUERIES = 8  # per step
_ROLE = re.compile(r":[\w:]+:`~?([^`<]+)(?:<[^`]*>)?`|``([^`]+)``|\.\. \w.*::.*")
_SENTENCE = re.compile(r"(?<=[.?!])\s")


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the cross-encoder.")],
    manuals: Annotated[list[Path], typer.Argument(help="Text files, or folders of them.")],
    steps: Annotated[int, typer.Option(min=1, help=f"Steps of {_QUERIES} queries.")] = 400,
    seed: int = 0,
    data: Annotated[Path | None, typer.Option(help="Data folder with the weights.")] = None,
) -> None:
    """Train a reranker and save it as safetensors."""
    settings = load_settings({"data": str(data)} if data else {})
    examples = list(_examples(manuals))
    random.Random(seed).shuffle(examples)
    examples = examples[: steps * _QUERIES]
    typer.echo(f"{len(examples)} queries from {len(manuals)} manuals", err=True)
    folder = resolve(DEFAULT_EMBEDDER, settings.data).folder
    close = _close(folder, [query for query, _ in examples], [text for _, text in examples])
    _train(folder, examples, close, steps, seed, out)


def _examples(manuals: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Query and passage: a section's title or some of its words for its text, its first sentence for what follows."""
    files = [file for manual in manuals for file in (sorted(manual.rglob("*.txt")) if manual.is_dir() else [manual])]
    drawn = random.Random(0)
    for file in files:
        for section in read_manual(file):
            text = _plain(section.text)
            if len(text) < SHORTEST:
                continue
            yield _plain(section.title), text[:_CHARACTERS]
            words = text[:_CHARACTERS].split()
            start = drawn.randrange(max(1, len(words) - _WORDS))
            yield " ".join(words[start : start + _WORDS]), text[:_CHARACTERS]
            first, *rest = _SENTENCE.split(text, maxsplit=1)
            if rest and len(rest[0]) >= SHORTEST and 30 < len(first) < 200:
                yield first, rest[0][:_CHARACTERS]


def _plain(text: str) -> str:
    """Without the marks of reStructuredText that would give a match away."""
    return " ".join(_ROLE.sub(lambda found: found[1] or found[2] or "", text).split())


def _close(folder: Path, queries: list[str], texts: list[str]) -> list[list[int]]:
    """For each query the positions of other texts that dense search finds, the best first."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    embedder = SentenceTransformer(str(folder), local_files_only=True, device="cpu")
    embedder.max_seq_length = LONGEST
    asked = embedder.encode_query(queries, normalize_embeddings=True)
    found = embedder.encode_document(texts, normalize_embeddings=True)
    nearest = np.argsort(-(asked @ found.T), axis=1)[:, :30]
    return [[int(place) for place in row if texts[place] != texts[own]][: 4 * CLOSE] for own, row in enumerate(nearest)]


def _wrong(own: int, close: list[int], among: int, hard: int, drawn: random.Random) -> list[int]:
    """Passages that are not the right one: `hard` of the close ones, the others from anywhere."""
    chosen = drawn.sample(close, min(hard, len(close)))
    while len(chosen) < NEGATIVES:
        if (place := drawn.randrange(among)) != own and place not in chosen:
            chosen.append(place)
    return chosen


def _train(
    folder: Path, examples: list[tuple[str, str]], close: list[list[int]], steps: int, seed: int, out: Path
) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_cosine_schedule_with_warmup

    torch.manual_seed(seed)
    drawn = random.Random(seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True, num_labels=1)
    model.base_model.embeddings.requires_grad_(False)
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-4)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    model.train()
    began, losses = time.monotonic(), []
    for step in range(steps):
        chosen = [(step * _QUERIES + place) % len(examples) for place in range(_QUERIES)]
        hard = min(CLOSE, step * (CLOSE + 1) // steps)
        pairs = [
            (examples[own][0], examples[place][1])
            for own in chosen
            for place in (own, *_wrong(own, close[own], len(examples), hard, drawn))
        ]
        batch = tokenizer(
            *zip(*pairs, strict=True), truncation=True, max_length=LONGEST, padding=True, return_tensors="pt"
        )
        scores = model(**batch).logits.view(_QUERIES, 1 + NEGATIVES)
        loss = torch.nn.functional.cross_entropy(scores, torch.zeros(_QUERIES, dtype=torch.long))
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 20 == 0:
            mean = sum(losses[-20:]) / 20
            typer.echo(f"step {step + 1} of {steps}, loss {mean:.3f}, {time.monotonic() - began:.0f} s", err=True)
    model.eval()
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    typer.run(main)
