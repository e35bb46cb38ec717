"""Files become documents: found, checked, parsed in a child process, and cleaned."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends.errors import BackendError
from backends.rag.documents.data_files import NEXT_STEP, left_out, no_document, note
from backends.rag.documents.formats import FORMATS, extension_of, format_of
from backends.rag.documents.parser import ExtractProcess
from backends.storage.files import links_outside
from backends.text import count_hiding, normalised, visible_lines

PAGE_BREAK = "\n\n"
"""What joins the pages of a document into its text."""

FILE_LIMIT_S = 120.0
"""Wall-clock seconds for parsing one file, on a machine that also does other things."""

_GENERATED = frozenset({"__pycache__", "node_modules", "site-packages"})
"""Folders of what programs wrote, often thousands of files."""

_LEAVES = "The link leads out of the folder.", "Give what it points to itself, or put a copy of it into the folder."


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read and the name it is displayed under (posix, relative to the folder that was given).

    `named` means that the caller chose the name (an upload): it replaces a document of that name,
    wherever that came from. `links_outside`: it is a link out of the given folder, which is named and not read.
    `left_out`: what it is, if it is a file of the given folder that is named and not read because it is no document.
    `encoding`: what somebody says that its text is encoded in (an id of `encodings.CHOICES`), None to have it guessed.
    """

    path: Path
    name: str
    named: bool = False
    links_outside: bool = False
    left_out: str = ""
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page: number from 1 (None where the format has none), offset in the document's text, text."""

    page: int | None
    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read.

    `sha256` and `bytes` are those of the file; `format` is an id of `formats.FORMATS`; `language` is an
    ISO 639-1 code, None where it is not known (code, or too little text); `warnings` are plain sentences.
    """

    name: str
    sha256: str
    format: str
    pages: tuple[Page, ...]
    language: str | None = None
    warnings: tuple[str, ...] = ()
    bytes: int = 0

    @property
    def text(self) -> str:
        """The whole extracted text, in which all offsets count."""
        return PAGE_BREAK.join(page.text for page in self.pages)

    @property
    def characters(self) -> int:
        """How long `text` is."""
        return sum(len(page.text) for page in self.pages) + len(PAGE_BREAK) * (len(self.pages) - 1)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was not read: why, and what to do about it."""

    name: str
    cause: str
    next_step: str


def find_files(paths: Iterable[Path | str | Source]) -> list[Source]:
    """The files to index: folders expand to the supported files in them, sorted, hidden and generated ones left out.

    A file that is named itself is kept whatever its type and content. A folder that cannot be opened and a link that
    leaves the folder are kept as they are, so that they are rejected with a reason.
    Raises `BackendError` for a path that does not exist.
    """
    found: dict[Path, Source] = {}
    for given in paths:
        if isinstance(given, Source):
            found.setdefault(given.path, given)
            continue
        path = Path(os.path.abspath(given))
        if os.path.isdir(path):
            files = list(_supported(path))
            outside = {file for file in files if links_outside(file, path)}
            others = left_out([file for file in files if file not in outside])
            for file in files:
                name = _display_name(path.name if file == path else file.relative_to(path).as_posix())
                source = Source(file, name, links_outside=file in outside, left_out=others.get(file, ""))
                found.setdefault(file, source)
        elif os.path.lexists(path):
            named = Source(path, _display_name(path.name))
            found[path] = replace(found[path], left_out="") if path in found else named
        else:
            raise BackendError(f"There is no file or folder {given}.", "Check the path.")
    return list(found.values())


def in_encoding(paths: Iterable[Path | str | Source], encoding: str) -> list[Source]:
    """The files to index, read in an encoding that somebody chose where theirs would be guessed."""
    return [replace(source, encoding=encoding) for source in find_files(paths)]


def unsupported_types(paths: Iterable[Path | str]) -> list[str]:
    """How many files in these folders are of types that are not read, in words by type: `2 .doc`, `1 .png`."""
    folders = [Path(os.path.abspath(given)) for given in paths if os.path.isdir(given)]
    names = {file for folder in folders for file in _walk(folder) if file.is_file()}
    kinds = Counter(extension_of(file.name) for file in names)
    return [f"{count:,} {kind or 'without an extension'}" for kind, count in kinds.most_common() if kind not in FORMATS]


def _supported(folder: Path) -> Iterator[Path]:
    """The files to read in a folder, and the folders that cannot be opened or are links that leave it."""
    return (path for path in _walk(folder) if extension_of(path.name) in FORMATS or path.is_dir())


def _walk(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for here, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _GENERATED)
        for name in sorted(files):
            if not name.startswith((".", "~$")):
                yield Path(here, name)
        # Other links to folders lead to what is met on the way.
        yield from (path for path in (Path(here, name) for name in folders) if links_outside(path, folder))
    yield from closed


def _display_name(name: str) -> str:
    return normalised("NFC", " ".join(visible_lines(name).split())) or "unnamed"


def read_documents(
    sources: Iterable[Path | str | Source], max_file_mb: float, cancel: threading.Event
) -> Iterator[Document | Rejected]:
    """Read files one after another in one child process; ends early when cancelled.

    `max_file_mb` is in megabytes of 1,000,000 bytes. Raises `BackendError` for a path that does not exist.
    """
    with ExtractProcess(FILE_LIMIT_S) as child:
        for source in find_files(sources):
            if cancel.is_set():
                return
            try:
                if source.links_outside:
                    raise BackendError(*_LEAVES)
                if source.left_out:
                    raise BackendError(no_document(source.left_out), NEXT_STEP)
                _check_kind(source.path)
                format = format_of(source.name)
                check_size(source.path, max_file_mb)
                with open(source.path, "rb"):
                    pass  # what may not be read needs no child to find out
                answer = child.extract(source.path, format, cancel, source.encoding)
            except BackendError as error:
                yield Rejected(source.name, error.cause, error.next_step)
                continue
            except OSError as error:
                cause = f"The file cannot be read: {error.strerror or error}."
                yield Rejected(source.name, cause, "Check that it exists and that you may read it.")
                continue
            if answer is None:
                return
            read = _document(source.name, format, answer)
            said = note(source.path, source.name) if isinstance(read, Document) else ""
            yield replace(read, warnings=(*read.warnings, said)) if said and isinstance(read, Document) else read


def _check_kind(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise BackendError("The folder cannot be opened.", "Check that you may read it.")
    if path.exists():
        raise BackendError("This is not a regular file.", "Give a file or a folder.")
    raise BackendError("The link points to nothing.", "Check the path.")


def check_size(path: Path, max_file_mb: float) -> None:
    """Raise `BackendError` for what is not a file, is empty or too large; `OSError` if it cannot be looked at."""
    _check_kind(path)
    size = path.stat().st_size
    if size == 0:
        raise BackendError("The file is empty (0 bytes).", "Check that it was saved or copied completely.")
    if size > max_file_mb * 1_000_000:
        raise BackendError(
            f"The file has {size / 1_000_000:,.1f} MB; at most {max_file_mb:g} MB are read.",
            "Split it, or raise the setting rag.max_file_mb.",
        )


def _document(name: str, format: str, answer: dict[str, Any]) -> Document | Rejected:
    pages: list[Page] = []
    start = hidden = 0
    for part in answer["pages"]:
        hidden += count_hiding(part["text"])
        text = visible_lines(part["text"])
        pages.append(Page(part["page"], start, text))
        start += len(text) + len(PAGE_BREAK)
    if not any(page.text.strip() for page in pages):
        return Rejected(name, "The file holds no text.", "Leave it out, or add text to it.")
    warnings = [visible_lines(warning) for warning in answer["warnings"]]
    if hidden:
        what = (
            "characters that hide or reorder text were" if hidden > 1 else "character that hides or reorders text was"
        )
        warnings.append(f"{hidden:,} {what} left out.")
    return Document(name, answer["sha256"], format, tuple(pages), answer["language"], tuple(warnings), answer["bytes"])
