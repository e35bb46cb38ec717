"""The pages of raters: plain HTML forms, served without a Streamlit session.

What a rater reaches is `/rate` and what lies below it. A page holds the question, the answers in the rater's own order,
and nothing that tells whose they are: no name, no time, no cost, and the same headers for all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from backends.errors import BackendError
from backends.registry import is_known, spec_of
from backends.store.database import Store
from evaluation.ratings import rating, sessions
from evaluation.ratings.model import Plan
from evaluation.ratings.rating import Turn
from evaluation.ratings.tables import rating_sessions

BASE = "/rate"
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
_LARGEST_FORM = 65_536  # bytes; a comment that is kept has at most 4,000 characters
_COMMENT_FORM = 4 * 1_048_576
_FREE_TRIES, _LONGEST_WAIT_S, _FORGOTTEN_S = 5, 8.0, 600.0
_FILES = {"rate.css": "text/css", "rate.js": "text/javascript"}
_FOLDER = Path(__file__).parent
_templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True)
_log = logging.getLogger(__name__)

_HINTS = {
    "best": "Choose the best answer with its number, several if they are as good as each other.",
    "pairwise": "Choose the better answer with its number.",
    "rank": "Press the numbers in your order, the best first; or choose places, the same one for a tie.",
    "scale": "Score each answer from 1 (poor) to 5 (very good); the arrow keys go from answer to answer.",
}


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
        _log.warning("a wrong code for a rating session from %s, the %d. in a row", who, self._wrong[who][0])


class Raters:
    """The routes, for the store that `store` gives when it is asked."""

    def __init__(self, store: Callable[[], Store], base: str = BASE) -> None:
        self._store, self._base = store, base
        self._wrong = WrongCodes()

    def routes(self) -> list[Route]:
        """What is served, below `/rate`."""
        own = f"{self._base}/by/{{token}}"
        return [
            Route(self._base, self._enter),
            Route(f"{self._base}/join", self._join, methods=["POST"]),
            Route(f"{self._base}/static/{{name}}", self._static),
            Route(f"{self._base}/{{code}}", self._enter),
            Route(own, self._page),
            Route(f"{own}/save", self._save, methods=["POST"]),
            Route(f"{own}/undo", self._undo, methods=["POST"]),
            Route(f"{own}/guess", self._guess, methods=["POST"]),
            Route(f"{own}/beat", self._beat, methods=["POST"]),
            Route(f"{own}/static/{{name}}", self._static),
        ]

    # --- joining ----------------------------------------------------------------------------------

    async def _enter(self, request: Request) -> Response:
        code = (request.path_params.get("code") or request.query_params.get("code") or "").strip()
        if not code:
            return self._html("code", "Rate answers")
        return await self._guarded(request, code, lambda: self._invited(code))

    def _invited(self, code: str) -> Response:
        with self._store().reading() as connection:
            found = sessions.session_by(connection, rating_sessions.c.code_hash == sessions.hashed(code.lower()))
        sessions.check_open(found)
        count = len(sessions.items_of(self._store(), found.id))
        what = f"{count:,} question{'s' if count != 1 else ''}, each with several answers"
        return self._html("join", found.name, code=code, what=what)

    async def _join(self, request: Request) -> Response:
        form = await _form(request)
        code, name = str(form.get("code", "")), str(form.get("name", ""))
        return await self._guarded(request, code, lambda: self._joined(code, name))

    def _joined(self, code: str, name: str) -> Response:
        _, _, token = sessions.join(self._store(), code, name)
        return RedirectResponse(f"{self._base}/by/{quote(token)}", 303, HEADERS)

    async def _guarded(self, request: Request, code: str, work: Callable[[], Response]) -> Response:
        """Do what a code lets in; who tries many wrong ones waits."""
        who = request.client.host if request.client else "an unknown address"
        if wait := self._wrong.delay_s(who):
            await asyncio.sleep(wait)
        try:
            return await run_in_threadpool(work)
        except BackendError as fault:
            if fault.cause.startswith("There is no such"):
                self._wrong.note(who)
            return self._html("code", "Rate answers", status=404, fault=str(fault))

    # --- rating -----------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        token = request.path_params["token"]
        return await self._answered(lambda: self._shown(rating.next_turn(self._store(), token), token, request))

    async def _save(self, request: Request) -> Response:
        token, form = request.path_params["token"], await _form(request, _COMMENT_FORM)

        def work() -> Response:
            number, again = _number(form.get("item")), form.get("again") == "1"
            store, comment = self._store(), str(form.get("comment", ""))
            try:
                rating.save(store, token, number, again, lambda plan, answers: said_in(form, plan, answers), comment)
            except BackendError as fault:
                rating.still_there(store, token, comment)
                return self._shown(rating.next_turn(store, token), token, request, fault=str(fault), status=422)
            return RedirectResponse(f"{self._base}/by/{quote(token)}?kept=1", 303, HEADERS)

        return await self._answered(work)

    async def _undo(self, request: Request) -> Response:
        token = request.path_params["token"]

        def work() -> Response:
            rating.undo(self._store(), token)
            return RedirectResponse(f"{self._base}/by/{quote(token)}?kept=0", 303, HEADERS)

        return await self._answered(work)

    async def _beat(self, request: Request) -> Response:
        token, form = request.path_params["token"], await _form(request, _COMMENT_FORM)

        def work() -> Response:
            rating.still_there(self._store(), token, str(form.get("draft", "")))
            return Response(status_code=204, headers=HEADERS)

        return await self._answered(work)

    async def _guess(self, request: Request) -> Response:
        token, form = request.path_params["token"], await _form(request)

        def work() -> Response:
            turn = rating.next_turn(self._store(), token)
            order = _guessed_order(turn)
            guessed = {name: str(form.get(f"guess{place}", "")) for place, name in enumerate(order, 1)}
            rating.guess(self._store(), token, guessed)
            return RedirectResponse(f"{self._base}/by/{quote(token)}?kept=1", 303, HEADERS)

        return await self._answered(work)

    async def _answered(self, work: Callable[[], Response]) -> Response:
        try:
            return await run_in_threadpool(work)
        except BackendError as fault:
            return self._html("closed", "Rate answers", status=409, fault=str(fault))

    def _shown(self, turn: Turn, token: str, request: Request, fault: str = "", status: int = 200) -> Response:
        own = f"{self._base}/by/{quote(token)}"
        said = {"1": "Saved.", "0": "Taken back: say it anew."}
        common: dict[str, Any] = {
            "base": own,
            "fault": fault,
            "notice": "" if fault else said.get(request.query_params.get("kept", ""), ""),
            "last": turn.last,
            "link": str(request.url.replace(path=own, query="")),
        }
        if turn.item is None:
            return self._ended(turn, common)
        plan = turn.session.plan
        return self._html(
            "rate",
            turn.session.name,
            status=status,
            question=turn.item.question,
            texts=turn.texts,
            number=turn.item.number,
            again=turn.again,
            kind=plan.kind,
            criteria=plan.criteria,
            ties=plan.ties,
            all_bad=plan.all_bad,
            done=turn.done,
            left=turn.left,
            draft=turn.draft,
            hint=_HINTS[plan.kind],
            **common,
        )

    def _ended(self, turn: Turn, common: Mapping[str, Any]) -> Response:
        done = f"{turn.done:,} item{'s' if turn.done != 1 else ''}"
        order = _guessed_order(turn)
        if turn.rater.guess is not None or turn.last is None or not order:
            return self._html("end", turn.session.name, done=done, **common)
        item = sessions.items_of(self._store(), turn.session.id)[turn.last.item]
        names = sorted(order)
        return self._html(
            "guess",
            turn.session.name,
            done=done,
            question=item.question,
            texts=[item.answers[name] for name in order],
            approaches=[{"id": name, "name": spec_of(name).name if is_known(name) else name} for name in names],
            **common,
        )

    # --- pages ------------------------------------------------------------------------------------

    def _html(self, view: str, title: str, status: int = 200, **values: Any) -> Response:
        text = _templates.get_template("page.html").render({"view": view, "title": title, "base": self._base} | values)
        return HTMLResponse(text, status, HEADERS)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FILES:
            return Response(status_code=404, headers=HEADERS)
        return FileResponse(
            _FOLDER / name, media_type=_FILES[name], headers={**HEADERS, "Cache-Control": "max-age=300"}
        )


def _guessed_order(turn: Turn) -> tuple[str, ...]:
    """The answers of the item that was rated last, in the order in which they were shown."""
    return turn.last.order if turn.last is not None else ()


def said_in(form: FormData, plan: Plan, answers: int) -> dict[str, Any]:
    """What a form says, as `evaluation.ratings.model.outcome` takes it; numbers that are none are left out."""
    does = form.get("do")
    if does in ("skip", "all_bad"):
        return {str(does): True}
    if does == "tie":
        return {"best": list(range(1, answers + 1))}
    if plan.kind == "rank":
        return {"ranks": [_number(form.get(f"rank{place}")) for place in range(1, answers + 1)]}
    if plan.kind == "scale":
        return {
            "scores": {
                criterion: [_number(form.get(f"score{number}-{place}")) for place in range(1, answers + 1)]
                for number, criterion in enumerate(plan.criteria, 1)
            }
        }
    chosen = form.getlist("best")
    return {"best": [_number(one) for one in chosen]}


def _number(said: object) -> int:
    text = str(said)
    return int(text) if text.isdecimal() and len(text) < 7 else -1


async def _form(request: Request, most: int = _LARGEST_FORM) -> FormData:
    """The fields of a form of at most so many bytes; a longer one has none."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > most:
        return FormData()
    return await request.form(max_fields=200, max_part_size=most)
