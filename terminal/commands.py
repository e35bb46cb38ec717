"""The commands, put together. `crossroads --help` lists them."""

from __future__ import annotations

import typer

from terminal.adapters import attribute, prove, train
from terminal.asking import ask
from terminal.batches import batch_app, begin_command, export_command, import_command
from terminal.charges import uncounted
from terminal.connections import connections_command
from terminal.documents import index, search
from terminal.evaluating import evaluate
from terminal.ratings import export_command as export_ratings
from terminal.ratings import list_command as list_ratings
from terminal.ratings import ratings_app
from terminal.runs import (
    approve_command,
    compare_command,
    delete_command,
    list_command,
    runs_app,
    show_command,
    undelete_command,
)
from terminal.servers import demo, stand_in
from terminal.shared import faults

app = typer.Typer(
    help="Send one question to a raw model, a fine-tuned one, a paid API and RAG, and compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _command in (ask, connections_command, index, search, train, prove, attribute, evaluate, uncounted, stand_in, demo):
    _name = _command.__name__.removesuffix("_command").replace("_", "-")
    app.command(_name)(faults(f"crossroads {_name}")(_command))
for _verb in (list_command, show_command, compare_command, approve_command, delete_command, undelete_command):
    _name = _verb.__name__.removesuffix("_command")
    runs_app.command(_name)(faults(f"crossroads runs {_name}")(_verb))
batch_app.command("begin")(faults("crossroads batch begin")(begin_command))
batch_app.command("export")(faults("crossroads batch export")(export_command))
batch_app.command("import")(faults("crossroads batch import")(import_command))

ratings_app.command("list")(faults("crossroads ratings list")(list_ratings))
ratings_app.command("export")(faults("crossroads ratings export")(export_ratings))


@runs_app.callback()
def _runs(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        faults("crossroads runs")(list_command)()


@ratings_app.callback()
def _ratings(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        faults("crossroads ratings")(list_ratings)()


app.add_typer(ratings_app, name="ratings")
app.add_typer(runs_app, name="runs")
app.add_typer(batch_app, name="batch")
