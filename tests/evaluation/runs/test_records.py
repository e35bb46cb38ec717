"""What is written is what is read; one status per cell; texts are kept only where they may be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from backends.base import Attempt, Cost, Timings, Usage
from backends.errors import BackendError
from backends.settings import Settings, load_settings
from backends.store.database import Store
from backends.store.tables import metadata
from evaluation.runs.model import content_hash
from evaluation.runs.records import (
    add_cell,
    all_runs,
    counts,
    find_run,
    note_approach,
    samples_of,
    scores_of,
    set_scores,
    set_state,
    unscored,
)
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import SAMPLES, begun, cell, kept, passage


def test_a_run_is_read_as_it_was_written(store: Store, settings: Settings) -> None:
    run = begun(store, settings, repeats=2)
    assert all_runs(store) == [run]
    note_approach(store, run.id, "rag", model="a model", identity={"collection": "handbook"}, stopped="No key.")
    set_state(store, run.id, "done")
    found = find_run(store, run.id[:-2])
    assert (found.state, found.cells, found.finished_at is not None) == ("done", 24, True)
    rag = found.approach("rag")
    assert (rag.model, rag.identity, rag.stopped) == ("a model", {"collection": "handbook"}, "No key.")
    assert samples_of(store, run) == list(SAMPLES_WITH_CLUSTERS)
    assert find_run(store, "latest") == found


SAMPLES_WITH_CLUSTERS = tuple(replace(one, cluster=one.sources[0]) for one in SAMPLES)


def test_a_run_that_is_not_there_or_not_the_only_one_is_said(store: Store, settings: Settings) -> None:
    with pytest.raises(BackendError, match="There is no run 'latest'"):
        find_run(store, "latest")
    begun(store, settings)
    begun(store, settings)
    with pytest.raises(BackendError, match="2 runs begin with 20"):
        find_run(store, "20")
    with pytest.raises(BackendError, match="There is no run ''"):
        find_run(store, "")


def test_a_cell_is_read_as_it_was_written(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    attempts = (Attempt(1, 0.0, 0.5, "rate limit", 429, 1.5), Attempt(2, 2.0, 1.0))
    written = cell(
        text="Null \x00, half \ud800, and ‘Grüße’.",
        timings=Timings(0.1, 0.2, 0.3, 0.4, None, 0.5, 0.6, 7.0),
        usage=Usage(10, 2**70, 3, 4, "server"),
        cost=Cost(Decimal("0.00000000123"), "a basis"),
        attempts=attempts,
        sources=(passage(),),
        notes=("a note",),
        finish_reason="stop",
    )
    add_cell(store, run.id, written)
    found = kept(store, run)["raw", 0, 0]
    assert found.text == "Null \ufffd, half \ufffd, and ‘Grüße’."
    assert found.timings == written.timings
    assert found.usage == Usage(10, None, 3, 4, "server")
    assert (found.cost, found.notes, found.finish_reason) == (written.cost, ["a note"], "stop")
    assert found.sources == [
        {
            "document": "0.md",
            "page": 1,
            "chunk_id": "chunk-1",
            "score": 0.5,
            "start": 0,
            "end": 15,
            "text": "Thing 0 is red.",
            "heading": "",
        }
    ]
    assert [one["fault"] for one in found.attempts] == ["rate limit", ""]


def test_an_answer_is_never_replaced_and_a_failure_is(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    add_cell(store, run.id, cell(status="error", text="", error="The server is away."))
    assert counts(store) == {run.id: (1, 1)}
    set_scores(store, run.id, {("raw", 0, 0): {"right": Score(False)}})
    add_cell(store, run.id, cell())
    found = kept(store, run)["raw", 0, 0]
    assert (found.status, found.asked, found.error) == ("ok", 2, None)
    assert list(scores_of(store, run.id)) == []
    with pytest.raises(IntegrityError):
        add_cell(store, run.id, cell(text="It is green."))
    assert kept(store, run)["raw", 0, 0].text == "It is red."


def test_cells_of_many_questions_come_in_order(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.runs.records._AT_ONCE", 2)
    run = begun(store, settings, repeats=2)
    wanted = [(position, repeat, one) for position in range(6) for repeat in range(2) for one in ("rag", "raw")]
    for position, repeat, approach in reversed(wanted):
        add_cell(store, run.id, cell(approach, position, repeat))
    assert [(position, repeat, approach) for approach, position, repeat in kept(store, run)] == wanted


def test_scores_are_kept_with_their_kind_and_replaced(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    add_cell(store, run.id, cell(), {"right": Score(True)})
    key = ("raw", 0, 0)
    assert unscored(store, run.id, ["right", "semantic"]) == {key}
    set_scores(store, run.id, {key: {"right": Score(False), "semantic": Score(0.5), "other": Score.failed("no")}})
    assert unscored(store, run.id, ["right", "semantic"]) == set()
    found = {scorer: score for _, scorer, score in scores_of(store, run.id)}
    assert found == {"right": Score(False), "semantic": Score(0.5), "other": Score.failed("no")}
    assert isinstance(found["right"].value, bool)


def test_without_texts_no_word_is_in_the_store(store: Store, settings: Settings) -> None:
    given = settings.model_copy(update={"store": settings.store.model_copy(update={"keep_texts": False})})
    run = begun(store, given)
    add_cell(
        store,
        run.id,
        cell(
            keep_texts=False, text="a secret answer", sources=(passage("a secret passage"),), notes=("a secret note",)
        ),
    )
    assert samples_of(store, run) is None
    with store.reading() as connection:
        everything = "".join(str(connection.execute(select(table)).all()) for table in metadata.sorted_tables)
    assert "0.md" in everything
    for word in ("secret", "colour is", "It is", "red"):
        assert word not in everything.replace("colours.csv", ""), word
    begun(store, settings)  # the same questions, by somebody who keeps texts
    assert samples_of(store, run) == list(SAMPLES_WITH_CLUSTERS)


def test_the_hash_is_of_what_questions_say() -> None:
    assert content_hash(SAMPLES) == content_hash(list(SAMPLES))
    changed = {content_hash([replace(SAMPLES[0], **{name: value})]) for name, value in CHANGES.items()}
    assert len({content_hash(SAMPLES[:1]), *changed}) == 1 + len(CHANGES)


CHANGES = {"question": "Why?", "key_facts": (("a", "b"),), "sources": ("1.md",), "critical": True, "cluster": "c"}


def test_a_url_in_settings_is_no_setting_of_the_run() -> None:
    shown = load_settings({"store.url": "postgresql://a:a-secret@b/c"})
    assert "a-secret" not in repr(shown)
