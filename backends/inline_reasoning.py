"""Reasoning that a model writes into its answer, between `<think>` and `</think>`, told from the answer as it streams.

A block of reasoning stands before the answer: only blanks may come before its opening mark. Where the opening mark is
part of the chat template, the answer begins inside the block, and often only the closing mark shows it. A mark in the
middle of an answer, in code or in a sentence about marks, is text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backends.base import BackendEvent, Note, Reasoning, Reclassified, TextDelta

# DeepSeek R1, Qwen, GLM and most others; Claude's and Gemini's habits; ByteDance's Seed; Kimi; Mistral's Magistral;
# OpenThinker; gpt-oss (the Harmony format), Gemma 4 and Command A, whose servers may pass their channels on as text.
# From the models' chat templates and vLLM's reasoning parsers
# (https://docs.vllm.ai/en/latest/features/reasoning_outputs.html).
MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "◁think▷": "◁/think▷",
    "[THINK]": "[/THINK]",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel|>analysis<|message|>": "<|start|>assistant<|channel|>final<|message|>",
    "<|channel>thought": "<channel|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
"""Each opening mark and what closes it, letter by letter."""

ALL_MARKS = frozenset((*MARKS, *MARKS.values()))

_CLOSING = tuple(MARKS.values())
_LONGEST = max(map(len, (*MARKS, *_CLOSING)))
_QUOTES = "`'\"“‘«(*"
_MOST_BLANKS = 200
"""Blanks that are held back until it is clear what they stand before."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a piece of the stream came to. `retracts`: all text so far was reasoning, after all."""

    text: str = ""
    reasoning: str = ""
    retracts: bool = False


class ReasoningSplitter:
    """Splits a text that comes in pieces, wherever the cuts are. `opened`: the mark that the template has opened."""

    def __init__(self, opened: str = "") -> None:
        self._closing = MARKS.get(opened, "")
        self._held = ""
        self._answers = False  # text that is not blank has been passed on
        self._blank = False  # text that is blank has been passed on
        self._after_block = False
        self._settled = False  # no mark can mean anything any more
        self._seen = _Seen()

    @property
    def inside(self) -> bool:
        """Whether a block of reasoning is open."""
        return bool(self._closing)

    def feed(self, piece: str) -> Pieces:
        """What may be passed on now that `piece` has come."""
        return Pieces(piece) if self._settled else self._read(self._held + piece, ended=False)

    def finish(self) -> Pieces:
        """The rest: nothing more comes."""
        return self._read(self._held, ended=True)

    def _read(self, text: str, ended: bool) -> Pieces:
        said, thought, retracts, more = "", "", False, True
        while more:
            if self._closing:
                before, text, more = self._to_closing(text, ended)
                thought += before
            elif not self._answers:
                before, text, more = self._to_opening(text, ended)
                said += before
                self._blank = self._blank or bool(before)
                if self._closing and self._blank:  # what was only blank does not begin the answer
                    said, retracts, self._blank = "", True, False
            else:
                before, text, more = self._to_unopened(text, ended)
                said += before
                if more:
                    said, thought, retracts = "", thought + said, True
        self._held = text
        return Pieces(said, thought, retracts)

    def _to_closing(self, text: str, ended: bool) -> tuple[str, str, bool]:
        """Reasoning up to the mark that closes it, what is left, and whether the mark is there."""
        at = text.find(self._closing)
        if at >= 0:
            rest = text[at + len(self._closing) :]
            self._closing, self._after_block, self._seen = "", True, _Seen(False)
            return text[:at], rest, True
        held = 0 if ended else _begun(text, (self._closing,))
        return text[: len(text) - held], text[len(text) - held :], False

    def _to_opening(self, text: str, ended: bool) -> tuple[str, str, bool]:
        """What may be passed on before the answer begins, what is left, and whether there is more to read in it.

        Blanks are passed on, but none after reasoning.
        """
        start = text.lstrip()
        blanks = "" if self._after_block else text[: len(text) - len(start)]
        for mark, closing in MARKS.items():
            if start.startswith(mark):
                self._closing = closing
                return blanks, start[len(mark) :], True
        if not ended and any(mark.startswith(start) for mark in MARKS):
            return blanks, start, False
        self._answers = bool(start)
        return blanks, start, self._answers

    def _to_unopened(self, text: str, ended: bool) -> tuple[str, str, bool]:
        """Text up to a closing mark that no opening one came before, what is left, and whether all text so far was
        reasoning that the mark ends."""
        at, mark = min(((at, mark) for mark in _CLOSING if (at := text.find(mark)) >= 0), default=(-1, ""))
        if at < 0:
            held = 0 if ended else _begun(text, (*_CLOSING, *MARKS))
            clear, left = text[: len(text) - held], text[len(text) - held :]
            self._seen.note(clear)
            if self._seen.may_be_reasoning:
                return clear, left, False
            self._settled = True
            return text, "", False
        self._seen.note(text[:at])
        rest = text[at + len(mark) :]
        if not ended and not rest.strip() and len(rest) <= _MOST_BLANKS and self._seen.may_be_reasoning:
            return text[:at], text[at:], False
        if rest.strip() and self._seen.may_be_reasoning and self._seen.closes(rest):
            self._answers, self._after_block, self._seen = False, True, _Seen(False)
            return text[:at], rest, True
        self._settled = True
        return text, "", False


class _Seen:
    """What of the text so far decides whether a closing mark closes anything."""

    def __init__(self, may_be_reasoning: bool = True) -> None:
        self.may_be_reasoning = may_be_reasoning
        self._tail = ""
        self._begin = ""  # of the line, blanks left out
        self._last = ""
        self._ticks = 0
        self._fences = 0

    def note(self, text: str) -> None:
        """More text that was passed on."""
        joined = self._tail + text
        if any(mark in joined for mark in MARKS):  # marks are spoken about
            self.may_be_reasoning = False
        self._tail = joined[-_LONGEST:]
        for number, line in enumerate(text.split("\n")):
            if number:
                self._fences += self._begin.startswith(("```", "~~~"))
                self._begin, self._last, self._ticks = "", "", 0
            self._begin = (self._begin + line).lstrip()[:3] if len(self._begin) < 3 else self._begin
            self._last = line[-1:] or self._last
            self._ticks += line.count("`")

    def closes(self, rest: str) -> bool:
        """Whether a closing mark here, with `rest` after it, ends reasoning and is no word of a sentence or of code."""
        if self._fences % 2 or self._ticks % 2:
            return False
        alone = rest[:1] in "\r\n" or not self._begin
        return alone or not (self._last.isspace() or self._last in _QUOTES)


def _begun(text: str, marks: tuple[str, ...]) -> int:
    """How many characters at the end of `text` may be the beginning of a mark."""
    for length in range(min(len(text), _LONGEST - 1), 0, -1):
        end = text[-length:]
        if any(mark.startswith(end) for mark in marks):
            return length
    return 0


def opening_mark_of(prompt: str) -> str:
    """The opening mark with which a prompt ends, blanks apart; empty if it ends with none."""
    end = prompt.rstrip()
    return next((mark for mark in MARKS if end.endswith(mark)), "")


class ReasoningReader:
    """Turns the text of one answer into events, with the reasoning in it apart."""

    def __init__(self, opened: str = "") -> None:
        self._opened = opened
        self._splitter = ReasoningSplitter(opened)
        self._thoughts: list[tuple[str, float]] = []
        self._said: list[str] = []
        self._last = 0.0, True

    @property
    def reasoning(self) -> str:
        """All reasoning so far."""
        return "".join(text for text, _ in self._thoughts)

    @property
    def text(self) -> str:
        """All text of the answer so far."""
        return "".join(self._said)

    @property
    def closed(self) -> bool:
        """Whether there was reasoning and no block of it is open."""
        return not self._splitter.inside and bool(self.reasoning.strip())

    def think(self, text: str, at: float) -> Iterator[BackendEvent]:
        """Reasoning that came apart from the text, at monotonic time `at`."""
        self._thoughts.append((text, at))
        yield Reasoning(at)

    def say(self, text: str, at: float, streamed: bool = True) -> Iterator[BackendEvent]:
        """A piece of text that came at monotonic time `at`."""
        self._last = at, streamed
        yield from self._events(self._splitter.feed(text), at, streamed)

    def flush(self) -> Iterator[BackendEvent]:
        """What was held back: nothing more comes."""
        yield from self._events(self._splitter.finish(), *self._last)

    def end(self, finish_reason: str | None) -> Iterator[BackendEvent]:
        """The end of a whole answer: what was held back, and a note where reasoning never closed."""
        yield from self.flush()
        if not self._splitter.inside:
            return
        if self._opened and not self.text.strip() and finish_reason == "stop":
            yield Note(
                f"The chat template opens a block of reasoning ({self._opened}) that the model never closed, so all "
                "that it wrote is shown as its answer."
            )
            yield Reclassified(to_reasoning=False)
            pieces, self._thoughts = self._thoughts, []
            for text, then in pieces:
                self._said.append(text)
                yield TextDelta(text, then)
            return
        yield Note("The model began to reason and never ended it, so there is no answer; its reasoning can be read.")

    def _events(self, pieces: Pieces, at: float, streamed: bool) -> Iterator[BackendEvent]:
        if pieces.retracts:
            if self.text.strip():
                self._thoughts.append((self.text, at))
            self._said.clear()
            yield Reclassified(to_reasoning=True)
        if pieces.reasoning:
            yield from self.think(pieces.reasoning, at)
        if pieces.text:
            self._said.append(pieces.text)
            yield TextDelta(pieces.text, at, streamed)
