"""Errors in every shape that servers send them in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.remote.error_bodies import error_body, page_title, reported_error, words_of

SHAPES = [
    ({"error": {"message": "Bad", "type": "x", "param": "seed", "code": "y"}}, "Bad"),
    ([{"error": {"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}}], "Bad"),
    ({"error": "Bad"}, "Bad"),
    ({"error": "Bad", "error_type": "validation"}, "Bad"),
    ({"error": {"error": {"message": "Bad"}}}, "Bad"),
    ({"object": "error", "message": "Bad", "type": "NotFoundError", "param": None, "code": 404}, "Bad"),
    ({"detail": "Bad"}, "Bad"),
    ({"detail": [{"loc": ["body", "seed"], "msg": "Bad", "type": "extra_forbidden"}]}, "body.seed: Bad"),
    ({"detail": [{"msg": "One"}, {"msg": "Two"}]}, "One; Two"),
    ({"message": "Bad"}, "Bad"),
    ({"msg": "Bad", "code": 500}, "Bad"),
    ({"errors": [{"message": "Bad", "code": 7003}], "success": False, "result": None}, "Bad"),
    ({"errors": ["One", "Two"]}, "One; Two"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "Bad"}}, "Bad"),
    ({"base_resp": {"status_code": 1004, "status_msg": "Bad"}}, "Bad"),
    ({"error": {"type": "rate_limit", "code": 429}}, "rate_limit 429"),
    ({"error": "invalid", "error_description": "Bad"}, "Bad"),
    ({"strange": {"x": 1}}, '{"strange": {"x": 1}}'),
    ("Bad\n", "Bad"),
    ("<html><head><title>502 Bad\nGateway</title></head></html>", "502 Bad Gateway"),
    ("<html>no title</html>", ""),
    ({}, ""),
    (None, ""),
]


@pytest.mark.parametrize(("body", "words"), SHAPES, ids=range(len(SHAPES)))
def test_the_words_of_an_error(body: object, words: str) -> None:
    assert words_of(body) == words


def test_what_an_error_names() -> None:
    found = error_body([{"error": {"message": "Bad", "param": "seed", "code": "unsupported"}}])
    assert (found.words, found.code, found.param) == ("Bad", "unsupported", "seed")
    assert error_body({"code": 400, "message": "Bad"}).code == "400"


ERRORS = [body for body, _ in SHAPES if isinstance(body, (dict, list)) and body and body != {"strange": {"x": 1}}]
ERRORS += [{"choices": [{"delta": {}, "error": {"code": 502, "message": "Bad"}}]}]
ERRORS += [{"choices": [{"delta": {"content": "x"}}], "error": {"message": "Bad"}}, {"error": True}]


@pytest.mark.parametrize("body", ERRORS, ids=range(len(ERRORS)))
def test_errors_with_status_200_are_recognised(body: object) -> None:
    assert reported_error(body) is not None


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"delta": {"content": "x"}}]},
        {"choices": [], "usage": {}},
        {"choices": [{"delta": {}, "error": None}], "error": None},
        {"choices": [{"message": {"content": "error"}}], "error": {}},
        {"type": "ping"},
        {"model": "m", "message": {"role": "assistant", "content": "x"}, "done": False},
        {"object": "chat.completion.chunk"},
        {"base_resp": {"status_code": 0, "status_msg": "success"}, "choices": []},
        {},
        [],
        [1],
        7,
        "words",
        None,
    ],
)
def test_what_is_no_error(body: object) -> None:
    assert reported_error(body) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "errors", "detail", "message", "loc", "choices", "code"]), inner)
    ),
    max_leaves=30,
)


@given(anything)
def test_nothing_breaks_the_reading(body: object) -> None:
    found = error_body(body)
    found.words.encode()
    reported_error(body)


def test_a_page_that_never_ends_takes_no_time() -> None:
    assert page_title("<title" * 100_000) == ""
    assert page_title("<title>" * 100_000) == ""
    assert words_of({"error": [[[[[[[["deep"]]]]]]]]})


def test_an_event_with_another_status() -> None:
    assert words_of('data: {"error": {"message": "Too many"}}\n\n') == "Too many"
    assert words_of("data: too many\n") == "too many"
