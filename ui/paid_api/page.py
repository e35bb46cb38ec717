"""The page of the paid API, for each of its connections."""

from __future__ import annotations

from backends.registry import spec_of
from backends.remote.connection_settings import approach_of
from ui.ask.page import ask_section
from ui.paid_api.connections import chosen_connection
from ui.resources import settings
from ui.shell import open_page


def paid_api_page(approach: str) -> None:
    """Ask the connection that is chosen."""
    spec = spec_of(approach)
    open_page(spec.name, spec.what)
    ask_section(approach_of(chosen_connection(settings())))
