"""The app as `crossroads demo` starts it: where keys go, and who can see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Page, expect
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.backends.openai_server import PATH, event, text_chunk
from tests.e2e.drawn import drawn

MARK = "zq7Wx-canary"
CONFIGURED, TYPED = f"{MARK}-of-the-environment", f"{MARK}-of-the-command"
OF_SESSION = f"{MARK}-of-the-session"


def echo(request: Request) -> Response:
    """A server that tells which key it was sent."""
    key = request.headers["Authorization"].removeprefix("Bearer ")
    body = event(text_chunk(f"I was sent {key.upper()}.")) + event({"choices": [{"finish_reason": key, "delta": {}}]})
    return Response(body, content_type="text/event-stream")


def test_overrides_stay_overrides_and_nobody_sees_a_key(
    page: Page, start_app: Callable[..., str], httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(echo)
    url = httpserver.url_for("/v1")
    given = {"paid_api.base_url": url, "connections.own.base_url": url, "connections.own.model": "m"}
    given |= {"connections.own.api_key": TYPED}
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    address = start_app(
        arguments=[part for name, value in given.items() for part in ("--set", f"{name}={value}")],
        CROSSROADS_PAID_API__BASE_URL="https://a.example/v1",
        CROSSROADS_PAID_API__API_KEY=CONFIGURED,
    )
    children = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    servers = [child for child in children if "streamlit" in child.cmdline() and "crossroads" not in child.cmdline()]
    assert servers
    assert not [child for child in servers if MARK in " ".join(child.cmdline())]
    box = page.get_by_role("textbox", name="Your question")

    def asked_with(key: str) -> None:
        """A new question is sent with `key`; the text that stood there before says nothing of it."""
        drawn(page)  # a box that is drawn anew loses what is typed meanwhile
        count = len(httpserver.log)
        box.fill(f"Which key after {count} questions?")
        box.press("Control+Enter")
        for _ in range(120):
            if len(httpserver.log) > count:
                break
            page.wait_for_timeout(500)
        assert [request.headers["Authorization"] for request, _ in httpserver.log[count:]] == [f"Bearer {key}"]
        expect(page.get_by_text(f"after {count} questions").first).to_be_visible()
        expect(page.get_by_text("I was sent").first).to_be_visible()
        drawn(page)

    page.goto(address + "/paid_api")
    expect(box).to_be_enabled()
    asked_with("no-key")
    assert MARK.lower() not in page.content().lower()
    page.goto(address + "/paid_api")
    page.get_by_test_id("stMain").get_by_text("own", exact=True).first.click()
    box = page.locator(".st-key-question-paid_api-own").get_by_role("textbox")  # the one before is drawn still
    expect(box).to_be_enabled()
    asked_with(TYPED)
    assert MARK.lower() not in page.content().lower()
    field = page.get_by_role("textbox", name="API key")
    field.fill(OF_SESSION)
    field.press("Enter")
    expect(field).to_have_attribute("placeholder", "kept for this browser session")
    asked_with(OF_SESSION)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    assert MARK.lower() not in page.locator("body").inner_text().lower()
    field.fill("")
    field.press("Enter")
    expect(field).not_to_have_attribute("placeholder", "kept for this browser session")
    asked_with(TYPED)  # as it was before
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "evaluations.sqlite" for path in stored)
    assert not [path for path in stored if MARK.lower().encode() in path.read_bytes().lower()]
