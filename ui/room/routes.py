"""The pages of raters: plain HTML forms, served without a Streamlit session.

What a rater reaches is `/rate` and what lies below it. A page holds the question, the answers in the rater's own order,
and nothing that tells whose they are: no name, no time, no cost, and the same headers for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from backends.errors import BackendError
from backends.registry import is_known, spec_of
from backends.store.database import Store
from evaluation.ratings import rating, sessions
from evaluation.ratings.model import Plan
from evaluation.ratings.rating import Turn
from evaluation.ratings.tables import rating_sessions
from ui.room.pages import HEADERS, Pages, form_of, number_in

BASE = "/rate"
_COMMENT_FORM = 4 * 1_048_576
_HINTS = {
    "best": "Choose the best answer with its number, several if they are as good as each other.",
    "pairwise": "Choose the better answer with its number.",
    "rank": "Press the numbers in your order, the best first; or choose places, the same one for a tie.",
    "scale": "Score each answer from 1 (poor) to 5 (very good); the arrow keys go from answer to answer.",
}


class Raters(Pages):
    """The routes, for the store that `store` gives when it is asked."""

    title = "Rate answers"

    def __init__(self, store: Callable[[], Store], base: str = BASE) -> None:
        super().__init__(store, base)

    def routes(self) -> list[Route]:
        """What is served, below `/rate`."""
        own = f"{self._base}/by/{{token}}"
        return [
            Route(self._base, self._enter),
            Route(f"{self._base}/join", self._join, methods=["POST"]),
            Route(f"{self._base}/static/{{name}}", self.static),
            Route(f"{self._base}/{{code}}", self._enter),
            Route(own, self._page),
            Route(f"{own}/save", self._save, methods=["POST"]),
            Route(f"{own}/undo", self._undo, methods=["POST"]),
            Route(f"{own}/guess", self._guess, methods=["POST"]),
            Route(f"{own}/beat", self._beat, methods=["POST"]),
            Route(f"{own}/static/{{name}}", self.static),
        ]

    # --- joining ----------------------------------------------------------------------------------

    async def _enter(self, request: Request) -> Response:
        code = (request.path_params.get("code") or request.query_params.get("code") or "").strip()
        if not code:
            return self.html("code", self.title)
        return await self.guarded(request, lambda: self._invited(code))

    def _invited(self, code: str) -> Response:
        with self._store().reading() as connection:
            found = sessions.session_by(connection, rating_sessions.c.code_hash == sessions.hashed(code.lower()))
        sessions.check_open(found)
        count = len(sessions.items_of(self._store(), found.id))
        what = f"{count:,} question{'s' if count != 1 else ''}, each with several answers"
        return self.html("join", found.name, code=code, what=what)

    async def _join(self, request: Request) -> Response:
        form = await form_of(request)
        code, name = str(form.get("code", "")), str(form.get("name", ""))
        return await self.guarded(request, lambda: self._joined(code, name))

    def _joined(self, code: str, name: str) -> Response:
        _, _, token = sessions.join(self._store(), code, name)
        return RedirectResponse(f"{self._base}/by/{quote(token)}", 303, HEADERS)

    # --- rating -----------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        token = request.path_params["token"]
        return await self._answered(lambda: self._shown(rating.next_turn(self._store(), token), token, request))

    async def _save(self, request: Request) -> Response:
        token, form = request.path_params["token"], await form_of(request, _COMMENT_FORM)

        def work() -> Response:
            number, again = number_in(form.get("item")), form.get("again") == "1"
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
        token, form = request.path_params["token"], await form_of(request, _COMMENT_FORM)

        def work() -> Response:
            rating.still_there(self._store(), token, str(form.get("draft", "")))
            return Response(status_code=204, headers=HEADERS)

        return await self._answered(work)

    async def _guess(self, request: Request) -> Response:
        token, form = request.path_params["token"], await form_of(request)

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
            return self.html("closed", self.title, status=409, fault=str(fault))

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
        return self.html(
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
            return self.html("end", turn.session.name, done=done, **common)
        item = sessions.items_of(self._store(), turn.session.id)[turn.last.item]
        names = sorted(order)
        return self.html(
            "guess",
            turn.session.name,
            done=done,
            question=item.question,
            texts=[item.answers[name] for name in order],
            approaches=[{"id": name, "name": spec_of(name).name if is_known(name) else name} for name in names],
            **common,
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
        return {"ranks": [number_in(form.get(f"rank{place}")) for place in range(1, answers + 1)]}
    if plan.kind == "scale":
        return {
            "scores": {
                criterion: [number_in(form.get(f"score{number}-{place}")) for place in range(1, answers + 1)]
                for number, criterion in enumerate(plan.criteria, 1)
            }
        }
    chosen = form.getlist("best")
    return {"best": [number_in(one) for one in chosen]}
