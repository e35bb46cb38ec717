"""What pages cost in tests, where each begins as in a process of its own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner

scan = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True, scope="module")
def packages_scanned_once() -> Iterator[None]:
    """The components of installed packages, which do not change, are looked for once: a third of the time of a page.

    Streamlit's `AppTest` looks for them for each app that it makes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture(autouse=True, scope="module")
def what_was_frozen_stays_so() -> Iterator[None]:
    """A warm-up looks for garbage among all that is in memory: once in a process, but here in each test, for 0.4 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "unfreeze", lambda: None)
        yield
