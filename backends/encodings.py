"""Which encoding a text is in that is no Unicode, and the encodings that can be chosen.

Bytes prove nothing here: the same ones are words in one encoding and signs in another. Scripts of one byte per letter
are told by how often their letters occur, Latin ones by their languages, the others by charset-normalizer.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator

from backends.errors import BackendError
from backends.language import detect

CHOICES = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16-le": "Unicode (UTF-16-LE)",
    "utf-16-be": "Unicode (UTF-16-BE)",
    "cp1252": "Western (Windows-1252)",
    "iso8859-15": "Western (ISO-8859-15)",
    "mac_roman": "Western (Mac OS Roman)",
    "cp850": "Western (DOS, CP850)",
    "cp437": "Western (DOS, CP437)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO-8859-2)",
    "cp852": "Central European (DOS, CP852)",
    "cp1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "koi8-u": "Cyrillic (KOI8-U)",
    "cp866": "Cyrillic (DOS, CP866)",
    "iso8859-5": "Cyrillic (ISO-8859-5)",
    "mac_cyrillic": "Cyrillic (Mac OS)",
    "cp1253": "Greek (Windows-1253)",
    "iso8859-7": "Greek (ISO-8859-7)",
    "cp737": "Greek (DOS, CP737)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp862": "Hebrew (DOS, CP862)",
    "cp1256": "Arabic (Windows-1256)",
    "iso8859-6": "Arabic (ISO-8859-6)",
    "cp1257": "Baltic (Windows-1257)",
    "cp1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (Windows-874)",
    "cp932": "Japanese (Shift-JIS)",
    "euc_jp": "Japanese (EUC-JP)",
    "iso2022_jp": "Japanese (ISO-2022-JP)",
    "gb18030": "Chinese (GB18030)",
    "big5hkscs": "Chinese (Big5)",
    "cp949": "Korean (EUC-KR)",
}
"""Python's name of each encoding that is offered, and its name in words."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_LATIN_RUN = 1.5
"""Bytes beyond ASCII in a row, on average: accents stand alone, other scripts fill words."""
_SAMPLE = 65_536
_BEFORE = 2_000

_LETTERS = {
    "Cyrillic": "оеаинтсрвлкмдпуіяыьгзбчйхжшюцјщєїэфњћўљђѓѕќџґёъ",
    "Greek": "αοιετσνηυρπκμλςωίόάέήδγθφχύώβζξψϊϋΐΰ",
    "Hebrew": "יוהלאמרתבשנכםדקפחעטגזסןצךץף",
    "Arabic": "اليمنوترةبعدسفهكقحجأشطصخىإذضثزءغئظآؤگپچکی",
    "Thai": "านรอกเง่้ัวยมีลิดทตสะคปบห์ชขไจแืพุ็โูซถึผธศภใณฐษญฝฉฟฮฬฏฎฆฑฌๆฯ",
}
"""Small letters of each script, the commonest first; of Cyrillic those of all Slavic languages."""

_ENCODED = {
    "Cyrillic": ("cp1251", "koi8-r", "koi8-u", "cp866", "iso8859-5", "mac_cyrillic"),
    "Greek": ("cp1253", "iso8859-7", "cp737"),
    "Hebrew": ("cp1255", "cp862"),
    "Arabic": ("cp1256", "iso8859-6", "cp720"),
    "Thai": ("cp874",),
}
"""The encodings of each script; where two give the same text, the first one is named."""

_COMMON, _USUAL, _RARE, _FOREIGN = 0.8, -0.5, -1.9, -4.0
"""What a letter of the commonest, the middle and the last third of a script counts, and any other sign: the logarithm
of how much more often it occurs than by chance, where the thirds make up about 75, 20 and 5 % of a text."""
_ENOUGH = 0.1
"""What letters count on average in text of that script, at least; by chance -0.5."""
_CAPITAL, _CASE_FAULT = -0.2, -1.0
"""A capital inside a word, and one after a small letter: encodings that are mistaken for each other give many."""

_SIGNS = frozenset("“”‘’„‚«»‹›–—…•·€£¥§°©®™№ªº±²³½¼¾¿¡´¨×÷µ¶\xa0\xad")
"""Signs that stand in texts of any script."""

_OF_LANGUAGE = {
    "de": "äöüß",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "es": "áéíñóúü",
    "pt": "áàâãçéêíóôõúü",
    "it": "àèéìíîòóùú",
    "nl": "éëïóöüèê",
    **dict.fromkeys(("sv", "fi"), "åäöé"),
    **dict.fromkeys(("da", "no", "nb", "nn"), "æøåéöäòôó"),
    "is": "áðéíóúýþæö",
    "pl": "ąćęłńóśźż",
    "cs": "áčďéěíňóřšťúůýž",
    "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű",
    "ro": "ăâîșțşţ",
    **dict.fromkeys(("hr", "bs", "sl", "sr"), "čćđšž"),
    "sq": "ëç",
    **dict.fromkeys(("tr", "az"), "çğıöşüâîûİə"),
    "lt": "ąčęėįšųūž",
    "lv": "āčēģīķļņšūž",
    "et": "äõöüšž",
    "vi": "ăâđêôơưàảãáạèẻẽéẹìỉĩíịòỏõóọùủũúụỳỷỹýỵ\u0300\u0301\u0303\u0309\u0323",
}
"""Languages in Latin letters, and their letters beyond ASCII."""

_WESTERN = "àâæçéèêëîïôœùûüÿäößáíóúñåøãõìòýþð"

_OF_LATIN = {
    **dict.fromkeys(
        ("pl", "cs", "sk", "hu", "sl", "hr", "bs", "ro", "sq"), ("cp1250", "iso8859-2", "cp852", "mac_latin2")
    ),
    **dict.fromkeys(("tr", "az"), ("cp1254", "cp857", "mac_turkish")),
    **dict.fromkeys(("lt", "lv", "et"), ("cp1257", "iso8859-13", "cp775")),
    "vi": ("cp1258",),
}
_WESTERN_PAGES = ("cp1252", "mac_roman", "cp850", "cp437")
"""The encodings of a language, and those of every other one; where two give the same text, the first one is named."""


def encoding_name(codec: str) -> str:
    """An encoding in words: `Windows-1252`, `KOI8-R`, `UTF-8`."""
    return codec.replace("_", "-").upper().replace("CP125", "Windows-125")


def checked_encoding(name: str) -> str:
    """Python's name of the text encoding that somebody calls `name`. Raises `BackendError` if there is none."""
    with_hyphens = name.strip().lower().replace(" ", "-")
    try:
        found = codecs.lookup(with_hyphens.replace("windows-", "cp"))
        "".encode(found.name)
    except (LookupError, ValueError):
        raise BackendError(
            f"There is no encoding {name}.", f"Use one of {', '.join(CHOICES)}, or leave it out to have it guessed."
        ) from None
    return found.name


def guess(data: bytes) -> str | None:
    """The likeliest encoding of what is not Unicode, by a piece around the first byte beyond ASCII; None if unknown."""
    import charset_normalizer

    sample = _sample(data)
    runs = _BEYOND_ASCII.findall(sample)
    if sum(map(len, runs)) < _LATIN_RUN * len(runs) and (code_page := _latin(sample)):
        return code_page
    if likely := _by_letters(sample) or (_is_mostly_ascii(sample) and _latin(sample)) or _east_asian(sample):
        return likely
    best = charset_normalizer.from_bytes(sample).best()
    return None if best is None or not _is_coherent(sample.decode(best.encoding, "replace")) else best.encoding


def _is_mostly_ascii(sample: bytes) -> bool:
    """Whether most letters are ASCII, as in Latin text whose words have several accents in a row."""
    return len(_ASCII_LETTER.findall(sample)) > sum(map(len, _BEYOND_ASCII.findall(sample)))


def _by_letters(sample: bytes) -> str | None:
    """The encoding in which the sample is text of a script with one byte per letter; None if in none."""
    best, found = _ENOUGH, None
    for script, encodings in _ENCODED.items():
        for encoding in encodings:
            try:
                text = sample.decode(encoding)
            except UnicodeDecodeError:
                continue
            if (count := _likeness(text, script)) > best:
                best, found = count, encoding
    return found


def _likeness(text: str, script: str) -> float:
    """What the signs beyond ASCII count on average, as letters of a script: at most 1."""
    letters = _LETTERS[script]
    ranks = {letter: rank * 3 // len(letters) for rank, letter in enumerate(letters)}
    counts = (_COMMON, _USUAL, _RARE)
    total, seen = 0.0, 0
    before = after_small = ""
    for sign in text:
        if sign.isascii() or sign in _SIGNS:
            if not before.isascii() and sign.isascii() and sign.isalpha():  # a word of two scripts
                total += _FOREIGN
            before = after_small = sign if sign.isascii() and sign.isalpha() else ""
            continue
        lower = sign.lower()
        mixed = before.isascii() and before != ""
        total += counts[ranks[lower]] if lower in ranks and not mixed else _FOREIGN
        if sign != lower and before:
            total += _CASE_FAULT if after_small else _CAPITAL
        before, after_small = sign, sign if sign == lower else ""
        seen += 1
    return total / seen if seen else 0.0


def _east_asian(sample: bytes) -> str | None:
    """The Japanese, Korean or Chinese encoding in which the sample is made of common signs; None if in none."""
    best, found = 0.5, None
    for encoding, own in _EASTERN.items():
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        beyond = [sign for sign in text if not sign.isascii() and unicodedata.category(sign)[0] not in "PZ"]
        share = sum(own(sign) for sign in beyond) / len(beyond) if beyond else 0.0
        if share > best:
            best, found = share, encoding
    return found


def _is_japanese(sign: str) -> int:
    if "\u3041" <= sign <= "\u30ff":
        return 1
    return _is_of_rows(sign, "euc_jp", 0xB0, 0xCF)


def _is_korean(sign: str) -> int:
    return _is_of_rows(sign, "euc_kr", 0xB0, 0xC8)


def _is_simplified(sign: str) -> int:
    return _is_of_rows(sign, "gb2312", 0xB0, 0xD7)


def _is_traditional(sign: str) -> int:
    return _is_of_rows(sign, "big5", 0xA4, 0xC6)


def _is_of_rows(sign: str, encoding: str, first: int, last: int) -> int:
    """1 for a sign in the rows of the common ones of an encoding, which it lists first; -1 for any other one."""
    try:
        row = sign.encode(encoding)[0]
    except UnicodeEncodeError:
        return -1
    return 1 if first <= row <= last else -1


_EASTERN: dict[str, Callable[[str], int]] = {
    "cp932": _is_japanese,
    "cp949": _is_korean,
    "euc_jp": _is_japanese,
    "gb18030": _is_simplified,
    "big5hkscs": _is_traditional,
}
"""Encodings and their common signs. Bytes that fit two equally are of the first: its letters fill fewer rows."""


def _latin(sample: bytes) -> str | None:
    """The encoding of a text in Latin letters; None if it fits none.

    Encodings differ in a few letters only, too few for statistics of characters in a short text.
    But each belongs to languages, and most of the text is readable in any of them.
    """
    best, found = 0.75, None
    for encoding in dict.fromkeys(
        [*_WESTERN_PAGES[:1], *(e for some in _OF_LATIN.values() for e in some), *_WESTERN_PAGES]
    ):
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        language = detect(text) or ""
        if encoding not in _OF_LATIN.get(language, _WESTERN_PAGES):
            continue
        if (share := _share_of_letters(text, _OF_LANGUAGE.get(language, _WESTERN))) > best:
            best, found = share, encoding
    return found


def _share_of_letters(text: str, letters: str) -> float:
    """The share of the signs beyond ASCII that are these letters, small or capital, or usual signs."""
    beyond = [sign for sign in text if not sign.isascii()]
    known = set(letters) | {letter.upper() for letter in letters} | _SIGNS
    return sum(sign in known for sign in beyond) / len(beyond) if beyond else 0.0


def _is_coherent(text: str) -> bool:
    """Whether the signs beyond ASCII are letters of one script, as in text: not katakana of half width, not frames."""
    scripts: dict[str, int] = {}
    beyond = 0
    for script in _scripts(text):
        beyond += 1
        scripts[script] = scripts.get(script, 0) + 1
    east = sum(scripts.get(script, 0) for script in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL"))
    signs = scripts.pop("", 0)
    scripts = {script: count for script, count in scripts.items() if not script.startswith("?")}
    return beyond > 0 and max([east, *scripts.values()], default=0) + signs / 2 >= 0.8 * beyond


def _scripts(text: str) -> Iterator[str]:
    """The first word of the name of each letter beyond ASCII; "" for other signs of text, which frames are not."""
    for sign in text:
        if sign.isascii() or sign in _SIGNS:
            continue
        category = unicodedata.category(sign)
        if category[0] in "LM":
            script = unicodedata.name(sign, "?").split(" ")[0]
            yield "?" + script if script == "HALFWIDTH" else script
        elif category[0] == "P" or category in ("Sc", "Sm", "Nd", "No", "Zs"):
            yield ""
        else:
            yield "?" + category


def _sample(data: bytes) -> bytes:
    """At most `_SAMPLE` bytes around the first byte beyond ASCII, from line to line where there are lines."""
    found = _BEYOND_ASCII.search(data)
    first = found.start() if found else 0
    start = max(data.rfind(b"\n", 0, first) + 1, first - _BEFORE, 0)
    end = start + _SAMPLE
    if end < len(data):
        end = max(data.rfind(b"\n", first, end), data.rfind(b" ", first, end)) + 1 or end
    return data[start:end]
