"""The commands, put together. `crossroads --help` lists them."""

from __future__ import annotations

import typer

from terminal.adapters import attribute, prove, train
from terminal.asking import ask
from terminal.charges import uncounted
from terminal.connections import connections_command
from terminal.documents import index, search
from terminal.servers import demo, stand_in
from terminal.shared import faults

app = typer.Typer(
    help="Send one question to a raw model, a fine-tuned one, a paid API and RAG, and compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (ask, connections_command, index, search, train, prove, attribute, uncounted, stand_in, demo):
    _name = _command.__name__.removesuffix("_command").replace("_", "-")
    app.command(_name)(faults(f"crossroads {_name}")(_command))
