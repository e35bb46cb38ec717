"""An exported session: without names, and with a script from which a stranger recomputes every figure of the page."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet
import pytest

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings import agreement, breakdown, rating, sessions
from evaluation.ratings.export import ENDINGS, export_session
from evaluation.ratings.model import Item, Plan, RatingSession
from evaluation.ratings.preference import counted, pair_preference, place_effects, preferences, wins
from evaluation.ratings.strength import strengths
from evaluation.statistics import Estimate

NAMES = ("Ada Lovelace", "Bo", "Cy", "Di")
APPROACHES = ("raw", "rag", "paid_api:acme")


def _item(number: int) -> Item:
    """Two or three answers of different lengths, some of which cite."""
    names = APPROACHES[: 2 if number == 5 else 3]
    return Item(
        number,
        f"Question {number}?\u2028 =1+1",
        {name: f"{name} {number} " + "word " * (number % (2 + place)) for place, name in enumerate(names)},
        gold="rag" if number % 4 == 0 else "",
        tags=("even",) if number % 2 == 0 else (),
        facts={
            "rag": {
                "status": "done",
                "latency_s": 0.5,
                "cost_usd": "0.01",
                "cites": number % 3 > 0,
                "scores": {"right": 1.0},
            },
            "raw": {"scores": {"right": float(number % 3 > 1)}},
        },
    )


@pytest.fixture
def session(sqlite_store: Store) -> RatingSession:
    """Twelve questions rated by four people and a judge; with guesses and a second round."""
    items = [_item(number) for number in range(12)]
    made = sessions.begin_session(
        sqlite_store, "Lamps", Plan("scale", ("correct", "clear"), repeated=0.25), items, seed=7
    )
    drawn = random.Random(3)
    tokens = [sessions.join(sqlite_store, made.code, name)[2] for name in NAMES]
    tokens.append(sessions.join(sqlite_store, made.code, "The judge", "judge")[2])
    _rate(sqlite_store, tokens, drawn)
    for token in tokens[:3]:
        guessed = list(APPROACHES)
        drawn.shuffle(guessed)
        rating.guess(sqlite_store, token, dict(zip(APPROACHES, guessed, strict=True)))
    sessions.begin_second_round(sqlite_store, made.session.id)
    _rate(sqlite_store, tokens[:2], drawn)
    sessions.set_state(sqlite_store, made.session.id, "locked")
    return sessions.find_session(sqlite_store, made.session.id)


def _rate(store: Store, tokens: list[str], drawn: random.Random) -> None:
    for token in tokens:
        turn = rating.next_turn(store, token)
        while turn.item is not None:
            merits = [min(5, drawn.randint(1, 5) + (name == "rag")) for name in turn.order]
            said = {"scores": {"correct": merits, "clear": [drawn.randint(1, 5) for _ in turn.order]}}
            chance = drawn.random()
            said = {"skip": True} if chance < 0.05 else {"all_bad": True} if chance < 0.1 else said
            rating.save(store, token, turn.item.number, turn.again, said, "=SUM(A1)" if chance < 0.3 else "")
            turn = rating.next_turn(store, token)


def _recomputed(store: Store, session: RatingSession, folder: Path, *arguments: str) -> dict[str, object]:
    export_session(store, session, folder / "all.zip")
    with zipfile.ZipFile(folder / "all.zip") as archive:
        archive.extractall(folder / "out")
    command = [sys.executable, "-I", str(folder / "out" / "recompute.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, timeout=120)
    return json.loads(done.stdout) if "--json" in arguments else {"text": done.stdout}


def _interval(one: Estimate | agreement.Alpha) -> dict[str, float]:
    assert one.low is not None
    assert one.high is not None
    return {"low": one.low, "high": one.high}


def _near(values: dict[str, float]) -> object:
    return pytest.approx(values, abs=1e-9, rel=0)


@pytest.mark.parametrize("number", [1, 2])
def test_a_stranger_recomputes_every_figure(
    sqlite_store: Store, session: RatingSession, tmp_path: Path, number: int
) -> None:
    found = _recomputed(sqlite_store, session, tmp_path, "--json", "--round", str(number))
    people = [one for one in sessions.raters_of(sqlite_store, session.id) if one.kind == "person"]
    own = [one for one in sessions.ratings_of(sqlite_store, session.id, number)]
    human = [one for one in own if one.rater in {person.id for person in people}]
    items = {one.number: one for one in sessions.items_of(sqlite_store, session.id)}
    assert found["ratings"] == len(counted(human))
    assert found["skipped"] == sum(one.skipped for one in human)
    for preference in preferences(human, session.approaches):
        said = found["preferences"][preference.approach]
        assert preference.net is not None
        wanted = {"net": preference.net.value, **_interval(preference.net), "ratings": preference.ratings}
        assert said == _near(wanted)
    for row, pair in zip(found["pairs"], wins(human, session.approaches), strict=True):
        gap = pair_preference(human, pair.approach, pair.other)
        assert gap is not None
        counts = {"won": pair.won, "lost": pair.lost, "tied": pair.tied}
        assert (row.pop("approach"), row.pop("other")) == (pair.approach, pair.other)
        assert row == _near(counts | {"net": gap.value, **_interval(gap)})
    for key, styled in (("strengths", None), ("strengths_without_style", items)):
        model = strengths(human, session.approaches, styled)
        wanted = {one.approach: {"log": one.log.value, **_interval(one.log)} for one in model.of}
        if model.doubling is not None:
            wanted["length"] = {"log": model.doubling.value, **_interval(model.doubling)}
        if model.citing is not None:
            wanted["cites"] = {"log": model.citing.value, **_interval(model.citing)}
        assert (key == "strengths") == (len(wanted) == 3)
        assert found[key].keys() == wanted.keys()
        for name, row in wanted.items():
            assert found[key][name] == _near(row)
    leans = {"length": breakdown.longer(human, items), "cites": breakdown.citing(human, items)}
    leans |= {f"score {name}": one for name, one in breakdown.by_score(human, items).items()}
    assert len(leans) == 3
    for name, lean in leans.items():
        assert lean is not None
        assert found["leans"][name] == _near({"net": lean.net.value, **_interval(lean.net), "pairs": lean.pairs})
    (even,) = breakdown.by_tag(human, items, session.approaches)
    for own in even.of:
        assert own.net is not None
        wanted = {"net": own.net.value, **_interval(own.net), "ratings": own.ratings}
        assert found["by_tag"]["even"][own.approach] == _near(wanted)
    effects = place_effects(human)
    assert len(effects) == 3
    for row, effect in zip(found["places"], effects, strict=True):
        assert row == _near(
            {"place": effect.place, "shown": effect.shown, "net": effect.net.value, **_interval(effect.net)}
        )
    for criterion in ("", "correct", "clear"):
        alpha = agreement.alpha(human, criterion=criterion)
        assert alpha.value is not None
        assert found["alpha"][criterion] == _near({"value": alpha.value, **_interval(alpha), "units": alpha.units})
    twice = agreement.self_consistency(human)
    assert twice.of > 0
    assert (found["self_consistency"]["hits"], found["self_consistency"]["of"]) == (twice.hits, twice.of)
    gold = agreement.gold_accuracy(human, items)
    assert sorted((one["hits"], one["of"]) for one in found["gold"].values()) == sorted(
        (one.hits, one.of) for one in gold.values()
    )
    blind = agreement.blinding(people, session.approaches)
    assert blind.p is not None
    wanted = {"right": blind.right, "of": blind.of, "expected": blind.expected, "p": blind.p}
    assert found["blinding"] == _near(wanted)


def test_the_script_says_it_in_words_as_well(sqlite_store: Store, session: RatingSession, tmp_path: Path) -> None:
    said = str(_recomputed(sqlite_store, session, tmp_path)["text"])
    assert said.startswith(f"Session {session.id}: ")
    assert "rag against paid_api:acme: won " in said


def test_nothing_in_an_export_names_a_rater_or_lets_anybody_in(
    sqlite_store: Store, session: RatingSession, tmp_path: Path
) -> None:
    ids = [one.id for one in sessions.raters_of(sqlite_store, session.id)]
    for ending in ENDINGS:
        export_session(sqlite_store, session, tmp_path / f"export{ending}")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        content = b"\0".join(archive.read(name) for name in archive.namelist())
    content += b"".join((tmp_path / f"export{ending}").read_bytes() for ending in ENDINGS if ending != ".zip")
    for secret in (*NAMES[:1], *ids, session.code_hash, "token"):
        assert secret.encode() not in content, secret


def test_tables_have_a_row_for_each_answer(sqlite_store: Store, session: RatingSession, tmp_path: Path) -> None:
    for ending in (".csv", ".parquet", ".jsonl"):
        export_session(sqlite_store, session, tmp_path / f"export{ending}")
    said = [json.loads(line) for line in (tmp_path / "export.jsonl").read_text().split("\n") if line]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "export.csv").read_text("utf-8-sig"))))
    table = pyarrow.parquet.read_table(tmp_path / "export.parquet").to_pylist()
    assert len(said) == len(sessions.ratings_of(sqlite_store, session.id))
    assert len(rows) == len(table) == sum(len(one["shown"]) for one in said)
    assert {row["comment"] for row in rows} == {"", "'=SUM(A1)"}
    assert {row["comment"] for row in table} == {"", "=SUM(A1)"}
    first = table[0]
    assert (first["place"], first["approach"]) == (1, said[0]["shown"][0])
    assert {row["rank"] for row in table if row["skipped"]} <= {None}
    scored = next(row for row in table if row["approach"] == "rag" and not row["skipped"] and not row["all_bad"])
    assert scored["score_right"] == 1.0
    assert scored["rated_correct"] in (1, 2, 3, 4, 5)


def test_a_session_that_goes_on_is_not_exported(sqlite_store: Store, session: RatingSession, tmp_path: Path) -> None:
    for state in ("open", "paused"):
        sessions.set_state(sqlite_store, session.id, state)  # type: ignore[arg-type]
        going_on = sessions.find_session(sqlite_store, session.id)
        with pytest.raises(BackendError, match="not over"):
            export_session(sqlite_store, going_on, tmp_path / "export.zip")
    with pytest.raises(BackendError, match="cannot be written"):
        export_session(sqlite_store, session, tmp_path / "export.txt")
    assert list(tmp_path.glob("export*")) == []
