"""What the port gives away and takes, over real HTTP: by `crossroads demo` and by `streamlit run`, and in Chromium."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import urlsplit

import psutil
import pytest
import websockets
from playwright.sync_api import Page, expect

from evaluation.suggestions import FOUND
from tests.e2e.conftest import ROOT, wait_until_healthy
from ui.server import HEADERS

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000
SCRIPTED = {"CROSSROADS_SCRIPTED": "true"}


@pytest.fixture(scope="module", params=["crossroads demo", "streamlit run"])
def app(request: pytest.FixtureRequest, scripted_app: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "crossroads demo":
        yield scripted_app
        return
    data = tmp_path_factory.mktemp("data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py"), "--server.headless", "true"]
    command += ["--server.port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "CROSSROADS_DATA": str(data), **SCRIPTED}
    with (
        (data / "app.log").open("wb") as log,
        subprocess.Popen(command, cwd=data, env=environment, stdout=log, stderr=log) as served,
    ):
        try:
            wait_until_healthy(port, served)
            yield f"http://127.0.0.1:{port}"
        finally:
            served.terminate()
            served.wait(30)


def got(address: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, {k.lower(): v for k, v in refused.headers.items()}, refused.read().decode()


def test_only_this_machine_can_connect(app: str) -> None:
    port = urlsplit(app).port
    listening = [one.laddr.ip for one in psutil.net_connections("tcp") if one.laddr.port == port and not one.raddr]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("path", ["/", "/costs", "/_stcore/health", "/media/none", "/static/none.js"])
def test_every_response_says_that_nobody_may_frame_it(app: str, path: str) -> None:
    _, headers, _ = got(app + path)
    assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_browser_gets_an_id_of_its_own_that_no_script_reads_and_no_other_site_sends(app: str) -> None:
    sent = [got(app + path, Accept="text/html,*/*")[1]["set-cookie"] for path in ("/", "/costs")]
    ids = {cookie.partition(";")[0] for cookie in sent}
    assert len(ids) == 2
    assert all(cookie.endswith("; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax") for cookie in sent)
    known = ids.pop()
    status, headers, text = got(app + "/rag", Accept="text/html", Cookie=known, **{"If-None-Match": "*"})
    assert (status, headers["set-cookie"].partition(";")[0]) == (200, known)
    assert "BACKEND_BASE_URL" in text.partition("</head>")[0]
    assert int(headers["content-length"]) == len(text.encode())
    forged = "crossroads_browser=short"
    assert forged not in got(app + "/", Accept="text/html", Cookie=forged)[1]["set-cookie"]
    assert "crossroads" not in got(app + "/_stcore/health")[1].get("set-cookie", "")


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics?families=x", "/_stcore/agent/openapi.json"])
def test_what_no_page_needs_is_closed(app: str, path: str) -> None:
    status, headers, text = got(app + path)
    assert (status, text, headers["x-frame-options"]) == (404, "Not found\n", "DENY")


def test_a_name_that_is_made_to_lead_here_is_refused(app: str) -> None:
    port = urlsplit(app).port
    assert got(app, Host=f"localhost:{port}")[0] == 200
    status, _, text = got(app, Host=f"evil.example:{port}")
    assert status == 400
    assert text == "This address is not allowed. If it is yours, add its name to server.allowedHosts.\n"


def opens(app: str, origin: str | None) -> bool:
    async def connect() -> bool:
        address = f"{app.replace('http', 'ws')}/_stcore/stream"
        try:
            async with websockets.connect(address, subprotocols=["streamlit"], origin=origin, proxy=None):  # type: ignore[arg-type,list-item]
                return True
        except websockets.InvalidStatus:
            return False

    with ThreadPoolExecutor(1) as apart:  # a browser test may have left an event loop running in this thread
        return apart.submit(lambda: asyncio.run(connect())).result()


def test_a_page_of_another_origin_opens_no_session_and_uploads_nothing(app: str) -> None:
    assert opens(app, app)
    assert opens(app, None)  # no browser
    for origin in ("http://evil.example", "http://127.0.0.1:9", "http://localhost:3000", "null"):
        assert not opens(app, origin)
    status, _, text = got(f"{app}/_stcore/upload_file/a/b", "PUT", Origin="http://evil.example")
    assert (status, text.split(".")[0]) == (403, "Another page asked for this")


# --- in Chromium -----------------------------------------------------------------------------------

PAGES = (
    *("", "raw", "paid_api", "fine_tuned", "rag", "rag?section=Documents", "rag?section=Search", "rag?section=Map"),
    *("costs", "costs?costs=What+if", "costs?costs=History"),
)


def test_the_pages_need_nothing_that_the_policy_forbids(page: Page, scripted_app: str) -> None:
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES:
        page.goto(f"{scripted_app}/{path}")
        expect(page.get_by_role("button", name="Settings for every approach")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=PATIENCE_MS)
    page.goto(scripted_app)
    page.get_by_text(FOUND.question).first.click()
    expect(page.get_by_test_id("stVegaLiteChart").locator("canvas, svg").first).to_be_visible(timeout=PATIENCE_MS)
    assert [line for line in said if "Content Security Policy" in line or "unsafe-eval" in line] == []


def test_the_browser_fetches_from_nowhere_else_and_no_page_frames_ours(page: Page, scripted_app: str) -> None:
    asked: list[str] = []

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = f'<iframe id="ours" src="{scripted_app}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        Thread(target=foreign.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{foreign.server_port}"
        page.goto(scripted_app)
        expect(page.get_by_role("button", name="Settings for every approach")).to_be_visible(timeout=PATIENCE_MS)
        blocked = page.evaluate(
            """address => new Promise(done => {
                const image = new Image();
                image.onload = image.onerror = event => done(event.type);
                image.src = address + '/image.png';
            })""",
            address,
        )
        assert (blocked, asked) == ("error", [])
        page.goto(f"{address}/frame")
        expect(page.frame_locator("#ours").get_by_test_id("stMain")).to_have_count(0)
        assert page.frames[1].url.startswith("chrome-error:")
        foreign.shutdown()
