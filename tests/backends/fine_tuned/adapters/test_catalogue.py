"""The catalogue: what is listed, what is said of it, and what can be done to it."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.fine_tuned.adapters.card import Score
from backends.fine_tuned.adapters.catalogue import (
    SAMPLE_ADAPTERS,
    adapter_folder,
    adapter_folders,
    adapters,
    base_in_force,
    check_name,
    delete,
    deleted,
    empty_trash,
    free_name,
    publish,
    rename,
    restore,
)
from backends.fine_tuned.pairs.files import digest, read_pairs
from backends.models.adapter_files import Fit
from backends.settings import DEFAULT_MODEL, Settings, load_settings
from backends.storage.files import sha256
from tests.backends.models.made_adapters import fault, load_base, make_lora

CARD = {
    "base_model": "tiny",
    "method": "lora",
    "created": "2026-11-20T10:00:00+01:00",
    "score": {"questions": 10, "base": 1, "adapter": 9},
}

SAMPLE = SAMPLE_ADAPTERS / "brambleworth"
SAMPLE_PAIRS = SAMPLE_ADAPTERS.parent / "train.jsonl"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"data": str(tmp_path), "raw.model": "acme/tiny"})


@pytest.fixture
def doors(tmp_path: Path) -> Path:
    """An adapter in the data folder, trained here."""
    return make_lora(tmp_path / "adapters" / "doors", card=CARD)


def names(settings: Settings) -> list[str]:
    """The adapters of one's own that are listed."""
    return [one.name for one in adapters(settings) if one.origin != "sample"]


# --- listing --------------------------------------------------------------------------------------


def test_an_adapter_is_described(settings: Settings, doors: Path) -> None:
    found = {one.name: one for one in adapters(settings)}["doors"]
    assert (found.folder, found.origin, found.source) == (doors, "trained here", "")
    assert (found.base_model, found.method, found.score) == ("tiny", "lora", Score(10, 1, 9))
    assert found.created == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert found.size_bytes == (doors / "adapter_model.safetensors").stat().st_size
    assert found.sha256 == sha256(doors / "adapter_model.safetensors")
    assert found.fit == Fit(
        True,
        "It was trained for tiny, by its name a copy of acme/tiny. Shapes are compared once the base is loaded; "
        "whether its weights are those of this base is not known.",
    )


def test_the_sample_fits_the_default_base(tmp_path: Path) -> None:
    (sample,) = adapters(load_settings({"data": str(tmp_path)}))
    assert (sample.name, sample.origin, sample.base_model) == ("brambleworth", "sample", DEFAULT_MODEL)
    assert sample.fit == Fit(True)
    assert sample.score == Score(88, 0, 79)


def test_shapes_count_once_the_base_is_in_memory(tiny_model: Path, tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "raw.model": str(tiny_model)})
    make_lora(tmp_path / "adapters" / "doors")
    base = load_base(str(tiny_model))
    in_force = base_in_force(settings)
    assert (in_force.model_id, in_force.revision) == ("tiny", base.weights.revision)
    assert in_force.shapes is not None
    assert in_force.shapes["lm_head.weight"] == (49152, 32)
    assert {one.name: one.fit for one in adapters(settings)}["doors"] == Fit(True)


def test_a_base_that_is_a_folder_has_its_name(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "mine")
    found = base_in_force(load_settings({"raw.model": str(tmp_path / "mine")}))
    assert (found.model_id, found.folder, found.shapes) == ("mine", tmp_path / "mine", None)


@pytest.mark.parametrize("name", ["doors.123.part", "doors.123.old", ".doors", "doors.part"])
def test_what_is_still_being_written_is_never_listed(settings: Settings, tmp_path: Path, name: str) -> None:
    make_lora(tmp_path / "adapters" / name, card=CARD)
    assert names(settings) == []


@pytest.mark.parametrize("missing", ["adapter_model.safetensors", "adapter_config.json"])
def test_half_an_adapter_is_never_listed(settings: Settings, doors: Path, missing: str) -> None:
    (doors / missing).unlink()
    assert names(settings) == []


def test_a_damaged_adapter_is_listed_with_what_is_wrong(settings: Settings, doors: Path) -> None:
    make_lora(doors.with_name("windows"), seed=1, card=CARD | {"created": "2026-11-21"})
    with (doors / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")
    listed = [one for one in adapters(settings) if one.origin != "sample"]
    assert [one.name for one in listed] == ["windows", "doors"]
    assert listed[1].fit == Fit(
        False, "adapter_model.safetensors of the adapter doors is damaged. Restore the adapter."
    )
    assert (listed[1].created, listed[1].sha256) == (None, "")


@pytest.mark.parametrize(
    "card", [{}, {"score": {"questions": "10"}, "created": 5, "method": 7, "base_model": ["x"], "seconds": "1e9"}]
)
def test_a_card_from_elsewhere_may_say_anything(settings: Settings, doors: Path, card: dict[str, object]) -> None:
    (doors / "card.json").write_text(json.dumps(card))
    os.utime(doors / "adapter_model.safetensors", (1_700_000_000, 1_700_000_000))
    found = {one.name: one for one in adapters(settings)}["doors"]
    assert (found.score, found.method, found.base_model) == (None, "lora", None if card else "tiny")
    assert found.created == datetime.fromtimestamp(1_700_000_000, UTC)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("windows", "windows"),
        ("doors", "doors-2"),
        ("Türen & Tore.zip", "T-ren-Tore.zip"),
        ("../../etc", "etc"),
        ("", "adapter"),
        ("x" * 80, "x" * 48),
        ("half.part", "half.part-2"),
    ],
)
def test_a_free_name(doors: Path, tmp_path: Path, wanted: str, name: str) -> None:
    assert free_name(wanted, tmp_path) == name


# --- changes --------------------------------------------------------------------------------------


def test_renaming(settings: Settings, doors: Path) -> None:
    assert rename("doors", "gates", settings.data) == doors.with_name("gates")
    assert names(settings) == ["gates"]
    assert fault(lambda: rename("gates", "brambleworth", settings.data))[0] == (
        "There is an adapter called brambleworth already."
    )
    assert fault(lambda: rename("doors", "windows", settings.data))[0] == "There is no adapter called doors any more."
    assert fault(lambda: rename("gates", "../gates", settings.data))[0] == "'../gates' cannot be an adapter's name."


def test_a_readme_follows_the_name(settings: Settings, doors: Path) -> None:
    (doors / "README.md").write_text("# doors\n")
    assert "\n# gates\n" in (rename("doors", "gates", settings.data) / "README.md").read_text()


def test_deleting_can_be_undone(settings: Settings, doors: Path) -> None:
    content = {file.name: file.read_bytes() for file in doors.iterdir()}
    gone = delete("doors", settings.data)
    assert names(settings) == []
    assert deleted(settings.data) == [type(gone)(gone.id, "doors", deleted(settings.data)[0].at)]
    assert restore(gone.id, settings.data) == "doors"
    assert {file.name: file.read_bytes() for file in doors.iterdir()} == content
    assert deleted(settings.data) == []
    assert fault(lambda: restore(gone.id, settings.data)) == (
        "That adapter is no longer in the trash.",
        "Train or import it again.",
    )


def test_a_restored_adapter_does_not_replace_a_new_one(settings: Settings, doors: Path) -> None:
    first = sha256(doors / "adapter_model.safetensors")
    gone = delete("doors", settings.data)
    make_lora(doors, seed=1)
    assert restore(gone.id, settings.data) == "doors-2"
    assert sha256(doors.with_name("doors-2") / "adapter_model.safetensors") == first
    assert sorted(names(settings)) == ["doors", "doors-2"]


def test_the_sample_cannot_be_deleted_or_renamed(settings: Settings) -> None:
    refusal = (
        "brambleworth comes with the program and stays as it is.",
        "Train or import one of your own.",
    )
    assert fault(lambda: delete("brambleworth", settings.data)) == refusal
    assert fault(lambda: rename("brambleworth", "mine", settings.data)) == refusal
    assert (SAMPLE_ADAPTERS / "brambleworth").is_dir()


def test_publishing_moves_an_older_one_to_the_trash(settings: Settings, doors: Path) -> None:
    first = sha256(doors / "adapter_model.safetensors")
    aside = make_lora(doors.with_name("doors.1.part"), seed=1)
    second = sha256(aside / "adapter_model.safetensors")
    assert publish(aside, "doors", settings.data) == doors
    assert sha256(doors / "adapter_model.safetensors") == second
    assert not aside.exists()
    (old,) = deleted(settings.data)
    assert restore(old.id, settings.data) == "doors-2"
    assert sha256(doors.with_name("doors-2") / "adapter_model.safetensors") == first


def test_the_trash_is_emptied_at_once_or_after_30_days(settings: Settings, doors: Path) -> None:
    size = sum(file.stat().st_size for file in doors.iterdir())
    delete("doors", settings.data)
    make_lora(doors, seed=1, card=CARD)

    (place,) = (settings.data / "adapters").glob(f"*/{deleted(settings.data)[0].id}")
    long_ago = time.time_ns() - (30 * 86_400 + 5) * 10**9
    place.rename(place.with_name(f"{long_ago}-{place.name.partition('-')[2]}"))
    delete("doors", settings.data)
    assert len(deleted(settings.data)) == 1
    assert empty_trash(settings.data) == size
    assert deleted(settings.data) == []
    assert empty_trash(settings.data) == 0


def test_a_disk_that_refuses_is_said(settings: Settings, doors: Path) -> None:
    (doors.parent / ".trash").write_text("in the way")
    assert fault(lambda: delete("doors", settings.data)) == (
        "The adapter doors could not be deleted: Not a directory.",
        "Reload the list and try again.",
    )
    assert list(adapter_folders(settings.data)) == ["brambleworth", "doors"]


# --- names, and the sample ------------------------------------------------------------------------


def test_an_adapter_of_ones_own_goes_before_a_sample_of_its_name(doors: Path, tmp_path: Path) -> None:
    assert adapter_folder("brambleworth", tmp_path) == SAMPLE
    own = doors.rename(doors.with_name("brambleworth"))
    assert adapter_folder("brambleworth", tmp_path) == own
    (own / "adapter_model.safetensors").unlink()
    assert adapter_folder("brambleworth", tmp_path) == SAMPLE


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a b", "a\n"])
def test_names_that_no_adapter_can_have(name: str) -> None:
    assert fault(lambda: check_name(name)) == (
        f"{name!r} cannot be an adapter's name.",
        "Use up to 64 letters, digits, dots, hyphens, underscores.",
    )


def test_the_sample_adapter_is_small_and_made_from_the_sample_pairs() -> None:
    assert sum(file.stat().st_size for file in SAMPLE.rglob("*")) <= 5_000_000
    card = json.loads((SAMPLE / "card.json").read_text())
    pairs = read_pairs(SAMPLE_PAIRS)
    assert (card["data"]["pairs"], card["data"]["sha256"]) == (len(pairs), digest(pairs))
    assert card["sha256"] == sha256(SAMPLE / "adapter_model.safetensors")
    assert card["command"].startswith("crossroads train sample_docs/train.jsonl --name brambleworth ")
    assert set(card["score"]) == {"question_set", "questions", "base", "adapter"}
    assert card["score"]["questions"] >= card["score"]["adapter"] > card["score"]["base"] >= 0
