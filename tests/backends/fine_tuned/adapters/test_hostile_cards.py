"""One adapter whose files say the impossible is one row that says so; all others are listed as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backends.fine_tuned.adapters.catalogue import adapters, delete
from backends.fine_tuned.adapters.importing import import_folder
from backends.fine_tuned.train.runs import runs
from backends.models.adapter_files import WEIGHTS, read
from backends.settings import load_settings
from tests.backends.fine_tuned.train.test_runs import made
from tests.backends.models.made_adapters import change_config, fault, make_lora
from ui.fine_tuned.adapter_table import table

IMPOSSIBLE = [
    ('{"created": "0001-01-01T00:00:00+14:00"}', "created"),
    ('{"created": "9999-12-31T23:59:59-12:00"}', "created"),
    ('{"created": "1600-01-01"}', "created"),
    ('{"seconds": 1e300}', "seconds"),
    ('{"steps": -1}', "steps"),
    ('{"cost_usd": "1e999999"}', "cost_usd"),
    ('{"score": {"questions": 9000000000000000, "base": 0, "adapter": 1}}', "score.questions"),
    (json.dumps({"command": "x" * 10_001}), "command"),
]
DAMAGED = [
    '{"base_model": "\\ud800"}',
    '{"settings": {"\\udfff": 1}}',
    '{"seconds": Infinity}',
    '{"final_loss": NaN}',
    '{"settings": {"deep": [-Infinity]}}',
    f'{{"seconds": 1{"0" * 4000}}}',
    '{"final_loss": 1e400}',
    f'{{"data": {"[" * 5000}{"]" * 5000}}}',
    json.dumps({"x": "y" * 2_000_001}),
    "\xff",
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_lora(tmp_path / "adapters" / "good", card={"base_model": "tiny", "created": "2026-11-20"})
    make_lora(tmp_path / "adapters" / "bad")
    return tmp_path


def check_one_row(data: Path, said: str) -> None:
    """The list is drawn, the bad one says what is wrong, cannot be imported, and can be deleted."""
    listed = adapters(load_settings({"data": str(data), "raw.model": "tiny"}))
    frame = table(listed, "good")
    frame.to_json(date_format="iso")
    assert sorted(frame["Adapter"]) == ["bad", "brambleworth", "good \u2605 answers"]
    found = {one.name: one.fit for one in listed}
    assert found["good"].fits
    assert found["bad"].reason.startswith(said)
    assert fault(lambda: import_folder(data / "adapters" / "bad", data, "again"))[0].startswith(said)
    delete("bad", data)
    assert "bad" not in {one.name for one in adapters(load_settings({"data": str(data)}))}


@pytest.mark.parametrize(("card", "field"), IMPOSSIBLE)
def test_a_card_that_says_the_impossible(data: Path, card: str, field: str) -> None:
    (data / "adapters" / "bad" / "card.json").write_text(card)
    check_one_row(data, f"card.json of the adapter bad says the impossible under {field}.")


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("file", ["card.json", "adapter_config.json"])
def test_a_file_that_no_page_can_take(data: Path, file: str, text: str) -> None:
    (data / "adapters" / "bad" / file).write_text(text, encoding="latin-1")
    check_one_row(data, f"{file} of the adapter bad is damaged.")


@pytest.mark.parametrize("end", ["1e999", "Infinity", "1" + "0" * 4000, "NaN"])
def test_a_header_whose_numbers_are_none(data: Path, end: str) -> None:
    header = f'{{"a": {{"dtype": "F32", "shape": [1], "data_offsets": [0, {end}]}}}}'.encode()
    (data / "adapters" / "bad" / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    check_one_row(data, f"{WEIGHTS} of the adapter bad is damaged.")


def test_a_base_with_half_a_surrogate_pair(data: Path) -> None:
    change_config(data / "adapters" / "bad", base_model_name_or_path="\ud800")
    check_one_row(data, "adapter_config.json of the adapter bad is damaged.")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("run.json", {"created": "0001-01-01T00:00:00+14:00"}),
        ("run.json", {"created": "2026-11-20T10:00:00"}),
        ("run.json", {"name": 5}),
        ("run.json", {"settings": {"rank": "many"}}),
        ("state.json", {"step": "x"}),
        ("state.json", {"step": float("inf")}),
        ("state.json", {"reason": "\ud800"}),
    ],
)
def test_a_training_that_says_the_impossible_is_left_out(tmp_path: Path, file: str, change: dict[str, object]) -> None:
    good, bad = made(tmp_path, "a", 5), made(tmp_path, "b", 6)
    told = json.loads((bad.folder / file).read_text())
    (bad.folder / file).write_text(json.dumps(told | change))
    assert runs(tmp_path) == [good]
    shutil.rmtree(bad.folder)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"r": 10**9}, "says rank 1000000000; its tensors have at most rank 4."),
        ({"r": 5}, "says rank 5; its tensors have at most rank 4."),
        ({"r": 0}, "says rank 0; its tensors have at most rank 4."),
        ({"r": "4"}, "says rank 4; its tensors have at most rank 4."),
        ({"r": None}, "says rank None; its tensors have at most rank 4."),
        ({"rank_pattern": {"q_proj": 10**9}}, "says rank 1000000000; its tensors have at most rank 4."),
        ({"lora_alpha": 10**12}, "says alpha 1000000000000; it has to be a number of at most 1,000,000."),
        ({"lora_alpha": [8]}, "says alpha [8]; it has to be a number of at most 1,000,000."),
        ({"alpha_pattern": {"q_proj": 1e300}}, "says alpha 1e+300; it has to be a number of at most 1,000,000."),
    ],
)
def test_a_rank_that_its_tensors_do_not_have(data: Path, fields: dict[str, object], said: str) -> None:
    change_config(data / "adapters" / "bad", **fields)
    check_one_row(data, f"The adapter bad {said}")


def test_a_common_rank_that_no_module_has_makes_no_room(data: Path) -> None:
    folder = data / "adapters" / "bad"
    change_config(folder, r=10**9, rank_pattern={"proj": 4})
    assert read(folder).config["r"] == 4
