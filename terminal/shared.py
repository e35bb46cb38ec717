"""What the commands share: options, settings, and where results, progress and faults go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from backends.base import BackendError
from backends.leftovers import clear_leftovers
from backends.questions import visible
from backends.settings import Settings, load_settings

progress = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
_out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting for this call.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Collection = Annotated[str | None, typer.Option(help="Name of the document collection.")]

REPORT_S = 2.0
"""How often progress within a file, or of long work, is reported."""


def say(text: str) -> None:
    """Print a result. Text from models and documents cannot steer the terminal: control characters are left out."""
    _out.print(visible(text))


def report(text: str) -> None:
    """Print progress or a fault, on standard error."""
    progress.print(visible(text))


@contextmanager
def faults() -> Iterator[None]:
    """A fault becomes one sentence on standard error and exit status 1."""
    try:
        yield
    except BackendError as fault:
        report(f"{fault.cause} {fault.next_step}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        report("Stopped.")
        raise typer.Exit(1) from None


def settings_of(pairs: list[str] | None, **more: str | int | list[str] | None) -> Settings:
    """Settings with `--set` applied. A malformed or unknown one is wrong usage: exit status 2."""
    overrides: dict[str, object] = {name.replace("__", "."): value for name, value in more.items() if value is not None}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE.", param_hint="--set")
        overrides[name.strip()] = value
    try:
        settings = load_settings(overrides)
    except BackendError as fault:
        raise typer.BadParameter(f"{fault.cause} {fault.next_step}", param_hint="--set") from None
    clear_leftovers(settings.data)
    return settings
