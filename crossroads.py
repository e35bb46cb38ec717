"""The terminal face: the same jobs as the browser app, for scripts. `crossroads --help` lists them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import typer

# Installed, the checkout is the folder `crossroads_app`, and what it holds is found as in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from terminal.adapters import attribute, prove, train
from terminal.asking import ask
from terminal.charges import uncounted
from terminal.connections import connections_command
from terminal.documents import index, search
from terminal.servers import demo, stand_in

app = typer.Typer(
    help="Send one question to a raw model, a fine-tuned one, a paid API and RAG, and compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (ask, connections_command, index, search, train, prove, attribute, uncounted, stand_in, demo):
    app.command(_command.__name__.removesuffix("_command").replace("_", "-"))(_command)


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is also ended
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


if __name__ == "__main__":
    main()
