"""What the pages of raters and of voters share: headers, forms, the template, and codes that are tried."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from backends.errors import BackendError
from backends.store.database import Store

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with none, a form of the page would be sent without its origin
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
LARGEST_FORM = 65_536  # bytes; a comment that is kept has at most 4,000 characters
_FREE_TRIES, _LONGEST_WAIT_S, _FORGOTTEN_S = 5, 8.0, 600.0
_FILES = {"rate.css": "text/css", "rate.js": "text/javascript"}
_FOLDER = Path(__file__).parent
_templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True)
_log = logging.getLogger(__name__)


class WrongCodes:
    """Slows down those who try codes: after five wrong ones of an address each further one waits, longer each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    def delay_s(self, who: str) -> float:
        """How long the next try of an address waits."""
        count, last = self._wrong.get(who, (0, 0.0))
        if self._clock() - last > _FORGOTTEN_S:
            return 0.0
        return 0.0 if count < _FREE_TRIES else min(0.5 * 2.0 ** (count - _FREE_TRIES), _LONGEST_WAIT_S)

    def note(self, who: str) -> None:
        """A code was wrong. It goes into the log, without the code."""
        now = self._clock()
        count, last = self._wrong.get(who, (0, 0.0))
        if len(self._wrong) > 10_000:
            self._wrong.clear()
        self._wrong[who] = (1 if now - last > _FORGOTTEN_S else count + 1, now)
        _log.warning("a wrong code from %s, the %d. in a row", who, self._wrong[who][0])


class Pages:
    """Pages below `base`, for the store that `store` gives when asked. `title`: that of a page without another."""

    title = ""

    def __init__(self, store: Callable[[], Store], base: str) -> None:
        self._store, self._base = store, base
        self._wrong = WrongCodes()

    async def guarded(self, request: Request, work: Callable[[], Response]) -> Response:
        """Do what a code lets in; who tries many wrong ones waits."""
        who = request.client.host if request.client else "an unknown address"
        if wait := self._wrong.delay_s(who):
            await asyncio.sleep(wait)
        try:
            return await run_in_threadpool(work)
        except BackendError as fault:
            if fault.cause.startswith("There is no such"):
                self._wrong.note(who)
            return self.html("code", self.title, status=404, fault=str(fault))

    def html(self, view: str, title: str, status: int = 200, **values: Any) -> Response:
        """A view of the template."""
        text = _templates.get_template("page.html").render({"view": view, "title": title, "base": self._base} | values)
        return HTMLResponse(text, status, HEADERS)

    async def static(self, request: Request) -> Response:
        """The style sheet and the script."""
        name = request.path_params["name"]
        if name not in _FILES:
            return Response(status_code=404, headers=HEADERS)
        return FileResponse(
            _FOLDER / name, media_type=_FILES[name], headers={**HEADERS, "Cache-Control": "max-age=300"}
        )


def number_in(said: object) -> int:
    """A number of at most six digits; -1 for anything else."""
    text = str(said)
    return int(text) if text.isdecimal() and len(text) < 7 else -1


async def form_of(request: Request, most: int = LARGEST_FORM) -> FormData:
    """The fields of a form of at most so many bytes; a longer one has none."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > most:
        return FormData()
    return await request.form(max_fields=200, max_part_size=most)
