"""Connections and their tests as plain records, for `crossroads connections --json`. Never a key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from backends import connections, stand_in
from backends.connection_test import run_steps
from backends.engines.remote_connection import without_secrets
from backends.ledger import recorder
from backends.paid_api import PaidApiBackend
from backends.settings import Settings


def connection_record(settings: Settings, name: str) -> dict[str, Any]:
    """A connection as it is configured. Raises `BackendError` if there is none of that name."""
    chosen = connections.of(settings, name)
    provider = connections.provider_of(chosen, name)
    key, variable = connections.key_of(settings, name)
    return {
        "approach": connections.approach_of(name),
        "provider": provider.name if provider else None,
        "base_url": without_secrets(connections.base_url_of(settings, name)),
        "model": chosen.model,
        "key_variable": variable,
        "has_key": key is not None,
        "withheld": settings.withheld(connections.section_of(name)) or None,
        "on_this_machine": connections.computes_here(settings, name),
        "price": None if chosen.price is None else chosen.price.model_dump(mode="json"),
    }


def tested_record(settings: Settings, name: str, report: Callable[[str], None]) -> dict[str, Any]:
    """The connection with the steps of a test; what its chat cost is recorded, as a test."""
    record = connection_record(settings, name)
    backend = PaidApiBackend(settings, None if name else stand_in.running(settings.data), name)
    steps = []
    for step in run_steps(backend, threading.Event()):
        report(f"{record['approach']}: {step.name} {'ok' if step.passed else 'failed'}")
        steps.append({"step": step.name, "passed": step.passed, "says": step.says, "models": list(step.models)})
        if step.answer:
            recorder(settings, purpose="test")(step.answer)
    return record | {"stand_in": backend.stand_in, "works": all(step["passed"] for step in steps), "steps": steps}
