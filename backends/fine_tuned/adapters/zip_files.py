"""An adapter as a zip file: written for whoever wants to load it elsewhere, and unpacked with suspicion.

In it are the folder's own files, without sub-folders: peft's two, the card and its README, and a tokenizer's if there
is one. Of an uploaded zip only such files are taken, each under a name of our choice, so no path in it leads anywhere.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import README, readme
from backends.models.adapter_files import CONFIG, WEIGHTS, read
from backends.storage.files import links_outside

MAX_ZIP_BYTES = 1_000_000_000
"""A LoRA of a 7B model at rank 64 takes about 320 MB in bfloat16."""

MAX_TEXT_BYTES = 20_000_000
"""For each file that is no weights; a large tokenizer.json takes 17 MB."""

MAX_RATIO = 20
"""A zip may unpack to so many times its size: weights hardly get smaller, a tokenizer to a fifth."""

SMALL_BYTES = 20_000_000
"""So much may come out of any zip, whatever its ratio."""

_MAX_ENTRIES = 200
_MAX_NAME_BYTES = 200
_TEXTS = (".json", ".jsonl", ".csv", ".md", ".txt", ".jinja")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_ENCRYPTED = 0x1
_BLOCK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same folder gives the same zip
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
_TAIL = 22 + 65_535  # the end record with the longest comment there can be


def write_zip(folder: Path, stream: IO[bytes]) -> None:
    """Write the adapter in `folder` to `stream`. Raises `BackendError` if it is damaged."""
    check_links(folder)
    files = read(folder)
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(folder.iterdir()):
            if file.is_file() and is_wanted(file.name):
                with archive.open(_entry(f"{folder.name}/{file.name}"), "w", force_zip64=False) as entry:
                    entry.write(file.read_bytes())
        if not (folder / README).is_file():
            card = {"base_model": files.base_model, "method": files.method, "sha256": files.sha256} | files.card
            archive.writestr(_entry(f"{folder.name}/{README}"), readme(folder.name, card))


def zip_bytes(folder: Path) -> bytes:
    """The adapter in `folder` as the bytes of a zip file."""
    stream = io.BytesIO()
    write_zip(folder, stream)
    return stream.getvalue()


def is_wanted(name: str) -> bool:
    """Whether a file of this name belongs to an adapter."""
    if name.startswith("."):
        return False
    return name in (WEIGHTS, "LICENSE", "NOTICE") or name.endswith(_TEXTS)


def check_links(folder: Path) -> None:
    """Raise `BackendError` for a file of the adapter that is a link to something outside of its folder."""
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_wanted(file.name) and links_outside(file, folder):
            raise BackendError(
                f"{file.name} in {folder.name} is a link that leads out of the folder.",
                "Put a copy of the file in its place.",
            )


def unpack(source: bytes | Path, target: Path) -> None:
    """Unpack an uploaded zip's adapter into the folder `target`, which is made.

    Raises `BackendError` for what is no zip of an adapter, is too large, encrypted, or holds pickled weights only.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        _check_size(stream)
        try:
            with zipfile.ZipFile(stream) as archive:
                entries = _entries(archive)
                target.mkdir(parents=True)
                size = stream.seek(0, io.SEEK_END)
                left = min(MAX_ZIP_BYTES, max(SMALL_BYTES, MAX_RATIO * size))
                for name, entry in entries.items():
                    limit = MAX_ZIP_BYTES if name == WEIGHTS else MAX_TEXT_BYTES
                    left -= _copy(archive, entry, target / name, limit, left)
        except _DAMAGE as error:
            raise BackendError("The zip file is damaged.", "Download or make it again.") from error


def _entry(name: str) -> zipfile.ZipInfo:
    """Stored as it is: weights do not get smaller."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    return entry


def _check_size(stream: IO[bytes]) -> None:
    """Refuse a file that is too large, or whose table of contents would fill the memory, before it is read."""
    size = stream.seek(0, io.SEEK_END)
    if size > MAX_ZIP_BYTES:
        raise BackendError(f"The zip file is larger than {MAX_ZIP_BYTES // 1_000_000} MB.", "Use the adapter's folder.")
    stream.seek(max(0, size - _TAIL))
    tail = stream.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise BackendError("The file is no zip file.", "Give the zip of an adapter's folder.")
    many = int.from_bytes(tail[end + 10 : end + 12], "little") > _MAX_ENTRIES
    if many or int.from_bytes(tail[end + 12 : end + 16], "little") > _MAX_ENTRIES * 1000:
        raise BackendError(f"The zip file holds more than {_MAX_ENTRIES} files.", "Zip the adapter's folder alone.")
    if b"PK\x06\x07" in tail[max(0, end - 20) : end]:  # a second table of contents, which only larger files need
        raise BackendError("The zip file is in the format for more than 4 GB.", "Zip the adapter's folder alone.")
    stream.seek(0)


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """File name -> entry, for the files beside the one `adapter_config.json`."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    configs = [PurePosixPath(entry.filename) for entry in entries if PurePosixPath(entry.filename).name == CONFIG]
    if not configs:
        raise BackendError(f"The zip file holds no {CONFIG}.", "Give the zip of an adapter's folder.")
    top = min(configs, key=lambda path: len(path.parts))
    if [path for path in configs if len(path.parts) == len(top.parts)] != [top]:
        raise BackendError("The zip file holds more than one adapter.", "Zip one adapter's folder alone.")
    beside = [entry for entry in entries if PurePosixPath(entry.filename).parent == top.parent]
    found = {PurePosixPath(entry.filename).name: entry for entry in beside}
    if WEIGHTS not in found:
        unsafe = next((name for name in found if name.endswith(_UNSAFE)), None)
        raise BackendError(
            f"The zip file holds no {WEIGHTS}" + (f", only {unsafe}." if unsafe else "."),
            "Only safetensors are loaded; save the adapter with `save_pretrained(..., safe_serialization=True)`.",
        )
    if len(found) < len(beside):
        raise BackendError("The zip file holds two files of one name.", "Zip the adapter's folder again.")
    wanted = {name: entry for name, entry in found.items() if is_wanted(name)}
    for entry in wanted.values():
        _check_entry(entry)
    return wanted


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise BackendError("The zip file is protected by a password.", "Make one without a password.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BackendError("The zip file holds a link in place of a file.", "Zip the files themselves.")
    if len(PurePosixPath(entry.filename).name.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
        raise BackendError("The zip file holds a file with too long a name.", "Give it a shorter one.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BackendError("The zip file is packed in an unusual way.", "Make an ordinary zip file.")


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int, left: int) -> int:
    """Unpack one file, counting what really comes out; returns that. `limit` is the file's own, `left` the zip's."""
    out = 0
    with archive.open(entry) as source, target.open("xb") as sink:
        while block := source.read(_BLOCK):
            out += len(block)
            if out > limit:
                raise BackendError(
                    f"{target.name} in the zip file unpacks to more than {limit // 1_000_000} MB.",
                    "Zip the adapter's folder alone.",
                )
            if out > left:
                raise BackendError(
                    f"The zip file unpacks to more than {MAX_ZIP_BYTES // 1_000_000} MB, "
                    f"or to more than {MAX_RATIO} times its size, as no adapter does.",
                    "If you trust it, unpack it yourself and import the folder.",
                )
            sink.write(block)
    return out
