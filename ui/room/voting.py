"""The pages of an audience: a code, the answers, one choice, and the result once it is revealed.

What a voter reaches is `/vote` and what lies below it. A cookie tells phones apart; it holds a secret of its own and
nothing else, and goes to these pages alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings import votes
from ui.room.pages import HEADERS, Pages, form_of, number_in

BASE = "/vote"
COOKIE = "crossroads_voter"
_KEPT_S = 86_400


class Voters(Pages):
    """The routes, for the store that `store` gives when it is asked."""

    title = "Vote"

    def __init__(self, store: Callable[[], Store], base: str = BASE) -> None:
        super().__init__(store, base)

    def routes(self) -> list[Route]:
        """What is served, below `/vote`."""
        return [
            Route(self._base, self._enter),
            Route(f"{self._base}/static/{{name}}", self.static),
            Route(f"{self._base}/{{code}}", self._page),
            Route(f"{self._base}/{{code}}", self._cast, methods=["POST"]),
        ]

    async def _enter(self, request: Request) -> Response:
        code = request.query_params.get("code", "").strip()
        if not code:
            return self.html("code", self.title)
        return RedirectResponse(f"{self._base}/{quote(code, safe='')}", 303, HEADERS)

    async def _page(self, request: Request) -> Response:
        code, voter = request.path_params["code"], request.cookies.get(COOKIE, "")
        return await self.guarded(request, lambda: self._shown(code, voter))

    def _shown(self, code: str, voter: str, fault: str = "", status: int = 200) -> Response:
        store = self._store()
        vote = votes.vote_of(store, code)
        chosen = votes.choice_of(store, vote, voter) if voter else None
        answer = self.html(
            "vote",
            self.title,
            status=status,
            question=vote.question,
            choices=[(vote.label(place), one.text) for place, one in enumerate(vote.choices)],
            counts=votes.tally(store, vote) if vote.revealed else None,
            chosen=chosen,
            chosen_label=None if chosen is None else vote.label(chosen),
            is_open=vote.takes_votes(),
            code=code,
            fault=fault,
        )
        if not voter:
            answer.set_cookie(
                COOKIE, secrets.token_urlsafe(24), _KEPT_S, path=self._base, httponly=True, samesite="strict"
            )
        return answer

    async def _cast(self, request: Request) -> Response:
        code, voter = request.path_params["code"], request.cookies.get(COOKIE, "")
        chosen = number_in((await form_of(request)).get("choice")) - 1

        def work() -> Response:
            if not voter:
                votes.vote_of(self._store(), code)
                fault = BackendError("Your browser keeps no cookie, so it cannot vote.", "Allow it, and try again.")
                return self._shown(code, voter, str(fault), 422)
            try:
                votes.cast(self._store(), code, voter, chosen)
            except BackendError as fault:
                if fault.cause.startswith("There is no such"):
                    raise
                return self._shown(code, voter, str(fault), 422)
            return RedirectResponse(f"{self._base}/{quote(code, safe='')}", 303, HEADERS)

        return await self.guarded(request, work)
