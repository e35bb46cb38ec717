"""`crossroads connections`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from backends.remote.connection_settings import DEFAULT, name_in
from terminal.shared import Json, Set, report, say, settings_of


def connections_command(
    test: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Test this connection; default is the one without a name.")
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """List the connections to paid and other servers, or test them step by step with an answer of one token."""
    from terminal.records import connection_record, tested_record

    settings = settings_of(set_)
    failed = False
    if test:
        found = [tested_record(settings, _name(asked), report) for asked in test]
        failed = not all(record["works"] for record in found)
    else:
        found = [connection_record(settings, name) for name in ("", *sorted(settings.connections))]
    if json_:
        print(json.dumps({"connections": found}, indent=1))
    else:
        for record in found:
            if record["recorded"]:
                _say_recorded(record)
                continue
            key = "with a key" if record["has_key"] else f"no key in {record['key_variable']}"
            tested = "tested: " if "steps" in record else ""
            where = record["base_url"] or "no address"
            say(f"{record['approach']}: {tested}{record['model'] or 'no model'} at {where}, {key}")
            if record["withheld"]:
                say(f"  {record['withheld']}")
            for step in record.get("steps", ()):
                say(f"  {'ok' if step['passed'] else 'FAILED'} {step['step']}: {step['says']}")
    if failed:
        raise typer.Exit(1)


def _say_recorded(record: dict[str, Any]) -> None:
    recorded = record["recorded"]
    count = len(recorded["questions"])
    say(f"{record['approach']}: {recorded['fault'] or f'{count} recorded answers of ' + str(recorded['model'])}")
    for note in recorded["notes"]:
        say(f"  {note}")


def _name(asked: str) -> str:
    """The connection that somebody means: by its name, or as the list calls it (`paid_api`, `paid_api:NAME`)."""
    if asked == "default":
        return DEFAULT
    return asked if (name := name_in(asked)) is None else name
