"""Keys in the operating system's keyring, where somebody asked for that: never in a file of ours.

An entry belongs to one browser, one section of the settings and one address: asked for another one, there is no key.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import TypeVar

from backends.errors import BackendError

SERVICE = "Crossroads"
"""What the keyring's own program lists the entries under."""

_USABLE = 1  # from here on, keyring counts a backend as one that it recommends; below are plain files and none at all
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


def unavailable() -> str:
    """Why no key can be remembered here, in a sentence; nothing if it can."""
    import keyring

    try:
        usable = keyring.get_keyring().priority >= _USABLE
    except Exception:  # a backend that cannot be asked
        usable = False
    return "" if usable else "This system has no keyring that is running, so a key cannot be remembered."


def remember(section: str, address: str, browser: str, key: str) -> None:
    """Keep a key, in place of an earlier one. Raises `BackendError` where the keyring refuses."""
    import keyring

    _asked(lambda: keyring.set_password(SERVICE, _entry(section, address, browser), key))


def remembered(section: str, address: str, browser: str) -> str | None:
    """The key that was kept for this address; None if there is none. Raises `BackendError`."""
    import keyring

    return _asked(lambda: keyring.get_password(SERVICE, _entry(section, address, browser)))


def forget(section: str, address: str, browser: str) -> None:
    """Take a key away; does nothing if it is gone. Raises `BackendError`."""
    import keyring

    entry = _entry(section, address, browser)
    if _asked(lambda: keyring.get_password(SERVICE, entry)) is not None:
        _asked(lambda: keyring.delete_password(SERVICE, entry))


def _entry(section: str, address: str, browser: str) -> str:
    return f"{section} at {address} ({hashlib.sha256(browser.encode()).hexdigest()[:12]})"


def _asked(work: Callable[[], _T]) -> _T:
    """What the keyring says. Its faults are of many kinds, and none of their words are shown: they may hold a key."""
    try:
        return work()
    except Exception as fault:
        _log.warning("the keyring refused: %s", type(fault).__name__)
        raise BackendError(
            f"The system's keyring refused ({type(fault).__name__}).", "Unlock it and try again, or enter the key anew."
        ) from None
