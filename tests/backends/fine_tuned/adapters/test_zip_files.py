"""Adapters as zip files: what is written, and what an upload may not do."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path

import pytest

from backends.fine_tuned.adapters import zip_files
from backends.fine_tuned.adapters.zip_files import unpack, zip_bytes
from tests.backends.models.made_adapters import fault, make_lora

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return make_lora(tmp_path / "doors", card={"base_model": "tiny"})


def zipped(files: dict[str, bytes], **flags: int) -> bytes:
    """A zip of these files; `flags` are set on every entry."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            for flag, value in flags.items():
                setattr(entry, flag, value)
            archive.writestr(entry, content)
    return stream.getvalue()


def unpacked(source: bytes, target: Path) -> dict[str, bytes]:
    """What comes out of a zip."""
    unpack(source, target)
    return {str(file.relative_to(target)): file.read_bytes() for file in target.rglob("*")}


# --- writing --------------------------------------------------------------------------------------


def test_a_zip_holds_pefts_files_card_and_readme(lora: Path, tmp_path: Path) -> None:
    (lora / "checkpoint-1").mkdir()
    for name in ("optimizer.pt", ".hidden.json", "checkpoint-1/adapter_config.json"):
        (lora / name).write_bytes(b"x")
    (lora / "tokenizer.json").write_text("{}")
    with zipfile.ZipFile(io.BytesIO(zip_bytes(lora))) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert archive.read("doors/README.md").decode().startswith('---\nlibrary_name: "peft"\n')
    wanted = [CONFIG, WEIGHTS, "card.json", "tokenizer.json", "README.md"]
    assert names == [f"doors/{name}" for name in wanted]


def test_the_same_adapter_gives_the_same_zip_and_comes_out_as_it_went_in(lora: Path, tmp_path: Path) -> None:
    assert zip_bytes(lora) == zip_bytes(lora)
    found = unpacked(zip_bytes(lora), tmp_path / "out")
    assert {name: found[name] for name in (CONFIG, WEIGHTS, "card.json")} == {
        file.name: file.read_bytes() for file in lora.iterdir()
    }


def test_a_damaged_adapter_is_not_zipped(lora: Path) -> None:
    (lora / WEIGHTS).write_bytes(b"")
    assert fault(lambda: zip_bytes(lora))[0] == f"{WEIGHTS} of the adapter doors is damaged."


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "a/", "a/b/", "../", "/", "C:/x/"])
def test_only_the_adapters_own_files_come_out_under_their_plain_names(tmp_path: Path, folder: str) -> None:
    files = {f"{folder}{name}": name.encode() for name in (CONFIG, WEIGHTS, "card.json", "run.py", ".env.json")}
    more = {"../../outside.json": b"x", f"{folder}sub/{CONFIG}": b"x", "elsewhere.json": b"x"}
    source = zipped(files | (more if folder else {}))
    found = unpacked(source, tmp_path / "in" / "out")
    assert found == {name: name.encode() for name in (CONFIG, WEIGHTS, "card.json")}
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["in", "out", *found])


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({}, f"The zip file holds no {CONFIG}."),
        ({WEIGHTS: b"x"}, f"The zip file holds no {CONFIG}."),
        ({CONFIG: b"{}"}, f"The zip file holds no {WEIGHTS}."),
        ({CONFIG: b"{}", f"sub/{WEIGHTS}": b"x"}, f"The zip file holds no {WEIGHTS}."),
        ({CONFIG: b"{}", "adapter_model.bin": b"x"}, f"The zip file holds no {WEIGHTS}, only adapter_model.bin."),
        ({f"a/{CONFIG}": b"{}", f"b/{CONFIG}": b"{}"}, "The zip file holds more than one adapter."),
    ],
)
def test_a_zip_without_one_adapter(tmp_path: Path, files: dict[str, bytes], cause: str) -> None:
    assert fault(lambda: unpack(zipped(files), tmp_path / "out"))[0] == cause
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_files_of_one_name(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in (CONFIG, WEIGHTS, WEIGHTS):
            archive.writestr(name, b"{}")
    assert fault(lambda: unpack(stream.getvalue(), tmp_path / "out"))[0] == "The zip file holds two files of one name."


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        ({"external_attr": 0o120777 << 16}, "The zip file holds a link in place of a file."),
        ({"compress_type": zipfile.ZIP_LZMA}, "The zip file is packed in an unusual way."),
    ],
)
def test_odd_entries(tmp_path: Path, flags: dict[str, int], cause: str) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: b"x"}, **flags)
    assert fault(lambda: unpack(source, tmp_path / "out"))[0] == cause


def test_a_name_that_no_disk_takes(tmp_path: Path) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: b"x", "\u00e9" * 120 + ".json": b"{}"})
    said = fault(lambda: unpack(source, tmp_path / "out"))
    assert said == ("The zip file holds a file with too long a name.", "Give it a shorter one.")


def test_a_password(tmp_path: Path) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: b"x"}).replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )
    assert fault(lambda: unpack(source, tmp_path / "out"))[0] == "The zip file is protected by a password."


def test_a_bomb_is_stopped_by_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_files, "MAX_TEXT_BYTES", 1_000_000)
    source = zipped({CONFIG: bytes(5_000_000), WEIGHTS: b"x"})
    assert len(source) < 10_000
    assert fault(lambda: unpack(source, tmp_path / "out"))[0] == f"{CONFIG} in the zip file unpacks to more than 1 MB."
    assert (tmp_path / "out" / CONFIG).stat().st_size <= 1_000_000


RATIO = (
    "The zip file unpacks to more than 1000 MB, or to more than 20 times its size, as no adapter does.",
    "If you trust it, unpack it yourself and import the folder.",
)


def test_weights_that_grow_a_thousandfold_are_stopped_on_the_way(tmp_path: Path) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: bytes(100_000_000)})
    assert len(source) < 200_000
    assert fault(lambda: unpack(source, tmp_path / "out")) == RATIO
    assert (tmp_path / "out" / WEIGHTS).stat().st_size <= zip_files.SMALL_BYTES


def test_many_files_share_one_limit(tmp_path: Path) -> None:
    files = {CONFIG: b"{}", WEIGHTS: b"x"} | {f"{number}.json": bytes(3_000_000) for number in range(8)}
    assert fault(lambda: unpack(zipped(files), tmp_path / "out")) == RATIO
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= zip_files.SMALL_BYTES


def test_a_size_that_the_table_of_contents_invents_lets_nothing_more_through(tmp_path: Path) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: bytes(30_000_000)})
    size, less = ((number).to_bytes(4, "little") for number in (30_000_000, 1000))
    assert source.count(size) == 2
    assert fault(lambda: unpack(source.replace(size, less), tmp_path / "out"))[0] == "The zip file is damaged."
    assert (tmp_path / "out" / WEIGHTS).stat().st_size <= 1000


def test_a_large_zip_of_what_hardly_gets_smaller_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_files, "SMALL_BYTES", 1_000_000)
    weights = random.Random(1).randbytes(2_000_000) + bytes(2_000_000)
    assert unpacked(zipped({CONFIG: b"{}", WEIGHTS: weights}), tmp_path / "out")[WEIGHTS] == weights


def test_a_zip_that_is_too_large_or_holds_too_much_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = zipped({f"{number}.json": b"" for number in range(201)})
    assert fault(lambda: unpack(many, tmp_path / "out"))[0] == "The zip file holds more than 200 files."
    long = zipped({f"{number}{'x' * 60_000}.json": b"" for number in range(4)})
    assert fault(lambda: unpack(long, tmp_path / "out"))[0] == "The zip file holds more than 200 files."
    monkeypatch.setattr(zip_files, "MAX_ZIP_BYTES", 100)
    whole = zipped({CONFIG: b"{}", WEIGHTS: b"x"})
    assert fault(lambda: unpack(whole, tmp_path / "out"))[0] == "The zip file is larger than 0 MB."


def test_a_zip_with_a_second_table_of_contents(tmp_path: Path) -> None:
    source = zipped({CONFIG: b"{}", WEIGHTS: b"x"})
    end = source.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + bytes(16)
    assert fault(lambda: unpack(source[:end] + locator + source[end:], tmp_path / "out"))[0] == (
        "The zip file is in the format for more than 4 GB."
    )


@pytest.mark.parametrize("source", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_zip(tmp_path: Path, source: bytes) -> None:
    assert fault(lambda: unpack(source, tmp_path / "out"))[0] == "The file is no zip file."


def test_a_zip_cut_in_the_middle(lora: Path, tmp_path: Path) -> None:
    source = bytearray(zip_bytes(lora))
    source[4000:4100] = bytes(100)
    assert fault(lambda: unpack(bytes(source), tmp_path / "out")) == (
        "The zip file is damaged.",
        "Download or make it again.",
    )
    assert fault(lambda: unpack(bytes(source[5000:]), tmp_path / "two"))[0] == "The zip file is damaged."


def test_a_file_is_read_from_disk_too(lora: Path, tmp_path: Path) -> None:
    file = tmp_path / "doors.zip"
    file.write_bytes(zip_bytes(lora))
    unpack(file, tmp_path / "out")
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["r"] == 4
