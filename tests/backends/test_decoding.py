"""Text is read in the encoding that it has, alike in every kind of file, and what was guessed or lost is said."""

from __future__ import annotations

import codecs
import threading
from pathlib import Path

import pytest

from backends.decoding import Decoded, decode, with_windows_1252
from backends.errors import BackendError
from backends.fine_tuned.pairs.check import check_pairs
from backends.fine_tuned.pairs.files import read_pairs
from backends.rag.documents.files import Document, Rejected, read_documents
from evaluation.samples import read_question_set

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
    assert decoded.clean_text == (GERMAN * 20).replace("ü", "\ufffd", 1)
    assert decoded.warnings == ("1 character is unreadable and stands as \ufffd.",)
    assert decode(f"{'x' * 3}\ufffd\ufffd".encode()).warnings == ("2 characters are unreadable and stand as \ufffd.",)
    assert decode(GERMAN.encode("utf-16")[:-1]).warnings == ("1 character is unreadable and stands as \ufffd.",)


def test_text_in_no_known_encoding_is_refused() -> None:
    with pytest.raises(BackendError, match=r"^The file is not text in any known encoding\."):
        decode(bytes(range(128, 256)) * 9)


TEXT = "question,answer\nOù est la clé?,Là-bas.\n"


@pytest.mark.parametrize(
    ("data", "encoding", "guessed"),
    [
        (TEXT.encode(), "UTF-8", False),
        (TEXT.encode("utf-8-sig"), "UTF-8 with BOM", False),
        (TEXT.encode("utf-16"), "UTF-16", False),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16", False),
        (TEXT.encode("utf-32"), "UTF-32", False),
        (TEXT.encode("utf-16-le"), "UTF-16-LE", True),
        (TEXT.encode("utf-16-be"), "UTF-16-BE", True),
        (TEXT.encode("utf-32-le"), "UTF-32-LE", True),
        (TEXT.encode("utf-32-be"), "UTF-32-BE", True),
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
    assert with_windows_1252(first) == first == "Où?,Là."
    assert second != with_windows_1252(second) == "né,née"


def test_accents_that_happen_to_form_utf8_do_not_make_a_windows_file_mixed() -> None:
    text = "né à Paris,née à Lyon\n" * 20 + "Ã©\n"
    assert decode(text.encode("cp1252"), "pairs.csv") == Decoded(text, "Windows-1252", guessed=True)


def test_zero_bytes_by_accident_do_not_make_a_file_utf16() -> None:
    assert decode(b"question,answer\na\x00,b\n", "pairs.csv") == Decoded("question,answer\na\x00,b\n", "UTF-8")


def test_chinese_in_utf16_may_have_zero_bytes_on_both_sides() -> None:
    text = "question,answer\n第一章是什么?,一个开始。\n"
    assert decode(text.encode("utf-16-le"), "pairs.csv") == Decoded(text, "UTF-16-LE", guessed=True)


def test_bytes_that_mean_nothing_are_shown_as_lost() -> None:
    assert with_windows_1252(b"caf\xe9 \x81".decode("utf-8", "surrogateescape")) == "café \ufffd"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"PK\x03\x04 and so on", "pairs.csv is a workbook or a zip archive, not text."),
        (b"\x7fELF\x00\x01\x00\x00" * 9, "pairs.csv is not text."),
        (bytes(range(128, 256)) * 9, "pairs.csv is not text in any known encoding."),
    ],
)
def test_files_that_are_refused(data: bytes, cause: str) -> None:
    with pytest.raises(BackendError) as caught:
        decode(data, "pairs.csv")
    assert caught.value.cause == cause


# --- the same bytes everywhere ------------------------------------------------------------------

JAPANESE_ROWS = (("返品はいつまでですか。", "商品到着後14日以内に限ります。カタログをご覧ください。"),)
ROWS = (("Où est la clé?", "Là-bas, à côté de l’entrée."), ("Qui a gagné?", "Personne, hélas."))
RUSSIAN_ROWS = (("Когда возвращают деньги?", "В течение четырнадцати дней после получения товара."),)


def table(rows: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(['"question","answer"', *(f'"{question}","{answer}"' for question, answer in rows), ""])


def mixed() -> bytes:
    first, second, third, *_ = table(ROWS).split("\n")
    return f"{first}\n{second}\n".encode() + f"{third}\n".encode("cp1252")


FILES = {
    "UTF-8": (table(ROWS).encode(), ROWS),
    "UTF-8 with BOM": (table(ROWS).encode("utf-8-sig"), ROWS),
    "UTF-16-LE, marked": (codecs.BOM_UTF16_LE + table(ROWS).encode("utf-16-le"), ROWS),
    "UTF-16-BE, marked": (codecs.BOM_UTF16_BE + table(ROWS).encode("utf-16-be"), ROWS),
    "UTF-32, marked": (table(ROWS).encode("utf-32"), ROWS),
    "UTF-16-LE": (table(ROWS).encode("utf-16-le"), ROWS),
    "UTF-16-BE": (table(ROWS).encode("utf-16-be"), ROWS),
    "UTF-32-LE": (table(ROWS).encode("utf-32-le"), ROWS),
    "UTF-32-BE": (table(ROWS).encode("utf-32-be"), ROWS),
    "UTF-16, Japanese": (table(JAPANESE_ROWS).encode("utf-16-le"), JAPANESE_ROWS),
    "Windows-1252": (table(ROWS).encode("cp1252"), ROWS),
    "Windows-1251": (table(RUSSIAN_ROWS).encode("cp1251"), RUSSIAN_ROWS),
    "Shift-JIS": (table(JAPANESE_ROWS).encode("shift-jis"), JAPANESE_ROWS),
    "mixed": (mixed(), ROWS),
    "a zero byte": (table(ROWS).replace("clé", "clé\x00").encode(), ROWS),
}
PROVED = {"UTF-8", "UTF-8 with BOM", "UTF-16-LE, marked", "UTF-16-BE, marked", "UTF-32, marked", "a zero byte"}
NO_TEXT = {
    "noise": bytes(range(1, 32)) * 20,
    "a program": b"\x7fELF\x02\x01\x01" + bytes(60),
    "no encoding": bytes(range(128, 256)) * 9,
    "a zip archive": b"PK\x03\x04 and so on",
}


def as_document(file: Path) -> Document | Rejected:
    (found,) = read_documents([file], 25, threading.Event())
    return found


@pytest.mark.usefixtures("shared_parser")
@pytest.mark.parametrize("encoding", FILES)
def test_pairs_questions_and_documents_take_the_same_file(tmp_path: Path, encoding: str) -> None:
    content, rows = FILES[encoding]
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    told: list[str] = []
    report, samples, document = check_pairs(file), read_question_set(file, told.append), as_document(file)
    told.remove("file.csv: Columns are read under other names: answer as reference_answer.")
    assert isinstance(document, Document), document
    assert [(pair.question, pair.answer) for pair in report.pairs] == list(rows)
    assert list(report.pairs) == read_pairs(file)
    assert [sample.question.replace("\x00", "") for sample in samples] == [question for question, _ in rows]
    assert document.text.strip() == table(rows).strip()
    said = [
        fault.sentence for fault in report.faults if "Save it as UTF-8" in fault.sentence or "guess" in fault.sentence
    ]
    proved = encoding in PROVED
    *warnings, kind = document.warnings
    assert kind.startswith("It looks like training pairs")
    assert (not said, not told, not warnings) == (proved, proved, proved)
    assert told == [f"file.csv: {warning}" for warning in warnings]


@pytest.mark.parametrize("content", NO_TEXT.values(), ids=NO_TEXT)
def test_pairs_questions_and_documents_refuse_the_same_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(content)
    for read in (read_pairs, read_question_set):
        with pytest.raises(BackendError, match=r"^file\.csv is "):
            read(file)
    assert isinstance(as_document(file), Rejected)
    assert [fault.severity for fault in check_pairs(file).faults] == ["error"]
