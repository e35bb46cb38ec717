"""What the server refuses before Streamlit sees it, and what it tells every browser: `docs/security.md` says why."""

from __future__ import annotations

import re
import secrets
import threading
import webbrowser
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backends.errors import BackendError, disk_fault, unexpected_fault
from backends.storage.browsers import LONGEST_DAYS
from ui.room.pages import HEADERS as ROOM_HEADERS
from ui.room.routes import BASE as RATE
from ui.room.voting import BASE as VOTE
from ui.shared.text import escaped

CLOSED = ("/_stcore/metrics", "/_stcore/agent/")
"""What Streamlit answers to anybody, and no page asks for: counts of sessions and memory, and the API for agents."""

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",  # Streamlit's charts compile their expressions
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {whence}" for what, whence in _POLICY.items()),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""No other page shows this one in a frame, keeps a handle on it or reads from it; it fetches from nowhere else."""

_SAFE = ("GET", "HEAD", "OPTIONS")

_STYLE = b"<style>" + Path(__file__).resolve().with_name("style.css").read_bytes() + b"</style>"

BROWSER_COOKIE = "crossroads_browser"
_REMEMBERED_S = LONGEST_DAYS * 86_400
_ID = re.compile(r"[\w-]{43}", re.ASCII)


def browser_in(cookies: Mapping[str, str]) -> str | None:
    """The id of the browser that sent these cookies; None without a usable one."""
    found = str(cookies.get(BROWSER_COOKIE, ""))
    return found if _ID.fullmatch(found) else None


class Guard:
    """Refuses foreign hosts and origins, closes what no page needs, and adds `HEADERS` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(ROOM_HEADERS if _is_for_the_room(scope) else HEADERS)
            await send(message)

        if (refusal := _refusal(scope)) is None:
            app = _page(self._app) if _asks_for_page(scope) else self._app
            await app(scope, receive, guarded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is open: status 403
        else:
            status, sentence = refusal
            await PlainTextResponse(sentence, status)(scope, receive, guarded)


GUARD = Middleware(Guard)


def _asks_for_page(scope: Scope) -> bool:
    """Whether a browser goes to an address of Streamlit's, and does not load a part of a page."""
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and "text/html" in Headers(scope=scope).get("accept", "")
        and not _is_for_the_room(scope)
    )


def _is_for_the_room(scope: Scope) -> bool:
    """Whether an address is below those of raters and voters, whose pages are none of Streamlit's."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return any(path == base or path.startswith(f"{base}/") for base in (RATE, VOTE))


def _page(app: ASGIApp) -> ASGIApp:
    """`app`, whose page has our style, and tells the browser where the server is and who it is.

    Without where it is, Streamlit's page asks below its own address first, which is a 404 on every page but the first.
    Who it is says a cookie that no script reads and no other site's page sends.
    """

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        plain = {b"accept-encoding", b"if-none-match", b"if-modified-since"}  # whole, and not as it was kept before
        headers = [(name, value) for name, value in scope["headers"] if name not in plain]
        begun: list[Message] = []
        body = b""

        async def held(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start" and _is_html(message):
                begun.append(message)
            elif begun and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    body = body.replace(b"<head>", b"<head>" + _where(scope) + _STYLE, 1)
                    sent = MutableHeaders(scope=begun[0])
                    sent["content-length"] = str(len(body))
                    sent.append("set-cookie", _cookie(scope))
                    await send(begun[0])
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await app({**scope, "headers": headers}, receive, held)

    return told


def _is_html(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type", "").startswith("text/html")


def _where(scope: Scope) -> bytes:
    """A script that names the server's address: the page's own without the part that this server was asked for.

    What a proxy put in front of that part stays.
    """
    base = st.get_option("server.baseUrlPath").strip("/")
    asked = len(scope.get("raw_path") or scope["path"].encode()) - (len(base) + 1 if base else 0)
    return (
        "<script>window.__streamlit = {BACKEND_BASE_URL: location.origin + "
        f"location.pathname.slice(0, location.pathname.length - {asked})}}</script>"
    ).encode()


def _cookie(scope: Scope) -> str:
    """The browser's id, the one that it sent or a new one. It holds from its last visit on, for as long as is kept."""
    browser = browser_in(cookie_parser(Headers(scope=scope).get("cookie", ""))) or secrets.token_urlsafe(32)
    path = "/" + st.get_option("server.baseUrlPath").strip("/")
    safe = "; Secure" if scope["scheme"] == "https" else ""
    return f"{BROWSER_COOKIE}={browser}; Max-Age={_REMEMBERED_S}; Path={path}; HttpOnly; SameSite=Lax{safe}"


@asynccontextmanager
async def browser_opened(_: st.App) -> AsyncGenerator[None]:
    """Opens the browser at the start unless `server.headless`: Streamlit does so for scripts, not for apps."""
    if not st.get_option("server.headless"):
        threading.Thread(target=webbrowser.open, args=(_address(),), daemon=True).start()
    yield


def _address() -> str:
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    host = st.get_option("server.address") or "0.0.0.0"  # noqa: S104
    host = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"{scheme}://{host}:{st.get_option('server.port')}/{st.get_option('server.baseUrlPath').strip('/')}"


def say_fault(error: Exception) -> bool:
    """A fault that no page caught, as a sentence in its place; the log has the rest if nobody foresaw it."""
    known = error if isinstance(error, BackendError) else disk_fault(error)
    st.error(escaped(str(known or unexpected_fault("This page", error))), icon=":material/error:")
    return True


def host_allowed(host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a Host header names one of `allowed` (`*.` for every subdomain, `*` for all); all if there is none.

    Without this, a page whose name is made to lead here (DNS rebinding) would count as our own.
    """
    if not allowed or "*" in allowed:
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    patterns = [pattern.strip().lower().rstrip(".") for pattern in allowed]
    return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in patterns)


def origin_allowed(origin: str | None, host: str | None, allowed: Sequence[str]) -> bool:
    """Whether a request came from our own page, from one of `allowed`, or from no page at all.

    Streamlit alone would let in every page of this machine, whatever its port, and ask a server outside for its own
    address, to compare it.
    """
    if origin is None or origin in allowed:
        return True
    return bool(host) and origin.partition("://")[2].lower() == str(host).lower()


def _refusal(scope: Scope) -> tuple[int, str] | None:
    """Status and sentence for what is not let in."""
    headers, path = Headers(scope=scope), scope["path"].removeprefix(scope.get("root_path", ""))
    host = headers.get("host")
    if not host_allowed(host, st.get_option("server.allowedHosts")):
        return 400, "This address is not allowed. If it is yours, add its name to server.allowedHosts.\n"
    changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
    origins = [origin.strip() for origin in st.get_option("server.corsAllowedOrigins")]
    if changes and st.get_option("server.enableCORS") and not origin_allowed(headers.get("origin"), host, origins):
        return 403, "Another page asked for this. If it is yours, add its origin to server.corsAllowedOrigins.\n"
    base = "/" + st.get_option("server.baseUrlPath").strip("/")
    inside = path.removeprefix(base.rstrip("/"))
    return (404, "Not found\n") if inside.startswith(CLOSED) else None
