"""Which encoding a text is in: scripts of one byte per letter, Latin languages, East Asian ones, and a chosen one."""

from __future__ import annotations

import pytest

from backends.decoding import Decoded, decode
from backends.encodings import CHOICES, checked_encoding
from backends.errors import BackendError

RUSSIAN = "Гарантия составляет тридцать шесть месяцев. Номер детали GK-2207."
UKRAINIAN = "Гарантія на кавоварку становить тридцять шість місяців. Її ціна є на сайті."
CAPITALS = "ПРАЙС-ЛИСТ НА КОФЕМАШИНЫ\nЦена: 500 руб."
TABLE = "Name;Город;Цена\nIvan;Москва;12\nOlga;Тверь;15\n"
GREEK = "Η εγγύηση διαρκεί τριάντα έξι μήνες από την αγορά."
HEBREW = "האחריות היא שלושים ושישה חודשים מיום הקנייה."
ARABIC = "مدة الضمان ستة وثلاثون شهرا من تاريخ الشراء."
THAI = "การรับประกันมีระยะเวลาสามสิบหกเดือนนับจากวันที่ซื้อ"
KOREAN = "보증 기간은 구입일로부터 서른여섯 달입니다."
CHINESE = "保修期为自购买之日起三十六个月。请保留收据。"
TRADITIONAL = "保固期為自購買之日起三十六個月。請保留收據。"
JAPANESE = "返品は商品到着後14日以内に限ります。"
POLISH = "Zażółć gęślą jaźń. Zwrot pieniędzy następuje w ciągu czternastu dni."
GERMAN = "Die Rückgabe ist für geöffnete Geräte möglich, außer für große Öfen."
FRENCH = "Le remboursement est effectué sous quatorze jours après réception. Où ça, déjà ?"

TEXTS = [
    *((text, codec) for text in (RUSSIAN, CAPITALS, TABLE) for codec in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    *((UKRAINIAN, codec) for codec in ("cp1251", "koi8-u")),
    *((GREEK, codec) for codec in ("cp1253", "iso8859-7", "cp737")),
    *((HEBREW, codec) for codec in ("cp1255", "cp862")),
    *((ARABIC, codec) for codec in ("cp1256", "iso8859-6")),
    (THAI, "cp874"),
    (KOREAN, "cp949"),
    (CHINESE, "gb18030"),
    (TRADITIONAL, "big5"),
    *((JAPANESE, codec) for codec in ("cp932", "euc_jp", "iso2022_jp")),
    *((POLISH, codec) for codec in ("cp1250", "iso8859-2", "cp852")),
    *((GERMAN, codec) for codec in ("cp1252", "cp850", "cp437", "mac_roman")),
    *((FRENCH, codec) for codec in ("cp1252", "cp850", "mac_roman")),
]


@pytest.mark.parametrize(("text", "codec"), TEXTS)
def test_a_line_of_text_is_read_in_its_encoding_and_the_guess_is_named(text: str, codec: str) -> None:
    decoded = decode(text.encode(codec))
    assert (decoded.text, decoded.guessed) == (text, True)
    assert decoded.warnings[0].endswith(f"{decoded.encoding} was guessed.")


@pytest.mark.parametrize("codec", [codec for codec in CHOICES if not codec.startswith("utf")])
def test_every_encoding_that_is_offered_can_be_chosen(codec: str) -> None:
    text = "Price list, 12 pieces"
    assert decode(text.encode(codec), chosen=codec).text == text
    assert checked_encoding(codec)


def test_a_chosen_encoding_takes_the_place_of_a_guess_and_needs_no_note() -> None:
    short = "Шкаф".encode("koi8-r")
    assert decode(short, chosen="koi8-r") == Decoded("Шкаф", "KOI8-R")
    assert decode(short, chosen="koi8-r").warnings == ()
    assert decode("Шкаф".encode("utf-16-le"), chosen="utf-16-le").text == "Шкаф"
    assert decode(short, declared="cp1251", chosen="koi8-r").text == "Шкаф"


def test_what_the_bytes_prove_stands_against_a_choice() -> None:
    assert decode("Шкаф".encode(), chosen="koi8-r").encoding == "UTF-8"
    assert decode("Шкаф".encode("utf-16"), chosen="koi8-r").encoding == "UTF-16"


def test_bytes_that_are_not_in_the_chosen_encoding_are_refused() -> None:
    with pytest.raises(BackendError) as caught:
        decode(b"\x81\x8d caf\xe9", "notes.txt", chosen="cp1252")
    assert caught.value.cause == "notes.txt is not text in the encoding Windows-1252."
    assert caught.value.next_step == "Choose another one, or let it be guessed."


def test_names_of_encodings_are_taken_as_people_write_them() -> None:
    assert [checked_encoding(name) for name in ("KOI8-R", "windows-1251", "Shift_JIS", "UTF 8")] == [
        "koi8-r",
        "cp1251",
        "shift_jis",
        "utf-8",
    ]


@pytest.mark.parametrize("name", ["klingon", "base64", "zlib", "rot13", "", "\x00"])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(BackendError, match=r"^There is no encoding ") as caught:
        checked_encoding(name)
    assert "koi8-r" in caught.value.next_step


def test_rubbish_is_not_made_into_signs_of_another_script() -> None:
    with pytest.raises(BackendError, match=r"^The file is not text in any known encoding\."):
        decode(bytes(range(0xA1, 0xE0)) * 3)
