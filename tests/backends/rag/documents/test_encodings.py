"""Text is read in the encoding that it has, and what was guessed or lost is said."""

from __future__ import annotations

import pytest

from backends.errors import BackendError
from backends.rag.documents.encodings import decode

GERMAN = "Die Rückgabe ist für geöffnete Geräte möglich, außer für große Öfen.\n"
FRENCH = "Le remboursement est effectué sous quatorze jours après réception. Où ça, cœur ? L’été.\n"
PRICES = "The “best” kettle costs £49 – says the manual of the café…\n"
POLISH = "Zażółć gęślą jaźń. Zwrot pieniędzy następuje w ciągu czternastu dni.\n"
TURKISH = "İade, ürünün teslim alınmasından itibaren on dört gün içinde yapılır. Şimdi, çok güzel.\n"
RUSSIAN = "Возврат денег производится в течение четырнадцати дней после получения товара.\n"
JAPANESE = "返品は商品到着後14日以内に限ります。カタログをご覧ください。\n"
TABLE = "name;price\nKüche;12,50\nBüro;3,00\nTür;9,99\n"


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (GERMAN, "latin-1", "Windows-1252"),
        (FRENCH, "cp1252", "Windows-1252"),
        (PRICES, "cp1252", "Windows-1252"),
        (TABLE, "cp1252", "Windows-1252"),
        (TABLE * 50, "cp1252", "Windows-1252"),
        (POLISH, "cp1250", "Windows-1250"),
        (TURKISH, "cp1254", "Windows-1254"),
        (RUSSIAN, "cp1251", "Windows-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (JAPANESE, "shift-jis", "CP932"),
        (JAPANESE * 3000, "shift-jis", "CP932"),
        ("plain words\n" * 9000 + GERMAN, "cp1252", "Windows-1252"),
        (GERMAN, "utf-16-le", "UTF-16-LE"),
        (GERMAN, "utf-16-be", "UTF-16-BE"),
        (JAPANESE, "utf-16-le", "UTF-16-LE"),
        ("plain words", "utf-16-be", "UTF-16-BE"),
    ],
)
def test_an_encoding_that_is_not_stated_is_guessed_and_named(text: str, encoding: str, name: str) -> None:
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert decoded.warnings == (f"The file does not say how its text is encoded: {name} was guessed.",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_an_encoding_that_is_stated_needs_no_guess(encoding: str) -> None:
    decoded = decode((GERMAN + JAPANESE).encode(encoding))
    assert decoded.text == GERMAN + JAPANESE
    assert decoded.warnings == ()


def test_a_declared_encoding_is_believed_unless_the_bytes_are_utf_8() -> None:
    assert decode(RUSSIAN.encode("iso8859-5"), "iso-8859-5").text == RUSSIAN
    assert decode(PRICES.encode("cp1252"), "ISO-8859-1").text == PRICES
    assert decode(RUSSIAN.encode(), "iso-8859-5").text == RUSSIAN
    assert decode(b"caf\xe9 is good and open", "no-such-encoding").text == "café is good and open"
    assert decode(b"caf\xe9 is good and open", "zlib").text == "café is good and open"


def test_damaged_utf_8_stays_utf_8_and_the_loss_is_counted() -> None:
    data = (GERMAN * 20).encode()
    decoded = decode(data.replace("ü".encode(), b"\xc3", 1))
    assert decoded.text == (GERMAN * 20).replace("ü", "\ufffd", 1)
    assert decoded.warnings == ("1 character is unreadable and stands as \ufffd.",)
    assert decode(f"{'x' * 3}\ufffd\ufffd".encode()).warnings == ("2 characters are unreadable and stand as \ufffd.",)
    assert decode(GERMAN.encode("utf-16")[:-1]).warnings == ("1 character is unreadable and stands as \ufffd.",)


def test_text_in_no_known_encoding_is_refused() -> None:
    with pytest.raises(BackendError, match=r"^The file is not text in any known encoding\."):
        decode(bytes(range(128, 256)) * 9)
