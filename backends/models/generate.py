"""Text from a model in this process, token by token, with the time at which each token was made."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from backends.base import BackendEvent, Finished, Note, Question, TextDelta, Trace, Usage
from backends.errors import BackendError
from backends.inline_reasoning import ALL_MARKS, ReasoningReader, opening_mark_of
from backends.models import inference, together
from backends.models.local import GREEDY, LocalModel, first_line
from backends.text import turn_marks, with_system_prompt, without_tokens


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the model gets it: the text after the chat template and its token ids, shape (1, tokens)."""

    text: str
    ids: Any
    templated: bool
    note: str = ""
    """What was done because the model's format has no place for a system prompt, or no format at all."""

    @property
    def tokens(self) -> int:
        """Number of prompt tokens."""
        return int(self.ids.shape[1])


def build_prompt(base: LocalModel, question: Question) -> Prompt:
    """The question in the model's own chat format, or plain where the model has none.

    Raises `BackendError` if prompt and answer do not fit the context window.
    """
    prompt = _prompt(base, question)
    if not _within(base, prompt, question):
        raise BackendError(
            f"The prompt has {prompt.tokens:,} tokens and the answer may take {question.max_tokens:,}, "
            f"but {base.weights.model_id} has a context of {base.context_tokens:,}.",
            'Shorten the question or lower "Answer length" (max_tokens).',
        )
    return prompt


def fits(base: LocalModel, question: Question) -> bool | None:
    """Whether prompt and longest answer fit the context window, by exact count; None if the model states no window."""
    return _within(base, _prompt(base, question), question) if base.context_tokens else None


def prompt_tokens(base: LocalModel, question: Question) -> int:
    """How many tokens the prompt has, by exact count."""
    return _prompt(base, question).tokens


def _within(base: LocalModel, prompt: Prompt, question: Question) -> bool:
    return not base.context_tokens or prompt.tokens + question.max_tokens <= base.context_tokens


def _prompt(base: LocalModel, question: Question) -> Prompt:
    tokenizer = base.tokenizer
    asked, system = (_without_control_tokens(tokenizer, part) for part in (question.text, question.system_prompt))
    if tokenizer.chat_template:
        text, note = _templated(base, asked, system)
    else:
        text = "\n\n".join(part for part in (system, asked) if part) + "\n"
        note = "This model has no chat template, so the question was sent as plain text."
    templated = bool(tokenizer.chat_template)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=not templated, verbose=False).input_ids
    return Prompt(text, ids, templated, note)


IN_QUESTION = (
    "The chat template of this model has no place for a system prompt, so that stands in front of the question."
)
_PROBES = ("Crossroadsquestion", "Crossroadssystem")
"""Words that no template changes, as far as is known."""


def _templated(base: LocalModel, asked: str, system: str) -> tuple[str, str]:
    """The prompt in the model's chat format, and a note where the system prompt had to go into the question.

    Gemma 2 and Mistral 7B refuse a message in the role `system`, others leave it out without a word, and some read a
    question only as a list of parts: what is rendered of two words shows it. Raises `BackendError` where the template
    cannot be filled with a mere question either.
    """
    fault: Exception = ValueError("it leaves the question out")
    for as_parts in (False, True):
        for with_system in (True, False) if system else (False,):
            try:
                question, prompt = _PROBES[0], _PROBES[1] if with_system else ""
                probed = _rendered(base, question, prompt, as_parts)
                if question in probed and prompt in probed:
                    if with_system or not system:
                        return _rendered(base, asked, system, as_parts), ""
                    return _rendered(base, with_system_prompt(system, asked), "", as_parts), IN_QUESTION
            except Exception as error:  # templates are code of somebody else, which raises all that Python may
                fault = fault if as_parts else error
    raise BackendError(
        f"The chat template of {base.weights.label} cannot be filled with a question ({first_line(fault)}).",
        "Correct the model's chat_template.jinja, or chat_template in its tokenizer_config.json, or choose another.",
    ) from fault


def _rendered(base: LocalModel, asked: str, system: str, as_parts: bool) -> str:
    texts = {"system": system, "user": asked} if system else {"user": asked}
    messages = [
        {"role": role, "content": [{"type": "text", "text": text}] if as_parts else text}
        for role, text in texts.items()
    ]
    return str(base.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _without_control_tokens(tokenizer: Any, text: str) -> str:
    """`text` whose words cannot be read as the chat format's control tokens."""
    control = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    control |= turn_marks(str(tokenizer.chat_template or ""))  # some formats mark turns with plain text
    return without_tokens(text, control | set(tokenizer.all_special_tokens))


def generate(base: LocalModel, model: Any, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
    """Stream an answer of `model` (the base itself or an adapter view of it).

    One `TextDelta` per generated token that is no reasoning, the end-of-text token included, then `Finished`. On a
    thread that is a member of a batch (`models.together`), a greedy answer is generated with those of the others.
    """
    prompt = build_prompt(base, question)
    yield Trace("prompt", prompt.text)
    if prompt.note:
        yield Note(prompt.note)
    tokens: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
    stop = threading.Event()
    batch = together.current()
    if batch is not None and not question.temperature:
        row = together.Row(prompt.ids, question.max_tokens, (cancel, stop), tokens)
        batch.submit(base, model, row)
        job = row.done
    else:
        job = inference.submit(_run, base, model, prompt, question, (cancel, stop), tokens)
    decode, reader = token_decoder(base.tokenizer), ReasoningReader(opening_mark_of(prompt.text))
    count, last = 0, None
    try:
        while (token := tokens.get()) is not None:
            count, last = count + 1, token[0]
            events = list(reader.say(decode(token[0]), token[1]))
            yield from events or (TextDelta("", token[1]),)
        job.result()
    finally:
        stop.set()
    reason = "stop" if last in together.end_tokens(model) else "cancelled" if cancel.is_set() else "length"
    yield from reader.end(reason)
    if reader.reasoning:
        yield Trace("reasoning", reader.reasoning)
    yield Finished(Usage(prompt.tokens, count, source="tokenizer"), reason)


def _run(
    base: LocalModel,
    model: Any,
    prompt: Prompt,
    question: Question,
    stops: tuple[threading.Event, ...],
    tokens: queue.SimpleQueue[tuple[int, float] | None],
) -> None:
    """On the inference thread. The final None is sent whatever happens, so the reader never hangs."""
    import torch

    try:
        torch.manual_seed(question.seed)
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": question.temperature, "top_p": 1.0, "top_k": 0}
            if question.temperature > 0
            else GREEDY
        )
        model.generate(
            input_ids=prompt.ids.to(base.device),
            attention_mask=torch.ones_like(prompt.ids, device=base.device),
            max_new_tokens=question.max_tokens,
            streamer=_streamer(tokens),
            stopping_criteria=[_stop_when(stops)],
            **sampling,
        )
    finally:
        tokens.put(None)


def _streamer(tokens: queue.SimpleQueue[tuple[int, float] | None]) -> Any:
    from transformers.generation.streamers import BaseStreamer

    class Stamped(BaseStreamer):
        """Stamps every token as it is made; the first call carries the prompt."""

        prompt_seen = False

        def put(self, value: Any) -> None:
            now = time.monotonic()
            if self.prompt_seen:
                for token in value.flatten().tolist():
                    tokens.put((token, now))
            self.prompt_seen = True

        def end(self) -> None:
            pass

    return Stamped()


def _stop_when(stops: tuple[threading.Event, ...]) -> Callable[..., Any]:
    import torch

    def stopped(input_ids: Any, scores: Any, **_: Any) -> Any:
        wanted = any(stop.is_set() for stop in stops)
        return torch.full((input_ids.shape[0],), wanted, device=input_ids.device, dtype=torch.bool)

    return stopped


def token_decoder(tokenizer: Any) -> Callable[[int], str]:
    """Token id -> the text that has become final with it ("" while a character is incomplete).

    Special tokens are left out, but for those that mark reasoning.
    """
    from tokenizers.decoders import DecodeStream

    stream = DecodeStream(skip_special_tokens=True)
    marks = {
        number: token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special and token.content in ALL_MARKS
    }
    return lambda token: marks.get(token) or stream.step(tokenizer.backend_tokenizer, token) or ""
