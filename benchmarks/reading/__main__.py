"""`python -m benchmarks.reading COMMAND`: manuals, show, train, evaluate, write.

manuals FILE     fetch manuals from Debian's packages and write their sentences
show             print some exercises
train FOLDER     train a reader for so many minutes; the same call goes on where it was cut
evaluate FOLDER  answers to exercises of domains and manuals that were not trained on
write FOLDER OUT the adapter, in peft's format
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from backends.fine_tuned.train.examples import prompt_ids
from backends.models import inference
from backends.models.local import LocalModel, base_of, load_base
from backends.settings import Settings, load_settings
from benchmarks.reading import manual_text
from benchmarks.reading.answering import answers_together
from benchmarks.reading.exercises import Group
from benchmarks.reading.prompt import reader_prompt
from benchmarks.reading.scoring import Scored, quoted, score, table
from benchmarks.reading.stream import exercises_of, held_out_groups
from benchmarks.reading.training import SETTINGS, ReaderSettings, ReaderTraining

app = typer.Typer(help=__doc__, no_args_is_help=True)
Manuals = Annotated[str, typer.Option(help="The file that `manuals` wrote; none if left out.")]
Data = Annotated[Path | None, typer.Option(help="Data folder with the weights.")]


@app.command()
def manuals(file: Path) -> None:
    """Fetch the packages into a folder beside FILE, and write the sentences of their manuals; not if FILE is there."""
    if file.exists():
        typer.echo(f"{file} is there already.")
        return
    folder = file.with_name("packages")
    manual_text.fetch(folder)
    typer.echo(f"{manual_text.write_sentences(folder, file):,} sentences")


@app.command()
def show(count: int = 3, seed: int = 0, manuals: Manuals = "") -> None:
    """Print groups of exercises."""
    groups = exercises_of(seed, 6, manuals)
    for group in map(groups, range(count)):
        typer.echo("\n".join(one.line(number) for number, one in enumerate(group.evidence, start=1)))
        for one in group.exercises:
            typer.echo(f"  {one.question}\n    {one.answer()}  ({one.kind})")
        typer.echo("")


@app.command()
def train(
    folder: Path,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long from now.")] = 120,
    manuals: Manuals = "",
    rank: int = 8,
    learning_rate: float = 1.5e-3,
    groups: Annotated[int, typer.Option(help="Pieces of evidence a step.")] = 2,
    questions: Annotated[int, typer.Option(help="Questions about each.")] = 6,
    ask_first: bool = False,
    cite_first: bool = False,
    steps: Annotated[int, typer.Option(help="The last step, towards which the rate falls.")] = 100_000,
    fall_from: Annotated[int, typer.Option(help="The step from which the rate falls.")] = 100_000,
    workers: Annotated[int, typer.Option(help="Threads, with OMP_NUM_THREADS=1.")] = 2,
    seed: int = 0,
    data: Data = None,
) -> None:
    """Train, or go on with what is in FOLDER."""
    reading = ReaderSettings(
        rank=rank,
        alpha=2 * rank,
        learning_rate=learning_rate,
        groups=groups,
        questions=questions,
        ask_first=ask_first,
        cite_first=cite_first,
        steps=steps,
        fall_from=fall_from,
        seed=seed,
        manuals=manuals,
    )
    settings, base = _base(data)
    training = ReaderTraining(base, folder, reading, settings.system_prompt, workers)
    for record in training.run(60 * minutes):
        if record["step"] % 10 == 0:
            line = "step {step}, loss {loss:.3f}, {tokens} tokens, {seconds:.0f} s"
            typer.echo(line.format(**record), err=True)


@app.command()
def evaluate(
    folder: Path,
    count: Annotated[int, typer.Option(help="Groups of about five questions, of domains and of manuals.")] = 30,
    plain: Annotated[bool, typer.Option("--base", help="The base without what was trained.")] = False,
    data: Data = None,
) -> None:
    """Score a reader, and the first sentences quoted, on what it was not trained on; answers go into FOLDER."""
    settings, base = _base(data)
    reading = ReaderSettings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    training = ReaderTraining(base, folder, reading, settings.system_prompt)
    training.use_mean()
    model = base.model if plain else training.learner.model
    for name, source in (("domains", ""), ("manuals", reading.manuals)):
        if name == "manuals" and not source:
            continue
        groups = held_out_groups(count, manuals=source)
        answers = list(asked(model, base, groups, settings, reading.ask_first))
        typer.echo(json.dumps({"of": name, "step": training.step, "reader": table(answers)}))
        typer.echo(json.dumps({"of": name, "quote": table(list(quoted(groups)))}))
        with (folder / f"{'base' if plain else training.step}-{name}.jsonl").open("w", encoding="utf-8") as out:
            for one in answers:
                wanted = one.exercise.answer(reading.cite_first)
                out.write(json.dumps([one.right, one.exercise.kind, one.exercise.question, wanted, one.answer]) + "\n")


@app.command()
def write(folder: Path, out: Path, data: Data = None) -> None:
    """Write the mean of the weights as an adapter."""
    settings, base = _base(data)
    reading = ReaderSettings(**json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    ReaderTraining(base, folder, reading, settings.system_prompt).write_adapter(out)


def asked(
    model: object, base: LocalModel, groups: Sequence[Group], settings: Settings, ask_first: bool
) -> Iterator[Scored]:
    """The answers of a model to groups of exercises, scored."""
    for group in groups:
        texts = [reader_prompt(one.question, group.evidence, ask_first) for one in group.exercises]
        prompts = [prompt_ids(base, text, settings.system_prompt) for text in texts]
        answers = inference.run(answers_together, model, base.tokenizer, prompts)
        for exercise, answer in zip(group.exercises, answers, strict=True):
            yield score(group, exercise, answer)


def _base(data: Path | None) -> tuple[Settings, LocalModel]:
    settings = load_settings({"data": str(data)} if data else {})
    list(load_base(settings))
    return settings, base_of(settings)


if __name__ == "__main__":
    app()
