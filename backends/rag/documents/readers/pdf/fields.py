"""What viewers show on a PDF page beside its text: filled form fields, notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from backends.text import counted

if TYPE_CHECKING:
    from pypdf import PdfReader

_MOST = 20_000
"""Fields and annotations of a file; a form of a hundred pages has about 5,000."""

_DEPTH = 32
_PUSH_BUTTON, _RADIO, _PASSWORD = 1 << 16, 1 << 15, 1 << 13
_INVISIBLE = 0x02 | 0x20
"""Annotations that no viewer shows: hidden, or not to be viewed (ISO 32000-1, table 165)."""

_KINDS = {
    "/FreeText": "",
    "/Text": "Comment",
    "/Highlight": "Comment",
    "/Underline": "Comment",
    "/Squiggly": "Comment",
    "/StrikeOut": "Comment",
    "/Caret": "Comment",
    "/Square": "Comment",
    "/Circle": "Comment",
    "/Line": "Comment",
    "/Polygon": "Comment",
    "/PolyLine": "Comment",
    "/Ink": "Comment",
    "/Stamp": "Stamp",
    "/FileAttachment": "Attachment",
}
"""Annotations that hold text, and the word in front of it."""


class Extras:
    """Fields and annotations by page, from 1; 0 for fields that are on no page. `warnings` says what was left out."""

    def __init__(self, reader: PdfReader) -> None:
        self.warnings: list[str] = []
        self._lines: dict[int, list[str]] = {}
        self._seen: set[Any] = set()
        self._passwords = self._hidden = self._left = 0
        for number, page in enumerate(reader.pages, start=1):
            self._page(number, page)
        self._fields_on_no_page(reader)
        self._warn(reader)

    def of(self, page: int) -> str:
        """What stands on a page beside its text, a line each; "" if there is nothing."""
        return "\n".join(self._lines.get(page, ()))

    def _page(self, number: int, page: Any) -> None:
        for reference in _array(page.get("/Annots")):
            if len(self._seen) >= _MOST:
                self._left += 1
                continue
            annotation = _object(reference)
            if not hasattr(annotation, "get"):
                continue
            if annotation.get("/Subtype") == "/Widget":
                self._field(number, reference, annotation)
            else:
                self._annotation(number, annotation)

    def _annotation(self, number: int, annotation: Any) -> None:
        kind = annotation.get("/Subtype")
        text = _text(annotation.get("/Contents")) or _rich(annotation.get("/RC"))
        if kind not in _KINDS or not text:
            return
        if _integer(annotation.get("/F")) & _INVISIBLE:
            self._hidden += 1
            return
        self._seen.add(id(annotation))
        author = _text(annotation.get("/T")) if _KINDS[kind] == "Comment" else ""
        named = f"{_KINDS[kind]} ({author}): " if author else f"{_KINDS[kind]}: " * bool(_KINDS[kind])
        self._add(number, named + text)

    def _field(self, number: int, reference: Any, widget: Any) -> None:
        field = widget
        if widget.get("/T") is None and (parent := _object(widget.get("/Parent"))) is not None:
            field = parent  # one field that is shown at several places
        key = _key(reference if field is widget else widget.get("/Parent"), field)
        if key in self._seen:
            return
        self._seen.add(key)
        if _integer(widget.get("/F")) & _INVISIBLE:
            self._hidden += bool(_text(_inherited(field, "/V")))
            return
        self._say(number, field)

    def _say(self, number: int, field: Any) -> None:
        flags, kind = _integer(_inherited(field, "/Ff")), _inherited(field, "/FT")
        value = _inherited(field, "/V")
        if kind == "/Btn" and flags & _PUSH_BUTTON:
            return
        if kind == "/Tx" and flags & _PASSWORD:
            self._passwords += value is not None
            return
        if kind == "/Sig":
            said = _signer(_object(value))
        elif kind == "/Btn":
            said = _button(field, value, bool(flags & _RADIO))
        else:
            said = _choice(field, value) if kind == "/Ch" else _text(value)
        if said:
            self._add(number, f"{_label(field)}: {said}")

    def _fields_on_no_page(self, reader: PdfReader) -> None:
        form = _object(_object(reader.trailer["/Root"]).get("/AcroForm"))
        waiting = [(one, 0) for one in _array(form.get("/Fields"))][::-1] if hasattr(form, "get") else []
        met = 0
        while waiting and met < _MOST:
            met += 1
            reference, depth = waiting.pop()
            field = _object(reference)
            if not hasattr(field, "get") or depth > _DEPTH:
                continue
            kids = [(kid, depth + 1) for kid in _array(field.get("/Kids"))]
            named = [kid for kid in kids if hasattr(_object(kid[0]), "get") and "/T" in _object(kid[0])]
            if named:
                waiting += named[::-1]
            elif _key(reference, field) not in self._seen and field.get("/T") is not None:
                self._seen.add(_key(reference, field))
                self._say(0, field)
        self._left += len(waiting)
        self._xfa = hasattr(form, "get") and form.get("/XFA") is not None and not self._lines

    def _warn(self, reader: PdfReader) -> None:
        if self._passwords:
            self.warnings.append(counted(self._passwords, "password field was", "password fields were") + " left out.")
        if self._hidden:
            what = counted(self._hidden, "note or field that is hidden was", "notes or fields that are hidden were")
            self.warnings.append(f"{what} left out.")
        if self._left:
            self.warnings.append(f"{self._left:,} form fields or notes beyond the first {_MOST:,} were left out.")
        if self._xfa:
            self.warnings.append(
                "The form is of the kind XFA, which is not read: print it to a PDF to have its values."
            )
        if names := list(_attached(reader)):
            shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
            self.warnings.append(f"Files are attached to the PDF and were not read: {shown}.")

    def _add(self, page: int, line: str) -> None:
        self._lines.setdefault(page, []).append(line)


def _attached(reader: PdfReader) -> Iterator[str]:
    names = _object(_object(reader.trailer["/Root"]).get("/Names"))
    files = _object(names.get("/EmbeddedFiles")) if hasattr(names, "get") else None
    waiting = [files]
    for _ in range(_MOST):
        if not waiting:
            return
        node = _object(waiting.pop(0))
        if hasattr(node, "get"):
            yield from (_text(name) for name in _array(node.get("/Names"))[::2])
            waiting += _array(node.get("/Kids"))


def _key(reference: Any, field: Any) -> Any:
    number = getattr(reference, "idnum", None)
    return id(field) if number is None else (number, getattr(reference, "generation", 0))


def _object(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _array(value: Any) -> list[Any]:
    found = _object(value)
    return list(found) if isinstance(found, list) else []


def _integer(value: Any) -> int:
    found = _object(value)
    return int(found) if isinstance(found, int | float) else 0


def _inherited(field: Any, name: str) -> Any:
    """A value of a field or of those above it (ISO 32000-1, 12.7.3.1)."""
    for _ in range(_DEPTH):
        if not hasattr(field, "get"):
            return None
        if (value := _object(field.get(name))) is not None:
            return value
        field = _object(field.get("/Parent"))
    return None


def _text(value: Any) -> str:
    """A string, a name or a stream as one line; a list as its parts."""
    found = _object(value)
    if isinstance(found, list):
        return ", ".join(filter(None, map(_text, found)))
    if hasattr(found, "get_data"):
        found = found.get_data()
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    return " ".join(str(found).split()) if isinstance(found, str) else ""


def _rich(value: Any) -> str:
    """The text of a rich text string, which is XHTML."""
    text = _text(value)
    if "<" not in text:
        return text
    from bs4 import BeautifulSoup

    return " ".join(BeautifulSoup(text, "html.parser").get_text(" ").split())


def _label(field: Any) -> str:
    """What the form calls a field: its description for readers, else its names from the outside in."""
    if described := _text(field.get("/TU")):
        return described.removesuffix(":").strip()
    names: list[str] = []
    for _ in range(_DEPTH):
        if not hasattr(field, "get"):
            break
        if name := _text(field.get("/T")):
            names.append(name)
        field = _object(field.get("/Parent"))
    return ".".join(reversed(names)) or "Field"


def _button(field: Any, value: Any, radio: bool) -> str:
    """The state of a checkbox, or the choice of radio buttons."""
    state = value if isinstance(value, str) else _object(field.get("/AS"))
    name = str(state or "").lstrip("/")
    if name in ("", "Off"):
        return "" if radio else "No"
    exported = _array(_inherited(field, "/Opt"))
    if name.isdigit() and int(name) < len(exported):
        return _text(exported[int(name)])
    return "Yes" if not radio and name in ("On", "1", "Yes") else name


def _choice(field: Any, value: Any) -> str:
    """What is chosen of a list, in the words that are shown."""
    shown = {}
    for option in _array(_inherited(field, "/Opt")):
        pair = _array(option)
        if len(pair) == 2:
            shown[_text(pair[0])] = _text(pair[1])
    chosen = [_text(one) for one in (value if isinstance(value, list) else [value])]
    return ", ".join(shown.get(one, one) for one in chosen if one)


def _signer(value: Any) -> str:
    if not hasattr(value, "get"):
        return ""
    name, date = _text(value.get("/Name")), _text(value.get("/M")).removeprefix("D:")[:8]
    day = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else ""
    return "signed" + (f" by {name}" if name else "") + (f" on {day}" if day else "")
