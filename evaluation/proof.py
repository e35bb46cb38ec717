"""What an adapter learned, and what it forgot: base and adapter answer the same questions, one after the other.

Two question sets are asked. The first is the user's, or the adapter's own held-out part. The second is fixed:
`general_questions.jsonl`, 33 simple questions of general knowledge that SmolLM2-135M-Instruct answers right (how they
were chosen: docs/measurements.md). What another base or precision does not know cannot be forgotten, so the base is
always asked first, and only the questions that it answers right count.

Each answer takes one turn on the machine, so that other people's questions are answered in between.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import backends
from backends.base import Backend
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import amend_card, is_reader
from backends.fine_tuned.adapters.catalogue import adapter_folder
from backends.models.adapter_files import AdapterFiles, read
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings
from evaluation.asking import MAX_TOKENS, AnswerLog, ArmAnswer, ask, get_ready, greedy, identity
from evaluation.judging import SEMANTIC, Gain, Judged, Share, StoredRows, gain, gradable, judge, mean, share
from evaluation.samples import Sample, read_question_set, sample_evenly
from evaluation.scorers.right import is_right
from evaluation.statistics import Estimate
from evaluation.stored_results import newest, read_result, write_result
from evaluation.training_data import Seen, find_seen, held_out_samples, training_pairs

BASE, ADAPTER = "base", "adapter"

_FILE = "proof.json"


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How many of the general questions that the base answers right the adapter still does. `asked`: all there were.

    `rows`: the questions that the base answered right.
    """

    asked: int
    kept: Share
    rows: StoredRows

    @property
    def lost(self) -> tuple[Judged, ...]:
        """The questions that the adapter gets wrong."""
        return tuple(row for row in self.rows if row.is_right(ADAPTER) is False)


@dataclass(frozen=True, slots=True)
class AdapterProof:
    """Base and adapter on the same questions; the semantic estimates are None where no question has a reference.

    `left_out`: questions without anything to judge by. `forgetting` is None if the base knew nothing of what is
    asked; `seen` is None where the training pairs are not on this machine. `amended`: the adapter's card says it too.
    """

    adapter: str
    sha256: str
    base_model: str
    question_set: str
    created: datetime
    max_tokens: int
    embedder: str
    rows: StoredRows
    left_out: int
    base: Share
    tuned: Share
    difference: Gain
    base_semantic: Estimate | None
    tuned_semantic: Estimate | None
    semantic_difference: Estimate | None
    forgetting: Forgetting | None
    seen: Seen | None
    amended: bool

    @property
    def to_right(self) -> tuple[Judged, ...]:
        """The questions that only the adapter gets right."""
        return tuple(row for row in self.rows if row.is_right(ADAPTER) and row.is_right(BASE) is False)

    @property
    def to_wrong(self) -> tuple[Judged, ...]:
        """The questions that only the base gets right."""
        return tuple(row for row in self.rows if row.is_right(BASE) and row.is_right(ADAPTER) is False)


def card_entries(proof: AdapterProof) -> dict[str, object]:
    """What a proof adds to the adapter's card."""
    entries: dict[str, object] = {
        "score": {
            "questions": proof.base.questions,
            "base": proof.base.right,
            "adapter": proof.tuned.right,
            "question_set": proof.question_set,
        }
    }
    if proof.base_semantic and proof.tuned_semantic:
        entries["semantic"] = {
            "base": round(proof.base_semantic.value, 4),
            "adapter": round(proof.tuned_semantic.value, 4),
            "embedder": proof.embedder,
        }
    if proof.forgetting:
        entries["forgetting"] = {"known_by_base": proof.forgetting.kept.questions, "kept": proof.forgetting.kept.right}
    return entries


def store_proof(folder: Path, proof: AdapterProof) -> None:
    """Write it. Raises `BackendError` if the disk does not take it."""
    write_result(folder / _FILE, AdapterProof, proof)


def stored_proofs(data: Path, sha256: str) -> list[Path]:
    """The files of an adapter's proofs, newest first."""
    return newest(list((data / "proofs" / sha256).glob(f"*/{_FILE}")))


def read_proof(file: Path) -> AdapterProof:
    """A stored proof. Raises `BackendError` if it is damaged."""
    return read_result(file, AdapterProof)


GENERAL_QUESTIONS = Path(__file__).with_name("general_questions.jsonl")

_DIFFERENCE = {ADAPTER: 1, BASE: -1}


def proof_key(data: Path) -> str:
    """The key of the job that proves an adapter; there is one at a time."""
    return f"proof {Path(data).resolve()}"


def start_proof(settings: Settings, adapter: str, samples: Sequence[Sample], question_set: str) -> Job:
    """Prove in the background. Raises `BackendError` while another proof is being made."""
    return jobs.start(
        proof_key(settings.data),
        f"Proving {adapter}",
        lambda cancel: prove(settings, adapter, samples, question_set, cancel),
    )


def questions_for(
    settings: Settings, adapter: str, file: Path | None, most: int, tell: Callable[[str], object] | None = None
) -> tuple[list[Sample], str]:
    """At most so many questions of a file, or of the adapter's held-out part, and where they come from.

    `tell` is called with a sentence where the file's encoding had to be guessed. Raises `BackendError` without a file
    where no held-out part is known.
    """
    if file is not None:
        return sample_evenly(read_question_set(file, tell), most, file.name)
    if not (samples := held_out_samples(settings.data, read(adapter_folder(adapter, settings.data)).card)):
        raise BackendError(
            f"No held-out part is known of the adapter {adapter}.", "Give questions: `--questions FILE`."
        )
    return sample_evenly(samples, most, "its held-out part")


def proof_arms(settings: Settings, adapter: str) -> dict[str, Backend]:
    """The base as it is, and the adapter over it."""
    chosen = settings.fine_tuned.model_copy(update={"adapter": adapter, "base_url": None})
    tuned = settings.model_copy(update={"fine_tuned": chosen})
    return {BASE: backends.make("raw", settings), ADAPTER: backends.make("fine_tuned", tuned)}


def prove(
    settings: Settings,
    adapter: str,
    samples: Sequence[Sample],
    question_set: str,
    cancel: threading.Event,
    arms: Mapping[str, Backend] | None = None,
) -> Iterator[Progress[AdapterProof]]:
    """Ask, judge and store under `data/proofs/SHA/`; the adapter's card is amended, unless it is a sample's.

    `arms` (`BASE` and `ADAPTER`) answer; `proof_arms` if left out. Answers that an interrupted proof had already are
    not asked again. A cancelled one has no result. Raises `BackendError` for an adapter that cannot be asked, and for
    questions that cannot be judged.
    """
    folder = adapter_folder(adapter, settings.data)
    files = read(folder)
    if is_reader(files.card):
        raise BackendError(
            f"{files.name} was taught to read passages and no facts, so without passages it has nothing to prove.",
            "Compare it with its base where both read: in Attribution, or with `crossroads attribute`.",
        )
    making = _ProofRun(greedy(settings), files, gradable(samples), cancel)
    arms = arms or proof_arms(making.settings, adapter)
    try:
        for what in get_ready(arms, making.work, cancel):
            yield Progress(0, making.total, what)
        yield from making.ask(arms)
        yield Progress(making.total, making.total, "comparing the answers with the references")
        own = folder.resolve().parent == (settings.data / "adapters").resolve()
        amended = own and not settings.scripted
        proof = making.proof(question_set, len(samples) - len(making.asked), amended)
    except Cancelled:
        return
    store_proof(making.folder, proof)
    if amended:
        amend_card(folder, card_entries(proof))
    yield Progress(making.total, making.total, "done", proof)


class _ProofRun:
    """A proof while its answers come in."""

    def __init__(
        self, settings: Settings, files: AdapterFiles, asked: tuple[Sample, ...], cancel: threading.Event
    ) -> None:
        self.settings, self.files, self.asked, self.cancel = settings, files, asked, cancel
        self.work = f"proof of {files.name}"
        self.general = gradable(read_question_set(GENERAL_QUESTIONS))
        self.total = 2 * (len(asked) + len(self.general))
        raw, questions = settings.raw, [sample.question for sample in (*asked, *self.general)]
        weights = (raw.model, raw.revision, raw.device, settings.fine_tuned.merge, settings.scripted)
        name = identity(*weights, settings.system_prompt, settings.seed, questions)
        self.folder = settings.data / "proofs" / files.sha256 / name
        self._log = AnswerLog(self.folder / "answers.jsonl")
        self._answers: list[dict[str, ArmAnswer]] = []
        self._known: list[tuple[Sample, dict[str, ArmAnswer]]] = []

    def ask(self, arms: Mapping[str, Backend]) -> Iterator[Progress[AdapterProof]]:
        """The questions, and then the general ones, of which the adapter gets those that the base answered right."""
        for position, sample in enumerate(self.asked):
            answers = {}
            for number, arm in enumerate((BASE, ADAPTER), 1):
                answers[arm] = self._answer(arms, arm, position, sample)
                detail = f"question {position + 1} of {len(self.asked)}"
                yield Progress(2 * position + number, self.total, detail)
            self._answers.append(answers)
        for position, sample in enumerate(self.general, len(self.asked)):
            base = self._answer(arms, BASE, position, sample)
            if is_right(base.text, sample):
                self._known.append((sample, {BASE: base, ADAPTER: self._answer(arms, ADAPTER, position, sample)}))
            progress = f"{position + 1 - len(self.asked)} of {len(self.general)}"
            yield Progress(2 * position + 2, self.total, f"looking for what was forgotten, {progress}")

    def proof(self, question_set: str, left_out: int, amended: bool) -> AdapterProof:
        """All answers judged. Raises `Cancelled`."""
        from backends.rag.approach import embedder

        model, turn = embedder(self.settings), turns(self.work, self.cancel)
        rows = judge(self.asked, self._answers, model, turn)
        known = judge([sample for sample, _ in self._known], [answers for _, answers in self._known], model, turn)
        pairs = training_pairs(self.settings.data, self.files.card)
        return AdapterProof(
            adapter=self.files.name,
            sha256=self.files.sha256,
            base_model=self._answers[0][BASE].model,
            question_set=question_set,
            created=datetime.now(UTC),
            max_tokens=MAX_TOKENS,
            embedder=self.settings.rag.embedder,
            rows=rows,
            left_out=left_out,
            base=share(rows, BASE),
            tuned=share(rows, ADAPTER),
            difference=gain(rows, _DIFFERENCE),
            base_semantic=mean(rows, SEMANTIC, {BASE: 1}),
            tuned_semantic=mean(rows, SEMANTIC, {ADAPTER: 1}),
            semantic_difference=mean(rows, SEMANTIC, _DIFFERENCE),
            forgetting=Forgetting(len(self.general), share(known, ADAPTER), known) if known else None,
            seen=None if pairs is None else find_seen(pairs, self.asked),
            amended=amended,
        )

    def _answer(self, arms: Mapping[str, Backend], arm: str, position: int, sample: Sample) -> ArmAnswer:
        return ask(arms[arm], arm, position, sample, self.settings, self._log, self.work, self.cancel)
