"""What pages share: the settings of this browser session, backends, running comparisons, and the warm-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

import backends
from backends.errors import BackendError
from backends.remote import connections, stand_in
from backends.remote.stand_in import StandInStart
from backends.run.ask import PreparedQuestion, prepare_question
from backends.run.live import Column, LiveComparison
from backends.run.warm_up import WarmUp
from backends.settings import Settings, load_settings, started_with
from backends.storage.files import clear_leftovers
from ui.shared.errors import show_fault

if TYPE_CHECKING:
    from backends.paid_api import PaidApiBackend

_OVERRIDES = "setting_overrides"
_LIVE = "live_comparisons"


def overrides() -> dict[str, Any]:
    """The settings that this browser session changed, by dotted name."""
    return st.session_state.setdefault(_OVERRIDES, {})


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
    from backends.paid_api import PaidApiBackend

    return PaidApiBackend(current, stand_in.running(current.data))


def live(page: str) -> LiveComparison | None:
    """The comparison that was last asked on `page` in this browser session, running or finished."""
    found: dict[str, LiveComparison] = st.session_state.setdefault(_LIVE, {})
    return found.get(page)


def ask(page: str, approaches: Sequence[str], text: str) -> None:
    """Start a comparison for `page`; one that is still running there is stopped."""
    start(page, prepare_question(settings(), approaches, text))


def resume(page: str, approaches: Sequence[str]) -> None:
    """Ask the question of `page` again, of these approaches only and within the same run; the other answers stay."""
    if (previous := live(page)) is not None:
        question = previous.question
        start(page, prepare_question(settings(), approaches, question.text, question.run), finished=previous.columns)


def start(page: str, asked: PreparedQuestion, finished: Sequence[Column] = ()) -> None:
    """Start a comparison that is ready to be asked; one that is still running on `page` is stopped.

    `finished` are columns of an earlier one that stay unless they are asked again.
    """
    if previous := live(page):
        previous.stop()
    st.session_state[_LIVE][page] = LiveComparison(
        asked.backends, asked.question, hold=True, on_answer=asked.record, finished=finished
    )


@st.cache_resource(show_spinner=False)
def warm_up() -> WarmUp:
    """The one warm-up of this process: local approaches with the settings the app was started with."""
    current = load_settings(started_with())
    clear_leftovers(current.data)
    return WarmUp([backends.make(spec.id, current) for spec in backends.specs() if spec.warm_up]).start()


@st.cache_resource(show_spinner=False)
def stand_in_start() -> StandInStart:
    """The one place from which this process starts the stand-in."""
    return StandInStart()
