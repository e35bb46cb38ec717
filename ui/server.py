"""What the server refuses before Streamlit sees it, and what it tells every browser: `docs/security.md` says why."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backends.errors import BackendError, disk_fault, unexpected_fault
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
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if (refusal := _refusal(scope)) is None:
            await self._app(scope, receive, guarded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # before it is open: status 403
        else:
            status, sentence = refusal
            await PlainTextResponse(sentence, status)(scope, receive, guarded)


GUARD = Middleware(Guard)


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
