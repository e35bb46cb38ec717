"""`crossroads ratings`: list rating sessions, and export one that is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from terminal.runs import opened_store
from terminal.shared import Json, Set, say

ratings_app = typer.Typer(help="List rating sessions, and export one that is over.", invoke_without_command=True)


def list_command(set_: Set = None, json_: Json = False) -> None:
    """List the rating sessions, the newest first."""
    from evaluation.ratings.sessions import all_sessions, raters_of, ratings_of

    with opened_store(set_) as store:
        rows = [
            {
                "session": one.id,
                "name": one.name,
                "state": one.state,
                "round": one.round,
                "raters": len(raters_of(store, one.id)),
                "ratings": len(ratings_of(store, one.id)),
            }
            for one in all_sessions(store)
        ]
    if json_:
        print(json.dumps({"sessions": rows}, indent=1))
        return
    for row in rows:
        say(f"{row['session']}  {row['state']:<7} {row['ratings']:>6,} ratings by {row['raters']:,}: {row['name']}")
    if not rows:
        say("There are no rating sessions yet: the page Evaluate, Ratings makes one from a run.")


def export_command(
    session: Annotated[str, typer.Argument(help="The id of a session that is closed or locked.")],
    file: Annotated[Path, typer.Argument(help="Where to: .zip has all of it; .csv, .jsonl and .parquet the ratings.")],
    set_: Set = None,
) -> None:
    """Write a session without the names of its raters; the .zip holds a script that recomputes its figures."""
    from evaluation.ratings.export import export_session
    from evaluation.ratings.sessions import find_session

    with opened_store(set_) as store:
        export_session(store, find_session(store, session), file)
    say(f"Written: {file}")
