"""The words of the domain: a question, the events of an answer, and what was measured.

Everything here is immutable. Identity (ids, rows) belongs to whoever stores an answer.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from backends.errors import CapReached

Status = Literal["ok", "error", "truncated", "cancelled", "empty", "refused", "below_threshold", "not_asked"]
"""How a column ended. `not_asked`: nobody could be asked yet, such as a paid model without a key, and nothing went
wrong; the reason says what is missing. `truncated`: the text stops before the model was done (token limit,
deadline, or a stream that broke off without a finish reason). `refused`: the model, or its provider's filter, declined
to answer; the text is what it said instead. `below_threshold`: nothing that the documents hold answers well enough, so
nobody wrote an answer; the text says that the documents do not say."""

FAILED: tuple[Status, ...] = ("error", "not_asked")
"""The ends of a question that got no answer, of which nothing was measured."""

STATUS_WORDS: Mapping[Status, str] = {
    "ok": "done",
    "truncated": "cut off",
    "refused": "refused",
    "below_threshold": "below threshold",
    "empty": "empty answer",
    "cancelled": "stopped",
    "error": "failed",
    "not_asked": "not asked",
}
"""What people read for a status, on every page and in the terminal; records for programs keep the status."""

UsageSource = Literal["server", "tokenizer", "estimate"]


@dataclass(frozen=True, slots=True)
class Question:
    """What every approach is asked, with the generation settings they share.

    `max_tokens` is in completion tokens; `temperature` 0 means greedy decoding. `run` names what it is asked for: its
    cost counts towards that run's budget.
    """

    text: str
    system_prompt: str = ""
    max_tokens: int = 200
    temperature: float = 0.0
    seed: int = 0
    run: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer; None means not reported.

    `prompt_tokens` includes cached ones, `completion_tokens` includes reasoning and the
    end-of-text token where the model produced one. `source` says who counted, or None when nobody did.
    `service_tier` is how the server says it served the request (`flex`, `priority`, `batch`, ...), which has its price.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    source: UsageSource | None = None
    service_tier: str | None = None


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """How many tokens a prompt will have. `exact`: counted by the model's own tokenizer; `how` says it in words."""

    tokens: int
    exact: bool
    how: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of a document.

    `start` and `end` are character offsets in the extracted text of the document; `page` counts
    from 1 and is None where the format has no pages; `score` is the cosine similarity (-1 to 1). `heading` is the
    path of headings above it, for CSV the header row; "" where there is none. `superseded` says in a few words why its
    document is not in force any more; "" if nothing tells.
    """

    document: str
    page: int | None
    chunk_id: str
    score: float
    start: int
    end: int
    text: str
    heading: str = ""
    superseded: str = ""


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations of one answer in seconds on a monotonic clock; None means it did not happen.

    `queued_s` (waiting for the machine), `load_s` (loading weights) and `retry_s` (failed attempts and the
    waits after them) are never part of `latency_s`; `retrieval_s` is. `ttft_s` runs from the start of work
    to the first visible character, `first_reasoning_s` to the first reasoning that a server showed before it.
    """

    queued_s: float | None = None
    load_s: float | None = None
    retry_s: float | None = None
    retrieval_s: float | None = None
    first_reasoning_s: float | None = None
    ttft_s: float | None = None
    latency_s: float | None = None
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for one answer, or None where price or usage is unknown, and in words why."""

    usd: Decimal | None
    basis: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request for an answer. `began_s` counts from the start of work, waits and earlier attempts included.

    `fault` says in short why it failed (empty: it did not), `status` is the HTTP status of a refusal. `waited_s` is the
    wait after it. `usage` is what the server reported for it, and `cost` what that came to; both None if it did not,
    except that a refusal costs nothing.
    """

    number: int
    began_s: float
    lasted_s: float
    fault: str = ""
    status: int | None = None
    waited_s: float = 0.0
    usage: Usage | None = None
    cost: Cost | None = None


# --- events that a backend yields -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loading:
    """Work that happens once, before the first answer: `what` is shown while it lasts.

    `expected_s` is how long it took last time on this machine, if known.
    """

    what: str
    expected_s: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened on the way and that the user should see (for example a retry)."""

    text: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A failed attempt is over and a new one begins now: the clock restarts, the time lost becomes `retry_s`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing happens until monotonic time `until` (None: not known), and `what` is waited for.

    With `for_a_slot`, the wait is for others to finish: it ends with the next `AttemptStarted` and is `queued_s`.
    """

    what: str
    until: float | None = None
    for_a_slot: bool = False


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A request is sent now."""


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The request that was sent last is over. `fault` in short (empty: none), `usage` as reported, if it was.

    `sent` is False if it never reached the server.
    """

    fault: str = ""
    status: int | None = None
    usage: Usage | None = None
    sent: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """A look inside: `name` is one of `prompt`, `request`, `reasoning`, `adapter`, `weights`, `search`; `value` is
    plain text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answer was given earlier: when, which file tells of it, and its times and cost of then.

    `at` is None where the file does not say; so is every time that it does not hold.
    """

    at: datetime | None
    source: str
    timings: Timings = field(default_factory=Timings)
    cost: Cost = field(default_factory=lambda: Cost(None, "its cost was not recorded"))


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages that were found, best first; `beside` are sentences with figures that the writer does not read, and
    that may disagree."""

    passages: tuple[Passage, ...]
    beside: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class BelowThreshold:
    """Nothing that was found reaches `threshold`; `best` is the score of the best sentence, None if there is none.

    `nearest` are the best sentences, each with its score, best first. `refused`: the question is not answered from
    them; else it was wanted that they are answered from all the same. `wordless`: whatever was found, the question
    holds no word to look for.
    """

    best: float | None
    threshold: float
    nearest: tuple[tuple[Passage, float], ...] = ()
    refused: bool = True
    wordless: bool = False

    @property
    def sentence(self) -> str:
        """Both figures in a sentence, with as many digits as tell them apart."""
        if self.wordless:
            return "The question holds no word to look for."
        if self.best is None:
            return "Nothing was found that could answer."
        shown = (f"{self.best:.{digits}f}" for digits in (2, 3, 4))
        best = next((one for one in shown if float(one) < self.threshold), "just less")
        return f"Nothing answers well enough ({best}, the threshold is {self.threshold:g})."

    @property
    def next_step(self) -> str:
        """What whoever was refused can do about it."""
        if self.wordless:
            return 'Ask with words of what you want to know, or choose "Answer anyway" (rag.answer_anyway).'
        if self.best is None:
            return "Ask in other words, or add documents."
        return 'Choose "Answer anyway" (rag.answer_anyway), or lower "Threshold" (rag.min_score).'


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. `text` may be empty for a token that shows nothing (end of text, half a character).

    `at` is the monotonic time at which the engine had the token; None means: when it arrives. What was not `streamed`
    came whole, so when its first character was there is not known.
    """

    text: str
    at: float | None = None
    streamed: bool = True


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model reasons: not part of the answer. `at` is the monotonic time at which the engine had it."""

    at: float


@dataclass(frozen=True, slots=True)
class Reclassified:
    """All text so far was reasoning (`to_reasoning`), or all reasoning was the answer, whose text follows again.

    Some servers and templates leave out the mark that begins reasoning, so that only its end shows what it was.
    """

    to_reasoning: bool


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """All text so far is not the answer, for the reason `why` (a sentence): another text follows in its place."""

    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer. `finish_reason` is `stop`, `length`, or what the server said; None if it said nothing.

    `at` is the monotonic time at which the engine had it; None means: when it arrives. `refusal`: the text is that of a
    refusal.
    """

    usage: Usage
    finish_reason: str | None
    at: float | None = field(default=None, compare=False)
    refusal: bool = False


BackendEvent = (
    Loading
    | Note
    | Retry
    | Waiting
    | AttemptStarted
    | AttemptEnded
    | Trace
    | Recorded
    | Retrieved
    | BelowThreshold
    | TextDelta
    | Reasoning
    | Reclassified
    | Withdrawn
    | Finished
)


# --- events that the framework adds ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting for the machine; `behind` names the work that goes first now. Comes again whenever that changed."""

    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """Loading is over and the clock of this answer runs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written first and withdrawn for the reason `why`. `latency_s` runs from the start of work to its end;
    what the answer took beyond that are the check and the text in its place."""

    text: str
    why: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished column: exactly one per approach and question, failed or not.

    `sources` is what it was written from; `beside`, what else was found (`Retrieved`).
    `usage` and `cost` are those of everything that was written, a `draft` included. With `recorded`, it was given
    earlier: its times and its cost are those of then, and compare with nothing that was measured now. With
    `below_threshold`, nothing was similar enough: it was refused for that (its status says so), or given all the same.
    """

    approach: str
    model: str
    text: str
    status: Status
    finish_reason: str | None = None
    error: str | None = None
    timings: Timings = field(default_factory=Timings)
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=lambda: Cost(None, "nothing was measured"))
    sources: tuple[Passage, ...] = ()
    beside: tuple[Passage, ...] = ()
    notes: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    stand_in: bool = False
    stopped_by: CapReached | None = field(default=None, compare=False)
    draft: Draft | None = None
    recorded: Recorded | None = None
    below_threshold: BelowThreshold | None = None


Event = BackendEvent | Queued | Started | Answer


class Backend(ABC):
    """One approach. Implement `stream`; everything else has a sensible default.

    A backend says what it does and never measures time: `backends.run.timing` does.
    """

    approach: str
    """The approach id: raw, fine_tuned, paid_api, rag, or one of your own."""

    lane: str | None = None
    """Where this backend has to wait for its turn (`backends.run.lane.THIS_MACHINE`); None if it computes elsewhere."""

    lane_until_retrieved: bool = False
    """True if it computes elsewhere once it has yielded `Retrieved`: then the next one may have its turn."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds on which its answers are measured; a script has a clock of its own."""

    stand_in: bool = False
    """True if a stand-in answers in place of the real thing; shown wherever the answer appears."""

    may_be_charged: bool = False
    """True if somebody else may charge for an answer: what was spent today is shown wherever it is asked."""

    at_once: int = 1
    """How many questions it may be asked at once, where it computes elsewhere; each through a backend of its own."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Which weights, adapter, documents or server answer, by name, as far as that is known once it is loaded.

        Measurements that are interrupted go on only with the same.
        """
        return {}

    @property
    def reader(self) -> str:
        """The name of the adapter that was taught to read passages, if one answers; else ""."""
        return ""

    @property
    def parameters(self) -> int | None:
        """How many parameters the model has that answers, once it is loaded; None if that is not known."""
        return None

    @property
    @abstractmethod
    def model(self) -> str:
        """What answers, in words: model id, quantisation, adapter."""

    def fits(self, question: Question) -> bool | None:
        """Whether prompt and longest answer fit the model's context window; None if that is not known."""
        return None

    def prompt_tokens(self, question: Question) -> PromptTokens | None:
        """How long the prompt will be; None if this approach knows nothing better than its characters.

        Must be cheap and load no weights. Raises `BackendError` for what makes the prompt's length unknown.
        """
        return None

    def chat_request(self, question: Question) -> Mapping[str, Any] | None:
        """The JSON body of the chat completion that asks `question`, not streamed; None if it is not asked so.

        It is what a batch of requests holds, so nothing is sent and no key is needed. Raises `BackendError` if it is
        not known whom to ask.
        """
        return None

    def reserved_usd(self, question: Question) -> Decimal | None:
        """What a cap has to cover before `question` is asked, in USD: its worst case. None if that is not known.

        Raises `BackendError` for what makes the prompt's length unknown.
        """
        return None

    def check_answerable(self) -> None:
        """Raise `BackendError` for what keeps it from answering, as far as that is known with nothing loaded."""
        return None

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Get ready (weights, clients, index). Runs before the clock starts; must be cheap when already done."""
        yield from ()

    @abstractmethod
    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        """Answer: any number of events, then one `Finished`. Checks `cancel` at least once per token.

        Raises `BackendError` for a fault that the user can act on.
        """

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """What this answer cost, from what was measured."""
        return Cost(None, "this approach has no price")
