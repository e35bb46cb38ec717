"""`crossroads uncounted`."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from backends.spend import budget
from backends.storage.files import prepared
from terminal.shared import Json, Set, say, settings_of

_DEAREST_USD = 1_000_000  # more than any answer costs, and less than what the ledger can hold


def uncounted(
    count: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER=USD", help="Count this answer as what the bill says.")
    ] = None,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """List answers whose process ended before they were counted, and count them as what the provider charged."""
    settings = settings_of(set_)
    charged = [_charge(one) for one in count or ()]
    prepared(settings.data)
    known = {one.number for one in budget.uncounted(settings)}
    for number, usd in charged:
        if number not in known:
            raise typer.BadParameter(f"No uncounted answer has the number {number}.", param_hint="--count")
        budget.count_charge(settings, number, usd)
    left = budget.uncounted(settings)
    if json_:
        rows = [
            {
                "number": one.number,
                "at": one.at.isoformat(),
                "approach": one.approach,
                "model": one.model,
                "worst_usd": str(one.worst_usd),
            }
            for one in left
        ]
        print(json.dumps({"uncounted": rows}, indent=1))
        return
    for one in left:
        worst = budget.rounded_up(one.worst_usd)
        say(f"{one.number}: {one.at:%Y-%m-%d %H:%M} UTC, {one.approach}, {one.model}, at most {worst}")
    if not left:
        say("Every answer was counted.")


def _charge(text: str) -> tuple[int, Decimal]:
    number, _, usd = text.partition("=")
    try:
        found = int(number), Decimal(usd)
        usable = found[1].is_finite() and 0 <= found[1] <= _DEAREST_USD
    except (ValueError, InvalidOperation):
        usable = False
    if not usable:
        raise typer.BadParameter(f"{text[:40]!r} is not NUMBER=USD, such as 3=0.02.", param_hint="--count")
    return found
