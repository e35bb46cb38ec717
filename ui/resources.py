"""What pages share: the settings of this browser session, backends, running comparisons, and the warm-up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

import backends
from backends.errors import BackendError
from backends.remote import connections
from backends.remote.connection import without_secrets
from backends.run.ask import PreparedQuestion, prepare_question
from backends.run.live import Column, LiveComparison
from backends.run.warm_up import WarmUp
from backends.settings import Settings, is_secret, load_settings, started_with
from backends.storage import strict_json
from backends.storage.files import clear_leftovers
from evaluation.marks import person
from ui import kept
from ui.history.keeping import history_keeper
from ui.shared.errors import keep_fault, show_fault
from ui.shared.question_upload import remember_asked

if TYPE_CHECKING:
    from backends.paid_api import PaidApiBackend

_OVERRIDES = "setting_overrides"
_WISH = "resume_unasked"


def overrides() -> dict[str, Any]:
    """The settings that this browser session changed, by dotted name."""
    return st.session_state.setdefault(_OVERRIDES, {})


def overrides_to_keep() -> bytes | None:
    """The changed settings that a reload gives back, as JSON: no secret, no address with one, and no raised budget."""
    found = {
        name: value
        for name, value in overrides().items()
        if not is_secret(name)
        and not name.startswith("budget.")
        and not (name.endswith("_url") and without_secrets(str(value)) != value)
    }
    return json.dumps(found).encode() if found else None


def take_overrides(content: bytes) -> None:
    """Put changed settings back. Raises `ValueError`, or `BackendError` if they cannot be used any more."""
    found = strict_json.an_object(content)
    load_settings(started_with(), found)
    st.session_state[_OVERRIDES] = found
    for name in [name for name in found if name.endswith(".base_url")]:
        _release_address(name.rpartition(".")[0])


def settings() -> Settings:
    """The settings in force for this browser session. Stops the page with a sentence if they are unusable."""
    try:
        return load_settings(started_with(), overrides())
    except BackendError as fault:
        show_fault(fault)
        if st.button("Back to the defaults", key="reset_settings"):
            overrides().clear()
            st.rerun()
        st.stop()


def override(name: str, value: Any) -> None:
    """Change a setting for this browser session. A new address of a server comes without the old key.

    A price was entered for one model at one address: it goes with either. Documents were chosen in one collection.
    """
    section, _, field = name.rpartition(".")
    if overrides().get(name) != value:
        if field in ("base_url", "provider"):
            overrides().pop(f"{section}.api_key", None)
        if field in ("base_url", "provider", "model", "served_model"):
            for entry in [entry for entry in overrides() if entry.startswith(f"{section}.price.")]:
                del overrides()[entry]
        if name == "rag.collection":
            overrides().pop("rag.documents", None)
    if value in (None, ""):
        overrides().pop(name, None)
        if field == "api_key":
            _release_address(section)
    else:
        overrides()[name] = value
        if field == "api_key":
            _bind_key(section)


def key_in_force(section: str) -> bool:
    """Whether the section has a key for its address, from wherever."""
    return _key_and_address(section)[0] is not None


def address_of(section: str) -> str | None:
    """The address to which a key of this section would go; None if the section names none."""
    return _key_and_address(section)[1]


def _bind_key(section: str) -> None:
    """A key that is entered on a page is for the address that the page shows, wherever that was set."""
    key, shown = _key_and_address(section)
    if key != overrides()[f"{section}.api_key"]:
        overrides()[f"{section}.base_url"] = shown


def _release_address(section: str) -> None:
    """Without its key, an address that is no other than the one configured belongs to its own source again."""
    address = overrides().pop(f"{section}.base_url", None)
    if address is not None and _key_and_address(section)[1] != address:
        overrides()[f"{section}.base_url"] = address


def _key_and_address(section: str) -> tuple[str | None, str | None]:
    """The key and the address in force for a server."""
    current = settings()
    if section == "fine_tuned":
        key, address = current.fine_tuned.api_key, current.fine_tuned.base_url
    else:
        name = section.partition(".")[2]
        key, address = connections.key_of(current, name)[0], connections.base_url_of(current, name)
    return key.get_secret_value() if key else None, address


def paid_api(current: Settings) -> PaidApiBackend:
    """The paid column's backend as the settings have it, to ask it about keys, stand-in and expected cost."""
    from backends import paid_api

    return paid_api.make(current)


def live(page: str) -> LiveComparison | None:
    """The comparison that was last asked on `page` in this browser session, running or finished."""
    found: dict[str, LiveComparison] = st.session_state.setdefault(kept.LIVE, {})
    return found.get(page)


def ask(page: str, approaches: Sequence[str], text: str) -> None:
    """Start a comparison for `page`; one that is still running there is stopped."""
    start(page, prepare_question(settings(), approaches, text))


def resume(page: str, approaches: Sequence[str], changed: Mapping[str, Any] | None = None) -> None:
    """Ask the question of `page` again, of these approaches only and within the same run; the other answers stay.

    `changed` are settings for this time only, by dotted name. What keeps it from being asked is said on the page.
    """
    if (previous := live(page)) is not None:
        question = previous.question
        try:
            current = load_settings(started_with(), overrides() | dict(changed)) if changed else settings()
            asked = prepare_question(current, approaches, question.text, question.run)
        except BackendError as fault:  # what was answered stays: a fault in a callback would take the page away
            keep_fault(fault)
            return
        start(page, asked, finished=previous.columns)


def resume_unasked(page: str, *, stood_in: bool = False) -> None:
    """Ask those of the page's question again that nobody could ask; the other answers stay.

    `stood_in`: and those in whose place a stand-in answered. While answers still come, that is remembered until they
    are there: `fulfil_wish`.
    """
    comparison = live(page)
    if comparison is None:
        return
    if not comparison.done:
        st.session_state[f"{_WISH}:{page}"] = {"stood_in": stood_in}
        return
    unasked = (one for one in comparison.answers if one.status == "not_asked" or (stood_in and one.stand_in))
    if again := [answer.approach for answer in unasked]:
        resume(page, again)


def fulfil_wish(page: str) -> None:
    """Ask what somebody wished for while answers still came, and draw the page anew. Call it once they are there."""
    if wish := st.session_state.pop(f"{_WISH}:{page}", None):
        resume_unasked(page, **wish)
        st.rerun()


def stop(page: str) -> None:
    """Stop what runs on `page`; nothing is asked after it."""
    st.session_state.pop(f"{_WISH}:{page}", None)
    if running := live(page):
        running.stop()


def start(page: str, asked: PreparedQuestion, finished: Sequence[Column] = ()) -> None:
    """Start a comparison that is ready to be asked; one that is still running on `page` is stopped.

    `finished` are columns of an earlier one that stay unless they are asked again.
    """
    if previous := live(page):
        previous.stop()
    st.session_state.pop(f"{_WISH}:{page}", None)
    keep = _keeper(page)
    comparison = LiveComparison(
        asked.backends, asked.question, hold=True, on_answer=asked.record, keep=keep, finished=finished
    )
    kept.took_place(page, comparison)
    st.session_state[kept.LIVE][page] = comparison
    remember_asked(one.question.text for one in st.session_state[kept.LIVE].values())
    keep(comparison)


def _keeper(page: str) -> Callable[[LiveComparison], None]:
    """What keeps a comparison of `page`, for a reload and in the history."""
    current = settings()
    both = kept.keeper(current.data, page), history_keeper(current, page, person(kept.browser_id()))

    def keep(comparison: LiveComparison) -> None:
        for one in both:
            one(comparison)

    return keep


@st.cache_resource(show_spinner=False)
def warm_up() -> WarmUp:
    """The one warm-up of this process: local approaches, and behind them the stand-in where one is to answer.

    With the settings that the app was started with.
    """
    current = load_settings(started_with())
    clear_leftovers(current.data)
    loaded = [backends.make(spec.id, current) for spec in backends.specs() if spec.warm_up]
    if not current.scripted and (paid := paid_api(current)).stand_in:
        loaded.append(paid)
    return WarmUp(loaded).start()
