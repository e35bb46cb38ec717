"""Encodings of uploaded files: proven, guessed, mixed and hopeless."""

from __future__ import annotations

import codecs

import pytest

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Decoded, decode, mended

TEXT = "question,answer\nOù est la clé?,Là-bas.\n"


@pytest.mark.parametrize(
    ("data", "encoding", "guessed"),
    [
        (TEXT.encode(), "UTF-8", False),
        (TEXT.encode("utf-8-sig"), "UTF-8 with BOM", False),
        (TEXT.encode("utf-16"), "UTF-16", False),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16", False),
        (TEXT.encode("utf-32"), "UTF-32", False),
        (TEXT.encode("utf-16-le"), "UTF-16", True),
        (TEXT.encode("utf-16-be"), "UTF-16", True),
        (TEXT.encode("cp1252"), "Windows-1252", True),
    ],
)
def test_the_same_text_in_every_encoding(data: bytes, encoding: str, guessed: bool) -> None:
    assert decode(data, "pairs.csv") == Decoded(TEXT, encoding, guessed)


def test_what_is_ascii_is_utf8_and_nothing_is_nothing() -> None:
    assert decode(b"a,b\n", "pairs.csv") == Decoded("a,b\n", "UTF-8")
    assert decode(b"", "pairs.csv") == Decoded("", "UTF-8")


def test_one_stray_row_in_utf8_is_kept_apart_and_can_be_read() -> None:
    decoded = decode("Où?,Là.\n".encode() + "né,née\n".encode("cp1252"), "pairs.csv")
    assert (decoded.encoding, decoded.guessed, decoded.mixed) == ("UTF-8", False, True)
    first, second = decoded.text.splitlines()
    assert mended(first) == first == "Où?,Là."
    assert second != mended(second) == "né,née"


def test_accents_that_happen_to_form_utf8_do_not_make_a_windows_file_mixed() -> None:
    text = "né à Paris,née à Lyon\n" * 20 + "Ã©\n"
    assert decode(text.encode("cp1252"), "pairs.csv") == Decoded(text, "Windows-1252", guessed=True)


def test_bytes_that_mean_nothing_are_shown_as_lost() -> None:
    assert mended(b"caf\xe9 \x81".decode("utf-8", "surrogateescape")) == "café \ufffd"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"PK\x03\x04 and so on", "pairs.csv is a workbook or a zip archive, not text."),
        (TEXT.encode("utf-16")[:-1], "pairs.csv begins as UTF-16 but is damaged or cut short."),
        (b"\x7fELF\x00\x01\x00\x00" * 9, "pairs.csv is not text."),
        ("Где ключ?,Там".encode("cp1251"), "pairs.csv is not UTF-8, and does not look like Windows-1252 either."),
        ("鍵はどこですか".encode("shift-jis"), "pairs.csv is not UTF-8, and does not look like Windows-1252 either."),
    ],
)
def test_files_that_are_refused(data: bytes, cause: str) -> None:
    with pytest.raises(BackendError) as caught:
        decode(data, "pairs.csv")
    assert caught.value.cause == cause
