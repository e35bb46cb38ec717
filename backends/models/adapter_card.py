"""What a card may say: a card may come from anywhere, and one that says the impossible must not take a page away."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between these, a date can be sorted, stored in 64 bits of nanoseconds, and shown anywhere on earth."""

_TYPES = ("_type", "_parsing")  # how pydantic's names for errors of kind end; the others are errors of range


def usable_date(text: str) -> datetime | None:
    """An ISO 8601 date in UTC, None if it is none. Raises `ValueError` for one that is out of range."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        found = parsed.astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("out of range") from error
    if not FIRST <= found < LAST:
        raise ValueError("out of range")
    return found


def _in_range(text: str) -> str:
    usable_date(text)
    return text


_Text = Annotated[StrictStr, Field(max_length=10_000)]
_Count = Annotated[StrictInt, Field(ge=0, le=10**12)]
_Number = Annotated[float, Field(strict=True, ge=0, le=1e12)]
_Seconds = Annotated[
    float, Field(strict=True, ge=-1e12, le=1e12)
]  # a negative one says nothing, as earlier versions read it


class _Score(BaseModel):
    questions: _Count | None = None
    base: _Count | None = None
    adapter: _Count | None = None
    question_set: _Text | None = None


class _Card(BaseModel):
    """The fields that are computed with or shown one by one, as in `backends.fine_tuned.adapters.card`."""

    model_config = ConfigDict(extra="allow")
    base_model: _Text | None = None
    base_revision: _Text | None = None
    method: _Text | None = None
    created: Annotated[_Text, AfterValidator(_in_range)] | None = None
    steps: _Count | None = None
    best_step: _Count | None = None
    final_loss: _Number | None = None
    held_out_loss: _Number | None = None
    seconds: _Seconds | None = None
    tokens_per_s: _Number | None = None
    cost_usd: Annotated[Decimal, Field(ge=0, le=10**12)] | None = None
    cost_basis: _Text | None = None
    precision: _Text | None = None
    precision_reason: _Text | None = None
    command: _Text | None = None
    sha256: _Text | None = None
    score: _Score | None = None


def impossible(card: dict[str, Any]) -> str | None:
    """The name of a field whose value is out of range, None if there is none.

    A value of another kind than expected is nothing impossible: whoever reads the card leaves it out.
    """
    try:
        _Card.model_validate(card)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            if not one["type"].endswith(_TYPES):
                return ".".join(str(part) for part in one["loc"])
    return None
