"""`python -m benchmarks.train_judge FOLDER`: teach the judge whether a sentence answers a question.

It learns from the exercises of `benchmarks.reading`: a question with up to six sentences, of which one or two or none
answer it, invented or out of real manuals. The loss of a question is the cross entropy of the sentence that answers it
among all of them and "none", whose log-odds are 0, plus the binary cross entropy of each. The same call goes on where
it was cut.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn

from backends.models.weights import resolve
from backends.rag.documents.chunks import context_of
from backends.rag.search.judge_network import Head, LowRank, with_adapters
from backends.settings import DEFAULT_EMBEDDER, load_settings
from benchmarks.reading.exercises import Group
from benchmarks.reading.prompt import SUPERSEDED, Evidence
from benchmarks.reading.stream import exercises_of, held_out_groups

LONGEST = 128
"""Tokens of a pair."""

_TOKENS_AT_ONCE = 2_500
_MEAN = 0.995
"""What is kept of the running mean of the weights at each step."""
_REPEATED = ("Many ask: {q}", "{q} This page tells more.", "Question: {q}", "See the next section for: {q}", "{q}")


@dataclass(frozen=True, slots=True)
class Case:
    """A question with sentences, and for each whether it answers it."""

    question: str
    texts: tuple[str, ...]
    right: tuple[bool, ...]


def cases(group: Group, draw: random.Random, most: int, foreign: Sequence[Evidence] = ()) -> Iterator[Case]:
    """The exercises of a group; some with a sentence that only repeats the question, some under it as a heading.

    Sentences of `foreign` documents are added to most: a search finds such as well.
    """
    for one in group.exercises[:most]:
        numbers = {number for _, number in one.parts}
        if one.parts and not all(numbers):
            continue
        pairs = []
        without = draw.random() < 0.12
        as_heading = draw.random() < 0.06
        for number, evidence in enumerate(group.evidence, start=1):
            right = number in numbers
            heading = one.question if right and as_heading else None
            pairs.append((_text(evidence, without, heading), right))
        if draw.random() < 0.15:
            near = draw.choice(group.evidence)
            said = draw.choice(_REPEATED).format(q=one.question)
            pairs.append((_text(Evidence(near.document, near.heading, said), without), False))
        if foreign and draw.random() < 0.7:
            strangers = draw.sample(foreign, min(len(foreign), draw.randint(1, 3)))
            pairs += [(_text(stranger, without), False) for stranger in strangers]
        draw.shuffle(pairs)
        yield Case(one.question, tuple(text for text, _ in pairs), tuple(right for _, right in pairs))


def _text(evidence: Evidence, without: bool, heading: str | None = None) -> str:
    mark = SUPERSEDED if evidence.superseded else ""
    if without:
        return mark + evidence.text
    return f"{mark}{context_of(evidence.document, evidence.heading if heading is None else heading)}: {evidence.text}"


class JudgeTraining:
    """The network with its optimiser; `folder` keeps both."""

    def __init__(self, folder: Path, base: Path, rank: int, rate: float) -> None:
        from transformers import AutoModel, AutoTokenizer

        torch.manual_seed(0)
        self.folder, self.rate = folder, rate
        self.tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True)
        self.model: Any = AutoModel.from_pretrained(base, local_files_only=True, add_pooling_layer=False)
        self.model.eval()
        self.layers: dict[str, LowRank] = with_adapters(self.model, rank)
        self.head = Head(self.model.config.hidden_size)
        self.learned = dict(self._named())
        self.optimizer = torch.optim.AdamW(self.learned.values(), lr=rate, weight_decay=0.01)
        self.mean = {name: one.detach().clone() for name, one in self.learned.items()}
        self.step, self.seconds = 0, 0.0

    def _named(self) -> Iterator[tuple[str, nn.Parameter]]:
        for name, layer in self.layers.items():
            yield f"{name}.down", layer.down
            yield f"{name}.up", layer.up
        for name, one in self.head.named_parameters():
            yield f"head.{name}", one

    def log_odds(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], Tensor]]:
        """Batches of pairs of like length: their places, and the network's output for them."""
        lengths = [len(one) + len(other) for one, other in pairs]
        order = sorted(range(len(pairs)), key=lengths.__getitem__)
        batches: list[list[int]] = [[]]
        for place in order:
            if batches[-1] and (len(batches[-1]) + 1) * lengths[place] / 4 > _TOKENS_AT_ONCE:
                batches.append([])
            batches[-1].append(place)
        return [(batch, self._batch([pairs[place] for place in batch])) for batch in batches]

    def _batch(self, pairs: Sequence[tuple[str, str]]) -> Tensor:
        asked, texts = zip(*pairs, strict=True)
        tokens = self.tokenizer(
            list(asked), list(texts), padding=True, truncation="only_second", max_length=LONGEST, return_tensors="pt"
        )
        return self.head(self.model(**tokens).last_hidden_state, tokens["attention_mask"])

    def take(self, chosen: Sequence[Case], share: float) -> float:
        """One step on some cases, at `share` of the learning rate. Returns the mean loss of a case."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * share
        pairs = [(case.question, text) for case in chosen for text in case.texts]
        batches = self.log_odds(pairs)
        odds: list[Tensor] = [torch.zeros(())] * len(pairs)
        for places, found in batches:
            for place, one in zip(places, found, strict=True):
                odds[place] = one
        loss, start = torch.zeros(()), 0
        for case in chosen:
            mine = torch.stack(odds[start : start + len(case.texts)])
            start += len(case.texts)
            loss = loss + _loss(mine, case)
        loss = loss / len(chosen)
        loss.backward()
        nn.utils.clip_grad_norm_(list(self.learned.values()), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        keep = min(_MEAN, self.step / (self.step + 10))
        with torch.no_grad():
            for name, one in self.learned.items():
                self.mean[name].mul_(keep).add_(one, alpha=1 - keep)
        return float(loss.detach())

    def scored(self, chosen: Sequence[Case]) -> list[list[float]]:
        """The log-odds of each sentence of each case, by the running mean of the weights."""
        now = {name: one.detach().clone() for name, one in self.learned.items()}
        with torch.no_grad():
            self._set(self.mean)
            pairs = [(case.question, text) for case in chosen for text in case.texts]
            odds = [0.0] * len(pairs)
            for places, found in self.log_odds(pairs):
                for place, one in zip(places, found.tolist(), strict=True):
                    odds[place] = one
            self._set(now)
        ends, start = [], 0
        for case in chosen:
            ends.append(odds[start : start + len(case.texts)])
            start += len(case.texts)
        return ends

    def _set(self, values: dict[str, Tensor]) -> None:
        for name, one in self.learned.items():
            one.data.copy_(values[name])

    def save(self) -> None:
        """Everything that the same call needs to go on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / "new.pt"
        torch.save(
            {
                "learned": {name: one.detach() for name, one in self.learned.items()},
                "mean": self.mean,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
            new,
        )
        new.replace(self.folder / "state.pt")
        save_file({name: one.half().contiguous() for name, one in self.mean.items()}, self.folder / "judge.safetensors")

    def resume(self) -> None:
        """What `save` wrote, if there is any."""
        if (file := self.folder / "state.pt").exists():
            state = torch.load(file, weights_only=True)
            self._set(state["learned"])
            self.mean = state["mean"]
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]


def _loss(odds: Tensor, case: Case) -> Tensor:
    right = torch.tensor(case.right, dtype=odds.dtype)
    target = torch.cat([right, torch.zeros(1)]) / right.sum() if any(case.right) else torch.cat([right, torch.ones(1)])
    listed = -(target * torch.log_softmax(torch.cat([odds, torch.zeros(1)]), dim=0)).sum()
    single = nn.functional.binary_cross_entropy_with_logits(odds, right)
    return listed + single


def measured(found: Sequence[Sequence[float]], chosen: Sequence[Case]) -> dict[str, float]:
    """Shares over cases: the best sentence answers; and refused of those without where 10 % of the others are."""
    first, answered, unanswered = [], [], []
    for odds, case in zip(found, chosen, strict=True):
        best = max(range(len(odds)), key=odds.__getitem__)
        if any(case.right):
            first.append(case.right[best])
            answered.append(odds[best])
        else:
            unanswered.append(odds[best])
    answered.sort()
    limit = answered[len(answered) // 10]
    wins = sum((a > b) + 0.5 * (a == b) for a in answered for b in unanswered)
    return {
        "first": round(sum(first) / len(first), 3),
        "parted": round(wins / max(1, len(answered) * len(unanswered)), 3),
        "refused_at_10": round(sum(one < limit for one in unanswered) / max(1, len(unanswered)), 3),
    }


UNNAMED = 0.5
"""The share of documents that do not name what they are about in every sentence (`benchmarks.reading.exercises`)."""

_MANUALS = 0.15
"""The share of real manuals: what their rules make is learned soon."""

_SEEN = 200
"""Sentences of earlier groups from which foreign ones are drawn."""


def main(
    folder: Path,
    minutes: Annotated[float, typer.Option(help="How long in all, over all calls.")] = 90,
    manuals: Annotated[str, typer.Option(help="The file that `benchmarks.reading manuals` wrote.")] = "",
    rank: int = 16,
    rate: float = 1e-3,
    groups: Annotated[int, typer.Option(help="Groups of questions a step.")] = 4,
    questions: Annotated[int, typer.Option(help="Questions of each.")] = 5,
    seed: int = 0,
    threads: int = 1,
    every: Annotated[int, typer.Option(help="Steps between measurements.")] = 100,
) -> None:
    """Train, or go on with what is in FOLDER; a line of `log.jsonl` for each measurement on what is held out."""
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    training = JudgeTraining(folder, resolve(DEFAULT_EMBEDDER, load_settings({}).data).folder, rank, rate)
    training.resume()
    draw_group = exercises_of(seed, questions, manuals, UNNAMED, _MANUALS)
    tests = _held_out(manuals)
    losses: list[float] = []
    seen: list[Evidence] = []
    began = time.monotonic() - training.seconds
    while training.seconds < 60 * minutes:
        if training.step % every == 0:
            _log(training, tests, losses[-every:])
        chosen: list[Case] = []
        for place in range(training.step * groups, (training.step + 1) * groups):
            group = draw_group(place)
            chosen += cases(group, random.Random(f"{seed} {place}"), questions, seen)
            seen = [*seen, *group.evidence][-_SEEN:]
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, training.seconds / (60 * minutes))))
        losses.append(training.take(chosen, min(1.0, (training.step + 1) / 50) * falling))
        training.seconds = time.monotonic() - began
        if training.step % 50 == 0:
            training.save()
    training.save()


def _held_out(manuals: str) -> dict[str, list[Case]]:
    """Cases of domains and of manuals that nothing is trained on, by name."""
    groups = {"domains": held_out_groups(60), "unnamed": held_out_groups(60, unnamed=1.0)}
    if manuals:
        groups["manuals"] = held_out_groups(40, manuals=manuals)
    return {name: [one for group in some for one in cases(group, random.Random(1), 5)] for name, some in groups.items()}


def _log(training: JudgeTraining, tests: dict[str, list[Case]], losses: Sequence[float]) -> None:
    loss = round(sum(losses) / len(losses), 3) if losses else None
    row = {"step": training.step, "minutes": round(training.seconds / 60, 1), "loss": loss}
    found = {name: measured(training.scored(some), some) for name, some in tests.items()}
    line = json.dumps(row | found)
    with (training.folder / "log.jsonl").open("a", encoding="utf-8") as out:
        out.write(line + "\n")
    typer.echo(line, err=True)


if __name__ == "__main__":
    typer.run(main)
