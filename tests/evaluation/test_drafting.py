"""Question sets drafted from documents: by a model on a server of this machine, and by rule."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from backends.errors import BackendError
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.files import Pair
from backends.rag.store.library import StoredChunk
from backends.run.jobs import Job
from backends.settings import Settings, load_settings
from evaluation.drafting import (
    RULE,
    able_writers,
    drafted_in,
    estimate_drafting,
    sample_of,
    start_drafting,
    supporting_sentence,
)
from evaluation.samples import Sample
from tests.backends.openai_server import PATH, STOP, sse, text_chunk
from tests.scripted import PATIENCE_S

DESK = "The desk opens at 9:00 every day. Rooms are booked by post. An opened kettle may be returned within 28 days."
GYM = "The gym card costs 40 euros. It is valid for a year."
REPLY = (
    "Q: When does the desk open every day?\nA: The desk opens at 9:00.\nQ: Who is the owner of it all?\nA: Ann Smith."
)
USAGE = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 50}}


def chunk(row: int, document: str, text: str) -> StoredChunk:
    return StoredChunk(row, str(row), document, 1, 0, len(text), "", text)


CHUNKS = [chunk(1, "desk.pdf", DESK), chunk(2, "gym.md", GYM)]


@pytest.fixture
def writing(tmp_path_factory: pytest.TempPathFactory, httpserver: HTTPServer) -> Callable[..., Settings]:
    folder = tmp_path_factory.mktemp("drafting")

    def made(**more: str) -> Settings:
        given = {"base_url": httpserver.url_for("/v1"), "model": "writer-1", "max_retries": "0"}
        given |= {"price.input_usd": "100", "price.output_usd": "200", "price.date": "2026-11-30"}
        named = {f"connections.own.{name}": value for name, value in given.items()}
        return load_settings({"data": str(folder)} | named | {k.replace("__", "."): v for k, v in more.items()})

    return made


def ended(job: Job) -> Job:
    assert job.wait(PATIENCE_S)
    return job


def test_a_model_drafts_and_the_sentence_of_the_document_is_the_reference(
    writing: Callable[..., Settings], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_response(sse(text_chunk(REPLY), STOP, USAGE))
    settings = writing()
    assert "paid_api:own" in able_writers(settings)
    job = ended(start_drafting(settings, "paid_api:own", CHUNKS[:1], 2))
    assert job.state.fault is None
    (one,) = drafted_in(job.state)  # what names somebody who is not in the passage was dropped
    assert one.sample == Sample(
        *("", "When does the desk open every day?", "The desk opens at 9:00 every day.", (("9:00",),)),
        *(("desk.pdf",), (), "desk.pdf"),
    )
    assert one.passage == DESK


def test_the_cap_counts_all_of_a_drafting_together(writing: Callable[..., Settings], httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(sse(text_chunk(REPLY), STOP, USAGE))
    free = writing()
    estimate = estimate_drafting(free, "paid_api:own", CHUNKS * 3, 2)
    assert estimate is not None
    (one,) = estimate.parts
    assert (one.cells, one.charged) == (6, True)
    assert one.usd
    assert one.usd > Decimal("0.01")
    assert one.reserved_usd
    each = one.reserved_usd / min(6, make_at_once(free))
    job = ended(start_drafting(writing(budget__per_run_usd=f"{each * Decimal('1.5')}"), "paid_api:own", CHUNKS * 3, 2))
    assert isinstance(job.state.fault, BackendError)
    assert "Drafting stopped:" in str(job.state.fault)
    assert "budget.per_run_usd" in str(job.state.fault)
    assert 1 <= len(httpserver.log) < 6
    assert len(drafted_in(job.state)) == 1  # what was made by then can be reviewed


def make_at_once(settings: Settings) -> int:
    from backends.registry import make

    return make("paid_api:own", settings).at_once


def test_a_server_that_fails_ends_with_its_sentence(writing: Callable[..., Settings], httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(Response("{}", 500))
    job = ended(start_drafting(writing(), "paid_api:own", CHUNKS, 2))
    assert str(job.state.fault).startswith("Drafting stopped:")
    assert drafted_in(job.state) == []


def test_the_rule_drafts_from_sentences_that_state_a_number(writing: Callable[..., Settings]) -> None:
    settings = writing()
    assert able_writers(settings)[-1] == RULE
    assert estimate_drafting(settings, RULE, CHUNKS, 2) is None
    job = ended(start_drafting(settings, RULE, CHUNKS, 2))
    assert [
        (one.sample.question, one.sample.reference_answer, one.sample.cluster) for one in drafted_in(job.state)
    ] == [
        (
            "Within how many days may an opened kettle be returned?",
            "An opened kettle may be returned within 28 days.",
            "desk.pdf",
        ),
        ("How much does the gym card cost?", "The gym card costs 40 euros.", "gym.md"),
    ]
    assert drafted_in(job.state)[1].sample.key_facts[0][0] == "40 euros"
    assert drafted_in(job.state)[1].passage == GYM


def test_key_facts_are_figures_or_names_that_the_question_does_not_say() -> None:
    def facts(question: str, answer: str) -> tuple[tuple[str, ...], ...]:
        return sample_of(Draft(Pair(question, answer), answer, "d")).sample.key_facts

    assert facts("How long is it open on 3 May?", "On 3 May it is open from 9 to 17.") == (
        ("9", "nine"),
        ("17", "seventeen"),
    )
    assert facts("Who runs the desk?", "The desk is run by Ann Smith.") == (("Ann Smith",),)
    assert facts("Is it open?", "Yes, it is open.") == ()


def test_an_answer_that_no_sentence_holds_is_its_own_reference() -> None:
    assert supporting_sentence("Penguins live in Antarctica.", DESK) == ""
    one = sample_of(Draft(Pair("Where do penguins live?", "Penguins live in Antarctica."), DESK, "desk.pdf"))
    assert one.sample.reference_answer == "Penguins live in Antarctica."
