"""The pages of raters over HTTP: blind, safe, and every rating kept before it is said to be."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.ratings import sessions
from evaluation.ratings.model import Item, Plan
from ui.room.pages import WrongCodes
from ui.room.routes import Raters

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202e"
ANSWERS = {"raw": f"It costs 40 euros. {HOSTILE}", "rag": "It costs 42 euros.", "paid_api:acme": "Forty-two."}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(load_settings({"data": str(tmp_path / "data")}))) as opened:
        yield opened


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=Raters(lambda: store).routes())) as opened:
        yield opened


def _session(store: Store, plan: Plan | None = None, count: int = 4) -> sessions.Invitation:
    items = [
        Item(number, f"Price {number}? {HOSTILE}", ANSWERS, reference="42 euros", facts={"rag": {"latency_s": 0.123}})
        for number in range(count)
    ]
    return sessions.begin_session(store, "Lamps", plan or Plan(repeated=0), items)


def _join(client: TestClient, code: str, name: str = "Ada") -> httpx.Response:
    return client.post("/rate/join", data={"code": code, "name": name}, follow_redirects=True)


def _own(page: httpx.Response) -> str:
    return str(page.url).split("?")[0]


def _send(client: TestClient, page: httpx.Response, **said: str) -> httpx.Response:
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page.text))
    return client.post(f"{_own(page)}/save", data={"do": "save"} | fields | said, follow_redirects=True)


def test_a_rater_goes_from_the_link_to_the_end(client: TestClient, store: Store) -> None:
    made = _session(store)
    assert "4 questions" in client.get(f"/rate/{made.code}").text
    page = _join(client, made.code)
    for number in range(4):
        assert f"{number} done, {4 - number} left" in page.text
        page = _send(client, page, best="2", comment=f"about {number}")
        assert "Saved." in page.text
        assert len(sessions.ratings_of(store, made.session.id)) == number + 1
    assert "Which was written by which" in page.text
    names = sorted(ANSWERS)
    page = client.post(
        f"{_own(page)}/guess", data={f"guess{n}": one for n, one in enumerate(names, 1)}, follow_redirects=True
    )
    assert "Thank you" in page.text
    (rater,) = sessions.raters_of(store, made.session.id)
    assert rater.guess is not None


def test_no_page_before_the_end_tells_whose_an_answer_is(client: TestClient, store: Store) -> None:
    made = _session(store)
    page = _join(client, made.code)
    told = re.compile(r"\b(raw|rag|paid_api|acme|fine_tuned|latency|cost_usd|0\.123|42 euros\b.{0,3}reference)", re.I)
    shapes = set()
    while 'id="rate"' in page.text:
        text = page.text
        for answer in ANSWERS.values():
            text = text.replace(answer, "")
        assert not told.search(text), told.search(text)
        assert not told.search(str(page.headers)), page.headers
        assert not told.search(str(page.url))
        shapes.add(re.sub(r"\d+", "", re.sub(r'<p dir="auto">.*?</p>', "", text)))
        page = _send(client, page, best="1")
    assert "It costs 42 euros." in page.text


def test_what_models_wrote_is_shown_as_letters(client: TestClient, store: Store) -> None:
    page = _join(client, _session(store).code, name=HOSTILE)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"


def test_what_is_not_said_is_asked_for_and_the_comment_stays(client: TestClient, store: Store) -> None:
    made = _session(store)
    page = _send(client, _join(client, made.code), comment="half a thought")
    assert page.status_code == 422
    assert "No answer was chosen." in page.text
    assert "half a thought" in page.text
    assert sessions.ratings_of(store, made.session.id) == []


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(repeated=0), {"do": "tie"}),
        (Plan(repeated=0), {"do": "all_bad"}),
        (Plan(repeated=0), {"do": "skip"}),
        (Plan("rank", repeated=0), {"rank1": "1", "rank2": "2", "rank3": "3"}),
        (Plan("scale", ("correct",), repeated=0), {"score1-1": "5", "score1-2": "1", "score1-3": "3"}),
    ],
)
def test_everything_that_a_plan_asks_can_be_said(
    client: TestClient, store: Store, plan: Plan, said: dict[str, str]
) -> None:
    made = _session(store, plan)
    page = _send(client, _join(client, made.code), **said)
    assert "1 done, 3 left" in page.text
    assert len(sessions.ratings_of(store, made.session.id)) == 1


def test_the_last_one_is_taken_back(client: TestClient, store: Store) -> None:
    made = _session(store)
    page = _send(client, _join(client, made.code), best="1")
    page = client.post(f"{_own(page)}/undo", follow_redirects=True)
    assert "0 done, 4 left" in page.text
    assert sessions.ratings_of(store, made.session.id) == []


def test_a_session_that_is_locked_while_somebody_types_says_so(client: TestClient, store: Store) -> None:
    made = _session(store)
    page = _join(client, made.code)
    sessions.set_state(store, made.session.id, "locked")
    answer = _send(client, page, best="1", comment="late")
    assert answer.status_code == 409
    assert "This session is closed." in answer.text
    assert client.post(f"{_own(page)}/beat", data={"draft": "late"}).status_code == 409


def test_a_form_of_many_megabytes_and_foreign_fields_do_no_harm(client: TestClient, store: Store) -> None:
    made = _session(store)
    page = _join(client, made.code)
    assert _send(client, page, best="1", comment="x" * 1_000_000).status_code == 200
    assert _send(client, page, best="1", comment="x" * 5_000_000).status_code in (409, 422)
    for said in ({"item": "99"}, {"item": "-1"}, {"item": "x" * 50}, {"best": "1e9"}, {"do": "\u202e"}):
        assert _send(client, page, **said).status_code in (200, 409, 422)
    assert client.get("/rate/static/../routes.py").status_code == 404
    assert client.get("/rate/static/page.html").status_code == 404


def test_wrong_codes_are_slowed_down_and_logged(
    client: TestClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    made = _session(store)
    with caplog.at_level(logging.WARNING):
        answer = client.get("/rate/notthecode22")
    assert answer.status_code == 404
    assert "There is no such rating session." in answer.text
    assert "a wrong code" in caplog.text
    assert "notthecode22" not in caplog.text
    assert client.get(f"/rate/{made.code}").status_code == 200
    now = [0.0]
    tries = WrongCodes(lambda: now[0])
    waits = []
    for _ in range(12):
        waits.append(tries.delay_s("here"))
        tries.note("here")
    assert waits == [0, 0, 0, 0, 0, 0.5, 1, 2, 4, 8, 8, 8]
    assert tries.delay_s("elsewhere") == 0
    now[0] = 601
    assert tries.delay_s("here") == 0


def test_a_link_of_nobody_is_refused(client: TestClient, store: Store) -> None:
    _session(store)
    answer = client.get("/rate/by/nobody")
    assert answer.status_code == 409
    assert "nobody" in answer.text
