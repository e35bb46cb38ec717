"""The bytes of a stream, however they are framed and wherever they are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.remote.events import EventReader, Malformed, Received


def read(packets: list[bytes]) -> tuple[list[Received], bool]:
    """All that is received, and whether the server said that it was done."""
    reader = EventReader()
    found = [one for packet in packets for one in reader.feed(packet)]
    return [*found, *reader.finish()], reader.done


def documents(body: bytes) -> list[object]:
    found, _ = read([body])
    assert all(one.kind == "document" for one in found)
    return [one.value for one in found]


A, B = {"a": 1}, {"b": "é😀\u2028\x85"}
JA, JB = json.dumps(A).encode(), json.dumps(B, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + JA + b"\n\ndata: " + JB + b"\n\ndata: [DONE]\n\n",
        b"data:" + JA + b"\r\n\r\ndata:" + JB + b"\r\n\r\ndata:[DONE]\r\n\r\n",
        b"data: " + JA + b"\r\rdata: " + JB + b"\r\r",
        b"\xef\xbb\xbfdata: " + JA + b"\n\n: a comment\n\ndata: " + JB + b"\n\n",
        b"\xef\xbb\xbf: ping\n\nid: 1\nevent: x\ndata: " + JA + b"\n\nretry: 100\n\nid: 2\n\ndata: " + JB,
        b"data: " + JA + b"\n\ndata: " + JB,
        b"data: " + JA + b"\n\ndata: " + JB + b"\n",
        b"data: " + JA + JB + b"\n\n",
        b"data: " + JA + b" " + JB + b"\n\n",
        b"data: " + JA + b" data: " + JB + b"\n\n",
        b"data: " + JA + b"\ndata: " + JB + b"\ndata: [DONE]\n",
        JA + b"\n" + JB + b"\n",
        b'data: {\ndata: "a": 1}\n\ndata: ' + JB + b"\n\ndata:\n\ndata: \n\n",
        b"data: " + JA + b"\n\ndata: " + JB + b"\n\ndata: [DONE]\n\ndata: no more\n\n",
    ],
)
def test_two_documents_however_they_are_framed(body: bytes) -> None:
    expected = [A, B]
    assert documents(body) == expected
    whole = read([body])
    assert read([bytes([byte]) for byte in body]) == whole
    for at in range(1, len(body)):
        assert read([body[:at], body[at:]]) == whole


def test_one_document_in_place_of_a_stream() -> None:
    value = {"choices": [{"index": 0}], "more": [{"x": 1}, {"y": 2}]}
    for body in (json.dumps(value), json.dumps(value, indent=2), json.dumps(value, indent=0), json.dumps([value])):
        (found,), done = read([body.encode()])
        assert found == Received("document", [value] if body.startswith("[") else value, framed=False)
        assert not done


def test_errors_that_are_marked() -> None:
    assert read([b'error: {"code": 500}\n\n'])[0] == [Received("error", {"code": 500})]
    assert read([b"event: error\ndata: out of memory\n\n"])[0] == [Received("error", "out of memory")]
    assert read([b'event: error\ndata: {"detail": "x"}\n\ndata: {}\n\n'])[0] == [
        Received("error", {"detail": "x"}),
        Received("document", {}),
    ]


def test_what_is_no_json() -> None:
    assert read([b"Internal Server Error\n"])[0] == [Received("text", "Internal Server Error", framed=False)]
    with pytest.raises(Malformed) as raised:
        read([b"data: oops\n\n"])
    assert raised.value.said == "oops"


@given(st.binary(max_size=200), st.data())
def test_no_bytes_raise_anything_else(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    outcomes: list[Any] = []
    for packets in ([body], [body[:at], body[at:]]):
        try:
            outcomes.append(read(packets))
        except (Malformed, UnicodeDecodeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


LINES = [
    "data: {}",
    'data: {"a": "b"}',
    "data: [1",
    "data: 2]",
    "",
    "",
    ": x",
    "event: error",
    "error: no",
    "{}",
    "x: y",
]


@given(st.lists(st.sampled_from(LINES), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_any_cut_gives_the_same(lines: list[str], end: str, data: st.DataObject) -> None:
    body = end.join(lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    packets = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    outcomes: list[Any] = []
    for given_ in ([body], packets):
        try:
            outcomes.append(read(given_))
        except Malformed as error:
            outcomes.append(error.said)
    assert outcomes[0] == outcomes[1]


def test_deep_nesting_is_malformed() -> None:
    with pytest.raises(Malformed):
        read([b"data: " + b"[" * 100_000 + b"\n\n"])


@pytest.mark.parametrize("sign", [": OPENROUTER PROCESSING", ":", "ping", "keep-alive", "Heartbeat", ": a\ndata: ping"])
def test_signs_of_life_that_are_sent_as_data_say_nothing(sign: str) -> None:
    body = f"data: {sign}\n\ndata: {{}}\n\n".encode()
    assert list(EventReader().feed(body)) == [Received("document", {})]


@pytest.mark.parametrize("words", ["oops", "ping failed", "ping\ndata: oops"])
def test_other_words_are_malformed(words: str) -> None:
    with pytest.raises(Malformed):
        list(EventReader().feed(f"data: {words}\n\n".encode()))


def test_a_prefix_that_is_sent_twice() -> None:
    reader = EventReader()
    assert list(reader.feed(b'data: data: {"a": 1}\n\n')) == [Received("document", {"a": 1})]
    assert list(reader.feed(b"data: data: [done]\n\n")) == []
    assert reader.done
