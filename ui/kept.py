"""What a browser gets back after a reload: its questions with their answers, its choices, cost inputs and pairs.

A reload begins a new session of Streamlit, with nothing in it. The browser is known by its cookie (`ui.server`); what
is kept lies in the data folder (`backends.storage.browsers`). Comparisons are kept by their own thread, as answers
come; one that still runs is found again in this process. Everything else is a part of the session's state, kept at the
beginning of the run after it changed. Keys are never kept (the
system's keyring may: `ui.ask.key_field`), nor raised budgets.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from backends.errors import BackendError
from backends.registry import ImportString, load
from backends.run.live import LiveComparison
from backends.run.stored import from_json, to_json
from backends.storage import browsers
from ui.server import browser_in

_log = logging.getLogger(__name__)

LIVE = "live_comparisons"
"""The state's key of the comparisons, by page."""

_BROWSER, _SEEN, _FAULT = "browser", "kept_parts", "kept_fault"
_COMPARISON = "comparison:"
_LEFT_OUT = BackendError("A part of what this browser had before could not be read.", "It was left out.")


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the session's state: `kind` is its type, or names the module's type.

    `into` is the key under which it comes back, if that is another one. `dump` and `take`, which give and read bytes,
    stand in place of the type where not all of it is kept.
    """

    key: str
    kind: Any = None
    into: str = ""
    dump: ImportString = ""
    take: ImportString = ""


PARTS = (
    _Part("setting_overrides", dump="ui.resources:overrides_to_keep", take="ui.resources:take_overrides"),
    _Part("keyring_keys", dump="ui.ask.key_field:to_keep", take="ui.ask.key_field:take_remembered"),
    _Part("chosen:compare", list[str], into="kept_choice:compare"),
    _Part("typed_questions", dict[str, str]),
    _Part("named_collections", list[str]),
    _Part("rag_query", str),
    _Part("cost_changes", dict[str, Decimal]),
    _Part("cost_billing", str),
    _Part("cost_paid_models", list[str]),
    _Part("cost_models_added", "ui.costs.assumptions:AddedModels"),
    _Part("scratch", dict[str, Decimal]),
    _Part("question_sets_asked", "ui.shared.question_upload:LoadedSets", into="question_sets"),
    _Part("fine_tuned_pairs", dump="ui.fine_tuned.chosen_pairs:to_keep", take="ui.fine_tuned.chosen_pairs:take_kept"),
)
"""What is kept of the session's state. Its order is that in which it comes back."""


# --- back after a reload --------------------------------------------------------------------------


def restore_once(find_data: Callable[[], Path]) -> None:
    """Put back what this browser had, in the first run of a session; does nothing in the others.

    `find_data` gives the data folder.
    """
    if _SEEN in st.session_state:
        return
    st.session_state[_SEEN] = {}
    browser = browser_id()
    if browser is None:
        return
    data = find_data()
    try:
        found = browsers.kept(data, browser)
    except BackendError as fault:
        st.session_state[_FAULT] = fault
        return
    for part in PARTS:
        if (content := found.get(part.key)) is not None:
            _put_back(part, content)
    _put_back_comparisons(data, browser, found)


def _put_back(part: _Part, content: bytes) -> None:
    try:
        if part.take:
            load(part.take)(content)
        else:
            st.session_state[part.into or part.key] = _adapter(part).validate_python(json.loads(content))
    except (ValueError, TypeError, BackendError):  # pydantic's errors are ValueErrors
        _log.warning("what was kept as %s could not be read", part.key, exc_info=True)
        st.session_state[_FAULT] = _LEFT_OUT
    else:
        st.session_state[_SEEN][part.key] = (None, _digest(content))


def _put_back_comparisons(data: Path, browser: str, found: Mapping[str, bytes]) -> None:
    back: dict[str, LiveComparison] = {}
    for name, content in found.items():
        if not name.startswith(_COMPARISON):
            continue
        page = name.removeprefix(_COMPARISON)
        try:
            back[page] = _running.get((browser, page)) or from_json(content)
        except ValueError:
            _log.warning("what was asked on %s could not be read", page, exc_info=True)
            st.session_state[_FAULT] = _LEFT_OUT
    st.session_state[LIVE] = back
    for page, comparison in back.items():
        st.session_state[f"question:{page}"] = comparison.question.text
        with suppress(BackendError):  # of the file of marks, which is told of where one marks
            load("ui.ask.judging:restore_marks")(data, comparison.question, comparison.answers)
    for page, typed in st.session_state.get("typed_questions", {}).items():
        st.session_state[f"question:{page}"] = typed
        st.session_state[f"editing:{page}"] = True


# --- kept as it changes ---------------------------------------------------------------------------


def keep_changes(data: Path) -> BackendError | None:
    """Keep the parts of the session's state that changed since the last run. Returns what to say of it, if anything."""
    browser = browser_id()
    fault: BackendError | None = st.session_state.get(_FAULT)
    if browser is None or (fault is not None and fault is not _LEFT_OUT):
        return fault
    seen = st.session_state.setdefault(_SEEN, {})
    for part in PARTS:
        value = st.session_state.get(part.key)
        before, digest = seen.get(part.key, (None, None))
        if value is None and (digest is None or part.into):  # its widget was not drawn yet
            continue
        if value is not None and value is before and not isinstance(value, dict | list):
            continue
        content = None if value is None else _dumped(part, value)
        if (new := None if content is None else _digest(content)) != digest:
            try:
                browsers.keep(data, browser, part.key, content)
            except BackendError as refused:
                fault = refused
        seen[part.key] = (value, new)
    st.session_state.pop(_FAULT, None)  # what was left out is said once
    return fault


def keeper(data: Path, page: str) -> Callable[[LiveComparison], None]:
    """What keeps a comparison of `page` for this browser, on any thread; nothing where another one took its place."""
    browser = browser_id()
    return partial(_keep, data, browser, page) if browser else lambda comparison: None


def took_place(page: str, comparison: LiveComparison) -> None:
    """From now on, `comparison` is that of `page`."""
    if browser := browser_id():
        with _turn:
            _running[browser, page] = comparison


_running: weakref.WeakValueDictionary[tuple[str, str], LiveComparison] = weakref.WeakValueDictionary()
"""The last comparison of each browser and page, as long as it runs or a session holds it."""

_turn = threading.Lock()


def _keep(data: Path, browser: str, page: str, comparison: LiveComparison) -> None:
    with _turn:
        if _running.get((browser, page)) is not comparison:
            return
        try:
            content = to_json(comparison.question, comparison.columns)
            browsers.keep(data, browser, f"{_COMPARISON}{page}", content)
        except BackendError:
            pass  # the page says that nothing is kept
        except Exception:
            _log.exception("the comparison of %s could not be kept", page)


# --- forgotten ------------------------------------------------------------------------------------


def forget(data: Path) -> None:
    """Stop what this browser asks, and forget all that it had. For callbacks. Raises `BackendError`."""
    if browser := browser_id():
        load("ui.ask.key_field:forget_keys")()
        with _turn:
            for key in [key for key in _running if key[0] == browser]:
                del _running[key]
        browsers.forget(data, browser)
    for comparison in st.session_state.get(LIVE, {}).values():
        comparison.stop()
    st.session_state.clear()


def remembers() -> bool:
    """Whether this browser gets anything back: it takes the cookie."""
    return browser_id() is not None


def browser_id() -> str | None:
    """The id of the browser; None where it takes no cookies."""
    if _BROWSER not in st.session_state:
        st.session_state[_BROWSER] = browser_in(st.context.cookies)
    return st.session_state[_BROWSER]


def _dumped(part: _Part, value: object) -> bytes | None:
    if part.dump:
        found: bytes | None = load(part.dump)()
        return found
    return json.dumps(_adapter(part).dump_python(value, mode="json")).encode() if value else None


@cache
def _adapter(part: _Part) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(load(part.kind) if isinstance(part.kind, str) else part.kind)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
