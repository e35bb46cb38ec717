"""Under which circumstances a run is made: settings without keys, machine, packages, and what must stay the same."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from backends.errors import BackendError
from backends.remote.connection import without_secrets
from backends.settings import Settings, load_settings, setting_names
from backends.spend.pricing import source
from evaluation.runs.judge import judge_note
from evaluation.runs.model import Run, RunApproach, content_hash
from evaluation.samples import Sample

PACKAGES: tuple[str, ...] = (
    *("crossroads", "torch", "transformers", "peft", "sentence-transformers", "chromadb", "openai", "genai-prices"),
    *("sqlalchemy", "numpy", "scikit-learn"),
)
"""Packages whose versions a run records."""

_ADDRESSES = ("url", "base_url", "chroma_url")
_SECRETS = ("api_key", "key_variable", "chroma_api_key", "headers", "chroma_headers")
_WITHOUT = ("data", "store", "budget", "judge", "throughput", "openai_api_key")
"""Settings that say where things are kept, what may be spent, who judges and how much is done at once, and nothing of
what is asked."""
_LIMITS = ("max_at_once", "max_retries", "deadline_s", "allow_private")
"""Ends of the names of settings that are today's when a run goes on: limits of connections, and permissions."""


def new_run(
    settings: Settings,
    samples: Sequence[Sample],
    name: str,
    approaches: Sequence[str],
    repeats: int = 1,
    throughput: bool = False,
) -> Run:
    """A run that begins now: `approaches` answer each of the samples, which are called `name`, `repeats` times.
    With `throughput`, those of this machine answer many at once, and have no times.

    Raises `BackendError` without questions or approaches.
    """
    if not samples or not approaches:
        raise BackendError("There is nothing to ask.", "Give at least one question and one approach.")
    return Run(
        id=new_run_id(),
        created_at=datetime.now(UTC),
        set_hash=content_hash(samples),
        set_name=name,
        questions=len(samples),
        repeats=repeats,
        seed=settings.seed,
        approaches=tuple(RunApproach(one, "") for one in dict.fromkeys(approaches)),
        settings=recorded_settings(settings),
        machine=machine(),
        packages=packages(),
        prices=source(),
        keeps_texts=settings.store.keep_texts,
        judge=_judge(settings),
        throughput=throughput,
    )


def _judge(settings: Settings) -> dict[str, Any] | None:
    """Who is to judge, by which rubrics; which model that is, is known once it has judged."""
    if not settings.judge.connection or not settings.store.keep_texts:
        return None
    return judge_note(settings, None, {"approach": settings.judge.connection, "model": ""})


def run_again(run: Run, settings: Settings, samples: Sequence[Sample]) -> Run:
    """A run that repeats `run` now: the same question set, approaches, repeats, and with `settings_as_then` the same
    settings and seed."""
    approaches = [one.approach for one in run.approaches]
    again = new_run(settings, samples, run.set_name, approaches, run.repeats, run.throughput)
    return replace(again, set_hash=run.set_hash)  # samples from the store have their clusters filled in


def changed_circumstances(then: Run, now: Run) -> list[str]:
    """What is no longer the same in a run that repeats another one, a sentence for each: weights, adapters, documents,
    servers and models as far as both runs know them, packages, prices, machine."""
    found = []
    for one in now.approaches:
        before = next((other for other in then.approaches if other.approach == one.approach), None)
        if before is not None and one.identity and before.identity:
            names = dict.fromkeys((*before.identity, *one.identity))
            found += _changed(
                one.approach, [(name, before.identity.get(name), one.identity.get(name)) for name in names]
            )
        if before is not None and one.model and before.model:
            found += _changed(one.approach, [("model", before.model, one.model)])
    for what, old, new in (("Package", then.packages, now.packages), ("Machine", then.machine, now.machine)):
        found += _changed(what, [(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new))])
    return found + _changed("Prices", [("list", then.prices, now.prices)])


def _changed(what: str, values: Sequence[tuple[str, Any, Any]]) -> list[str]:
    """`raw: the revision was 1 then and is 2 now.` for each value that is another one."""
    known = {None: "unknown"}
    return [
        f"{what}: {name} was {known.get(old, old)} then and is {known.get(new, new)} now."
        for name, old, new in values
        if old != new
    ]


def new_run_id() -> str:
    """The time and something by chance: `20261130-201500-3fa9c1`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def recorded_settings(settings: Settings) -> dict[str, Any]:
    """The settings that say what is asked of whom, as JSON: no keys, no headers, no passwords in addresses."""
    return {name: _recorded(name, value) for name, value in settings if name not in _WITHOUT}


def _recorded(name: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {key: _recorded(key, one) for key, one in value if not _is_secret(key, one)}
    if isinstance(value, Mapping):
        return {key: _recorded(key, one) for key, one in value.items() if not _is_secret(key, one)}
    if isinstance(value, list | tuple):
        return [_recorded(name, one) for one in value]
    if isinstance(value, str) and name.endswith(_ADDRESSES):
        return without_secrets(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _is_secret(name: str, value: object) -> bool:
    """Whether it is a key, holds some, or says where one is: a record must not be able to send a key anywhere."""
    return isinstance(value, SecretStr) or name in _SECRETS


def settings_as_then(
    recorded: Mapping[str, Any], overrides: Mapping[str, object], session: Mapping[str, object] | None = None
) -> Settings:
    """The settings in force, with those of a run that goes on in place of today's; `overrides` are those of `--set`.

    Keys, the budget, the store and limits of connections are today's. Raises `BackendError` if that cannot be had, or
    if `overrides` would change what the run asks. In a browser, which has a `session` of changed settings, neither is
    meant for the run: what would change it does not count.
    """
    names = set(setting_names())
    then = {name: value for name, value in _dotted(recorded) if _settable(name, names)}
    if session is not None:
        overrides = {name: value for name, value in overrides.items() if name not in then}
        session = {name: value for name, value in session.items() if name not in then or value == then[name]}
    if changed := sorted(then.keys() & overrides.keys()):
        raise BackendError(
            f"The run keeps the settings that it began with, so {changed[0]} cannot be set.", "Begin a new run."
        )
    given = {name: value for name, value in then.items() if value is not None}
    current = recorded_settings(load_settings(overrides, session))
    emptied = {name: value for name, value in then.items() if value is None and _at(current, name) is not None}
    settings = load_settings({**given, **emptied, **overrides}, session)
    now = recorded_settings(settings)
    for name, value in _dotted(recorded):
        if not name.endswith(_LIMITS) and _at(now, name) != value:
            raise BackendError(
                f"The run began with {name} = {value!r}, and now it is {_at(now, name)!r}.",
                "Set it as it was, or begin a new run.",
            )
    return settings


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _settable(name: str, names: set[str]) -> bool:
    """Whether it is taken over from the run. A price is not: it has to be set for its address again."""
    section, _, rest = name.partition(".")
    general = f"connections.NAME.{rest.partition('.')[2]}" if section == "connections" else name
    secret = name.rpartition(".")[2] in _SECRETS
    return general in names and not secret and ".price." not in name and not name.endswith(_LIMITS)


def _at(values: Mapping[str, Any], name: str) -> Any:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def machine() -> dict[str, Any]:
    """What the run computes on: system, processor, cores, memory in bytes, Python."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
    }


def _processor() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def packages() -> dict[str, str]:
    """The versions of the packages that matter, by name; those that are not installed are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
