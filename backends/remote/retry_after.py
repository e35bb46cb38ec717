"""How long a server asks to wait before the next request, from wherever it says so."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping

from backends.remote.error_bodies import retry_delay, words_of

_READ_CHARACTERS = 2_000
_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile(
    rf"(?:{_NUMBER} ?h)? ?(?:{_NUMBER} ?m(?:in|inutes?)?)? ?(?:{_NUMBER} ?s(?:ec|econds?)?)? ?(?:{_NUMBER} ?ms)?"
)
_TRY_AGAIN = re.compile(r"(?:try again|retry|wait)(?: in| after)? ([0-9][0-9.hms]{0,30}(?: seconds?)?)", re.IGNORECASE)


def wait_asked_for_s(headers: Mapping[str, str], body: object, now: float) -> float | None:
    """Seconds to wait, from wherever servers say it; None if they do not.

    `retry-after-ms` (Azure, and the openai SDK reads it first), `Retry-After`, Google's RetryInfo in the body, then
    the words of OpenAI and Groq ("Please try again in 1m3.5s").
    """
    for value in (headers.get("retry-after-ms"), headers.get("x-ms-retry-after-ms")):
        wait_ms = retry_after_s(value, now) if value and value.strip().replace(".", "", 1).isdigit() else None
        if wait_ms is not None:
            return wait_ms / 1000
    for value in (headers.get("retry-after"), retry_delay(body)):
        asked = retry_after_s(value, now)
        if asked is None:
            asked = _duration_s(value or "")
        if asked is not None:
            return asked
    said = _TRY_AGAIN.search(words_of(body)[:_READ_CHARACTERS])
    return _duration_s(said[1].rstrip(".")) if said else None


def _duration_s(text: str) -> float | None:
    """Seconds of `20s`, `1m3.5s`, `2 seconds` or `350ms`; None for anything else."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found or not any(found.groups()):
        return None
    hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def retry_after_s(value: str | None, now: float) -> float | None:
    """Seconds to wait from a Retry-After header: a number of seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
