"""What pages cost in tests: Streamlit's `AppTest` looks through all installed packages for each app that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from streamlit.components.v2 import manifest_scanner

scan = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True, scope="module")
def packages_scanned_once() -> Iterator[None]:
    """The components of installed packages, which do not change, are looked for once: a third of the time of a page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield
