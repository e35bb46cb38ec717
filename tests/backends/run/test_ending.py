"""How an answer ended, by the finish reasons of many makers."""

from __future__ import annotations

import pytest

from backends.run.ending import ending


@pytest.mark.parametrize(
    ("reason", "with_text", "without"),
    [
        ("stop", "ok", "empty"),
        ("STOP", "ok", "empty"),
        ("end_turn", "ok", "empty"),
        ("eos_token", "ok", "empty"),
        ("COMPLETE", "ok", "empty"),
        ("<|im_end|>", "ok", "empty"),
        ("</s>", "ok", "empty"),
        ("length", "truncated", "truncated"),
        ("MAX_TOKENS", "truncated", "truncated"),
        ("FINISH_REASON_MAX_TOKENS", "truncated", "truncated"),
        ("model_length", "truncated", "truncated"),
        ("max_output_tokens", "truncated", "truncated"),
        ("model_context_window_exceeded", "truncated", "truncated"),
        ("content_filter", "truncated", "refused"),
        ("SAFETY", "truncated", "refused"),
        ("sensitive", "truncated", "refused"),
        ("guardrail_intervened", "truncated", "refused"),
        ("refusal", "refused", "refused"),
        ("error", "truncated", "error"),
        ("network_error", "truncated", "error"),
        ("insufficient_system_resource", "truncated", "error"),
        ("abort", "truncated", "error"),
        ("cancelled", "truncated", "error"),
        ("unknown", "truncated", "error"),
        ("tool_calls", "truncated", "empty"),
        ("function_call", "truncated", "empty"),
        ("never heard of", "truncated", "empty"),
        (None, "truncated", "truncated"),
    ],
)
def test_status_and_sentence(reason: str | None, with_text: str, without: str) -> None:
    for said, expected in ((True, with_text), (False, without)):
        status, sentence = ending(reason, said)
        assert status == expected
        assert (sentence is None) is (status == "ok")
        if sentence:
            assert sentence.endswith(".")


def test_a_refusal_goes_before_its_reason() -> None:
    assert ending("stop", True, refusal=True)[0] == "refused"


def test_an_unknown_reason_is_shown_cut_short() -> None:
    _, sentence = ending("strange\x1b[31m" + "x" * 500, True)
    assert sentence
    assert "the finish reason strange[31mx" in sentence
    assert len(sentence) < 200
