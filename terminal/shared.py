"""What the commands share: options, settings, and where results, progress and faults go."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from backends.errors import BackendError, disk_fault, unexpected_fault
from backends.settings import Settings, load_settings, setting_names
from backends.storage.files import clear_leftovers
from backends.text import visible
from terminal.stopping import exit_status

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

progress = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
_out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting for this call.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Collection = Annotated[str | None, typer.Option(help="Name of the document collection.")]

_log = logging.getLogger(__name__)

REPORT_S = 2.0
"""How often progress within a file, or of long work, is reported."""


def say(text: str) -> None:
    """Print a result. Text from models and documents cannot steer the terminal: control characters are left out."""
    _out.print(visible(text))


def report(text: str) -> None:
    """Print progress or a fault, on standard error."""
    progress.print(visible(text))


def time_left() -> ProgressColumn:
    """What shows beside a bar how long it takes still, and nothing as long as that is not known."""
    from rich.progress import Task, TimeRemainingColumn
    from rich.text import Text

    class TimeLeft(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            return Text("") if task.total is None or task.time_remaining is None else super().render(task)

    return TimeLeft()


@contextmanager
def faults(command: str) -> Iterator[None]:
    """How every command ends that cannot do its work: one sentence on standard error, and exit status 1.

    130 and 143 where Ctrl-C or SIGTERM stopped it. The log has the rest of a fault that no code expects.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise  # what Typer itself ends a command with
    except BackendError as fault:
        report(str(fault))
        raise typer.Exit(1) from None
    except BrokenPipeError:
        raise  # who reads the results has gone; Typer ends the command
    except OSError as error:
        report(str(disk_fault(error) or f"The command failed: {error.strerror or error}. Try again."))
        raise typer.Exit(1) from None
    except KeyboardInterrupt as stop:
        report("Stopped.")
        raise typer.Exit(exit_status(stop)) from None
    except Exception as error:
        _log.exception("%s failed", command)
        report(str(unexpected_fault(command, error)))
        raise typer.Exit(1) from None


def settings_of(pairs: list[str] | None, **more: str | int | list[str] | None) -> Settings:
    """Settings with `--set` applied. A malformed or unknown one is wrong usage: exit status 2."""
    overrides: dict[str, object] = {name.replace("__", "."): value for name, value in more.items() if value is not None}
    try:
        settings = load_settings(overrides | overrides_of(pairs))
    except BackendError as fault:
        raise typer.BadParameter(str(fault), param_hint="--set" if pairs or more else None) from None
    clear_leftovers(settings.data)
    return settings


def overrides_of(pairs: list[str] | None) -> dict[str, object]:
    """What `--set` names and gives. A malformed one is wrong usage, and is repeated only where it can hold no key."""
    overrides: dict[str, object] = {}
    for number, pair in enumerate(pairs or (), 1):
        name, equals, value = pair.partition("=")
        if not equals:
            shown = repr(pair) if pair in setting_names() else f"Number {number}"
            raise typer.BadParameter(f"{shown} is not KEY=VALUE.", param_hint="--set")
        overrides[name.strip()] = value
    return overrides
