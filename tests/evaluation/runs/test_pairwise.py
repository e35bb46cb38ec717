"""A judge that compares answers, on a server of this machine: both orders, ties, bias, costs, and what is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from backends.rag import approach as rag_approach
from backends.settings import DEFAULT_EMBEDDER, PAIRWISE_RUBRIC, Settings, load_settings
from backends.store.database import Store
from evaluation.runs.estimate import estimate_run
from evaluation.runs.judge import with_judge_of
from evaluation.runs.model import Run
from evaluation.runs.pairwise import Preference, comparison_of, comparison_words, preference
from evaluation.runs.records import add_cell, find_run, scores_of
from evaluation.runs.scoring import score_run
from evaluation.scorers import Score
from tests.backends.openai_server import PATH, STOP, sse, text_chunk
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.runs.made_runs import SAMPLES, begun, cell


class ComparingServer:
    """Says RIGHT of one answer; of two what `choose` says of the first and the second. Each takes so many tokens."""

    def __init__(self, server: HTTPServer, choose: Callable[[str, str], str], tokens: int = 3) -> None:
        self.choose = choose
        self._usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": tokens}}
        self.systems: list[str] = []
        self.compared: list[tuple[str, str]] = []
        server.expect_request(PATH, method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        system, user = (message["content"] for message in json.loads(request.data)["messages"])
        if "First answer:" not in user:
            return sse(text_chunk("RIGHT"), STOP, self._usage)
        first, second = (_block(user, title) for title in ("First answer", "Second answer"))
        self.systems.append(system)
        self.compared.append((first, second))
        return sse(text_chunk(self.choose(first, second)), STOP, self._usage)


def _block(prompt: str, title: str) -> str:
    return prompt.split(f"{title}:\n")[1].split("\n")[1]


def longer(first: str, second: str) -> str:
    return "TIE" if len(first) == len(second) else "FIRST" if len(first) > len(second) else "SECOND"


@pytest.fixture
def comparing(
    sqlite_settings: Settings, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    monkeypatch.setitem(rag_approach.embedders, (DEFAULT_EMBEDDER, sqlite_settings.data), FixedEmbedder())

    def made(**more: str) -> Settings:
        given = {"base_url": httpserver.url_for("/v1"), "model": "judge-1", "max_retries": "0", "max_at_once": "1"}
        given |= {"price.input_usd": "1", "price.output_usd": "2", "price.date": "2026-11-30"}
        named = {f"connections.own.{name}": value for name, value in given.items()}
        judge = {"judge.connection": "paid_api:own", "judge.pairwise": "true"}
        others = {name.replace("__", "."): value for name, value in more.items()}
        return load_settings({"data": str(sqlite_settings.data)} | judge | named | others)

    return made


def answered(store: Store, settings: Settings, **texts: tuple[str, ...]) -> Run:
    run = begun(store, settings, tuple(texts), SAMPLES[: len(next(iter(texts.values())))])
    for approach, said in texts.items():
        for position, text in enumerate(said):
            status = "ok" if text else "error"
            add_cell(store, run.id, cell(approach, position=position, text=text, status=status))
    return run


def scored(store: Store, run: Run, settings: Settings, again: bool = False) -> None:
    for _ in score_run(store, find_run(store, run.id), SAMPLES, settings, threading.Event(), again):
        pass


@pytest.mark.parametrize(
    ("forward", "backward", "came_to"),
    [
        ("FIRST", "second.", Preference("approach")),
        ("**Second**", "FIRST", Preference("other")),
        ("TIE", "tie", Preference("tie")),
        ("FIRST", "FIRST", Preference("order", "first")),
        ("SECOND", "SECOND", Preference("order", "second")),
        ("TIE", "FIRST", Preference("order")),
        ("FIRST", "Both", Preference("failed", reason="Judge off the menu: it said 'Both'.")),
        (Score.failed("No."), "FIRST", Preference("failed", reason="No.")),
    ],
)
def test_a_preference_counts_only_when_both_orders_agree(
    forward: str | Score, backward: str, came_to: Preference
) -> None:
    assert preference(forward, backward) == came_to


def test_each_two_answers_are_compared_in_both_orders_and_once(
    sqlite_store: Store, comparing: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    server, settings = ComparingServer(httpserver, longer), comparing()
    raw = ("It is red.", "Yes.", "It is so.", "same", "")
    rag = ("Red.", "Yes, it is green.", "It is no.", "same ", "Blue.")
    run = answered(sqlite_store, settings, raw=raw, rag=rag)
    scored(sqlite_store, run, settings)
    assert server.compared == [
        *(("It is red.", "Red."), ("Red.", "It is red.")),
        *(("Yes.", "Yes, it is green."), ("Yes, it is green.", "Yes.")),
        *(("It is so.", "It is no."), ("It is no.", "It is so.")),
    ]
    assert set(server.systems) == {PAIRWISE_RUBRIC}
    found = comparison_of(sqlite_store, run)
    assert found is not None
    (one,) = found.pairs
    assert (one.wins, one.losses, one.ties, one.order, one.failed, one.not_compared) == (1, 1, 2, 0, 0, 1)
    assert (found.wins("raw", "rag"), found.wins("rag", "raw")) == ((1, 4), (1, 4))
    assert one.net is not None
    assert one.net.value == 0
    assert one.net.low < 0 < one.net.high
    scored(sqlite_store, run, settings)
    scored(sqlite_store, run, settings, again=True)
    assert len(server.compared) == 6  # what was said is kept
    scored(sqlite_store, run, comparing(judge__pairwise_rubric="The shorter one."))
    assert len(server.compared) == 12
    judge = find_run(sqlite_store, run.id).judge
    assert judge is not None
    assert judge["pairwise"]["rubric"] == "The shorter one."


def test_a_judge_that_favours_a_place_decides_nothing_and_is_reported(
    sqlite_store: Store, comparing: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    ComparingServer(httpserver, lambda first, second: "FIRST")
    settings = comparing()
    run = answered(sqlite_store, settings, raw=("a", "b"), rag=("c", "d"))
    scored(sqlite_store, run, settings)
    found = comparison_of(sqlite_store, run)
    assert found is not None
    (one,) = found.pairs
    assert (one.wins, one.losses, one.order, dict(one.favoured)) == (0, 0, 2, {"first": 2})
    assert list(comparison_words(found))[-1] == (
        "Position bias of the judge: in 2 of 2 comparisons the order decides (2 times for the answer shown first, 0 "
        "times for the second), which counts as a tie."
    )


def test_an_answer_that_is_asked_again_is_compared_again(
    sqlite_store: Store, comparing: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    server, settings = ComparingServer(httpserver, longer), comparing()
    run = answered(sqlite_store, settings, raw=("",), rag=("Red.",))
    scored(sqlite_store, run, settings)
    assert server.compared == []
    add_cell(sqlite_store, run.id, cell("raw", position=0, text="It is red."))
    scored(sqlite_store, run, settings)
    assert len(server.compared) == 2
    found = comparison_of(sqlite_store, run)
    assert found is not None
    assert (found.pairs[0].wins, found.pairs[0].not_compared) == (1, 0)


def test_a_cap_stops_comparing_and_a_larger_one_goes_on(
    sqlite_store: Store, comparing: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    # 0.0009 USD each, and somewhat more is set aside for the worst case: enough for one comparison of two
    server, free = ComparingServer(httpserver, longer, tokens=400), comparing()
    run = answered(sqlite_store, free, raw=("It is red.", "It is green."), rag=("Red.", "Green."))
    scored(sqlite_store, run, comparing(budget__per_run_usd="0.0066"))
    found = comparison_of(sqlite_store, run)
    assert found is not None
    assert (found.pairs[0].wins, found.pairs[0].failed) == (1, 1)
    assert "budget.per_run_usd" in found.pairs[0].reasons[0]
    assert len(server.compared) == 2
    scored(sqlite_store, run, comparing(budget__per_run_usd="1"))
    found = comparison_of(sqlite_store, run)
    assert found is not None
    assert (found.pairs[0].wins, found.pairs[0].failed) == (2, 0)
    assert len(server.compared) == 4
    assert {score for _, _, score in scores_of(sqlite_store, run.id, "judged")} == {Score(True)}


def test_the_estimate_holds_both_orders(comparing: Callable[..., Settings]) -> None:
    cells = {"raw": 6, "rag": 6, "paid_api:own": 6}
    alone = estimate_run(comparing(judge__pairwise="false"), SAMPLES, cells).judge
    both = estimate_run(comparing(), SAMPLES, cells).judge
    assert alone is not None
    assert both is not None
    assert both.cells - alone.cells == 6 * 3 * 2
    assert alone.usd is not None
    assert both.usd is not None
    assert both.usd > alone.usd > Decimal(0)


def test_a_run_goes_on_with_its_own_judge(sqlite_store: Store, comparing: Callable[..., Settings]) -> None:
    settings = comparing(judge__rubric="Mine.", judge__pairwise_rubric="Ours.")
    run = begun(sqlite_store, settings, ("raw",), SAMPLES[:1])
    without = settings.model_copy(update={"judge": load_settings({"data": str(settings.data)}).judge})
    assert with_judge_of(find_run(sqlite_store, run.id), without).judge == settings.judge
    other = comparing(judge__rubric="Another.")
    assert with_judge_of(run, other) is other
