"""`crossroads evaluate` with a model as judge, on a server of this machine: caps, what is shown, and going on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner, Result
from werkzeug import Request, Response

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER
from terminal.commands import app
from tests.backends.openai_server import PATH, STOP, sse, text_chunk
from tests.evaluation.answering import FixedEmbedder

ANSWERS = {"one": "It is red, as everybody knows.", "two": "Red."}


class Server:
    """Two that answer, and a judge that takes 400 tokens for each verdict and likes the longer answer."""

    def __init__(self, server: HTTPServer) -> None:
        self.verdicts = 0
        self.word = "RIGHT"
        server.expect_request(PATH, method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        asked = json.loads(request.data)
        model, prompt = asked["model"], asked["messages"][-1]["content"]
        word = ANSWERS.get(model, self.word)
        if model == "judge":
            self.verdicts += 1
            if "First answer:" in prompt:
                first, second = (prompt.split(f"{title} answer:\n")[1].split("\n")[1] for title in ("First", "Second"))
                word = "FIRST" if len(first) > len(second) else "SECOND"
        tokens = 400 if model == "judge" else 4
        usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": tokens}}
        return sse(text_chunk(word), STOP, usage)


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
    for name in ("one", "two", "judge"):
        given = {"BASE_URL": httpserver.url_for("/v1"), "MODEL": name, "MAX_RETRIES": "0", "MAX_AT_ONCE": "1"}
        given |= {"PRICE__INPUT_USD": "1", "PRICE__OUTPUT_USD": "2", "PRICE__DATE": "2026-11-30"}
        for key, value in given.items():
            monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__{name.upper()}__{key}", value)
    (tmp_path / "q.csv").write_text("question,reference_answer\nWhat colour is blood?,It is red.\n")
    return Server(httpserver)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


BOTH = ("--approach", "paid_api:one", "--approach", "paid_api:two")
JUDGE = ("--set", "judge.connection=paid_api:judge", "--set", "judge.pairwise=true")


def test_a_cap_that_stops_the_judge_is_said_and_the_run_goes_on_with_its_own_judge(server: Server) -> None:
    first = run(
        "evaluate", "q.csv", *BOTH, *JUDGE, "--set", "judge.rubric=Be kind.", "--set", "budget.per_run_usd=0.0024"
    )
    assert first.exit_code == 0, first.output
    assert "paid_api:judge: 4 verdicts of the judge to come" in first.stderr
    assert server.verdicts == 1
    assert "budget.per_run_usd" in first.stdout
    assert "Right, says the judge, failed for 1 answer: The judge was not asked:" in first.stdout
    again = run("evaluate", "--resume", "latest", "--set", "budget.per_run_usd=1", "--json")
    assert again.exit_code == 0, again.output
    assert server.verdicts == 4  # one of an answer each, and both orders; none twice
    found = json.loads(again.stdout)
    assert [one["scores"]["judged"]["scored"] for one in found["approaches"]] == [1, 1]
    assert found["score_failures"] == []
    (one,) = found["comparisons"]
    assert (one["approach"], one["preferred"], one["other_preferred"], one["failed"]) == ("paid_api:one", 1, 0, 0)
    about = json.loads(run("runs", "show", "latest", "--json").stdout)["about"]
    assert about["judge"]["rubric"] == "Be kind."
    shown = run("runs", "show", "latest").stdout
    assert "paid_api:one is preferred over paid_api:two 1 of 1." in shown
    assert "Position bias of the judge: in 0 of 1 comparisons the order decides" in shown


def test_why_a_verdict_is_off_the_menu_is_shown(server: Server) -> None:
    server.word = "Perhaps."
    shown = run("evaluate", "q.csv", *BOTH, *JUDGE[:2]).stdout
    assert "Right, says the judge, failed for 2 answers: Judge off the menu: it said 'Perhaps.'." in shown
    assert "Judge off the menu: it said 'Perhaps.'." in run("runs", "show", "latest").stdout


def test_a_rubric_for_a_run_that_nobody_judges_is_wrong_usage(server: Server) -> None:
    refused = run("evaluate", "q.csv", *BOTH, "--set", "judge.rubric=Be kind.")
    assert refused.exit_code == 2
    assert "Nobody judges, so judge.rubric says nothing." in refused.stderr
    named = ("--set", "judge.connection=paid_api:judge", "--set", "judge.pairwise_rubric=Be kind.")
    refused = run("evaluate", "q.csv", *BOTH, *named)
    assert refused.exit_code == 2
    assert "Answers are not compared, so judge.pairwise_rubric says nothing." in refused.stderr
    assert json.loads(run("runs", "list", "--json").stdout)["runs"] == []
