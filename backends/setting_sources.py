"""Where settings come from, and which address each key, header, permission and price goes with.

The sources, from the weakest to the strongest: `.env`, the environment, `--set`, and what was entered in a browser
session. What a stronger one says goes first.

A key only goes to the address that its own source configures: to find it, the source is read by itself, and where it
names none it is the provider's usual one. So no source can send another one's key elsewhere, and a `.env` that came
with a folder gets no key that the shell exported. The same holds for headers. A `key_variable` names a key of its own
source or of a weaker one.

A permission (`allow_private`, `rag.chroma_allow_private`) and a price are no secrets. They hold for the address that
was in force where they were set, as the weaker sources have it, and a price also for the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

from backends.remote.connection import without_secrets
from backends.remote.connection_settings import DEFAULT, PAID_API, own_url, same_address, section_of
from backends.remote.providers import OPENAI_URL
from backends.storage.env_file import env_file_values

FINE_TUNED, RAG = "fine_tuned", "rag"
ENV_FILE, ENVIRONMENT = "the .env file", "the environment"

_OPENAI_KEY, _OPENAI_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
_SECRETS = {
    "api_key": "key",
    "key_variable": "key",
    "headers": "headers",
    "chroma_api_key": "key",
    "chroma_headers": "headers",
}
"""Fields that hold a secret or name one, and what they are called in a sentence."""

Values = dict[str, Any]
"""Settings as they were given, by name, sections within."""


@dataclass(frozen=True)
class Source:
    """One place that settings come from; `name` as a sentence has it."""

    name: str
    values: Values


@dataclass(frozen=True)
class _WithheldSecret:
    """A secret that a section goes without, because it belongs to another address."""

    what: str
    giver: str


def sources_of(settings: type[BaseSettings], overrides: Mapping[str, Mapping[str, object]]) -> list[Source]:
    """Every source, the weakest first. `overrides` are the stronger ones: their names, and dotted names of settings."""
    file = EnvSettingsSource(settings)
    file.env_vars = {name.lower(): value for name, value in _env_file(settings).items()}
    found = [Source(ENV_FILE, file()), Source(ENVIRONMENT, EnvSettingsSource(settings)())]
    return [*found, *(Source(name, _nested(values)) for name, values in overrides.items())]


def merged(sources: Sequence[Source], settings: type[BaseSettings]) -> tuple[Values, dict[str, str]]:
    """What holds, and by section a sentence on the secrets that it goes without, where there are any."""
    whole = _over(sources)
    kept = [_with_own_openai_key(source, whole) for source in sources]
    lost: dict[str, list[_WithheldSecret]] = {PAID_API: []}
    if _url(whole, PAID_API) == _openai(whole) and _OPENAI_KEY not in _over(kept):
        lost[PAID_API] += [_WithheldSecret("key", source.name) for source in sources if source.values.get(_OPENAI_KEY)]
    for section in _sections(whole):
        for i, source in enumerate(kept):
            fields = dict(_own_secrets(source, section, whole, settings))
            for name in _fields(source.values, section).keys() - fields:
                giver = source.name if not _is_own(source, section, whole) else ENVIRONMENT
                lost.setdefault(section, []).append(_WithheldSecret(_SECRETS[name], giver))
            kept[i] = _replaced(source, section, fields)
        kept = _with_own_terms(kept, section, whole)
    values = _over(kept)
    sentences = {section: _sentence(secrets, section, values, sources) for section, secrets in lost.items()}
    return values, {section: sentence for section, sentence in sentences.items() if sentence}


def _with_own_openai_key(source: Source, whole: Values) -> Source:
    if same_address(_openai(source.values), _openai(whole)):
        return source
    return Source(source.name, {name: value for name, value in source.values.items() if name != _OPENAI_KEY})


def _own_secrets(
    source: Source, section: str, whole: Values, settings: type[BaseSettings]
) -> Iterator[tuple[str, object]]:
    """The fields of a section as the source has them, without secrets that belong to another address."""
    own = _is_own(source, section, whole)
    for name, value in _fields(source.values, section).items():
        foreign = name == "key_variable" and source.name == ENV_FILE and _is_exported(str(value), settings)
        if name not in _SECRETS or (own and not foreign):
            yield name, value


def _is_own(source: Source, section: str, whole: Values) -> bool:
    """Whether the source, read by itself, has the address that is in force."""
    return _same_address(section, _url(source.values, section), _url(whole, section))


def _is_exported(variable: str, settings: type[BaseSettings]) -> bool:
    """Whether the key in `variable` is one of the environment, and not the one that `.env` gives itself."""
    exported = os.environ.get(variable)
    return bool(exported) and exported != _env_file(settings).get(variable)


def _with_own_terms(sources: Sequence[Source], section: str, whole: Values) -> list[Source]:
    """`sources` without a permission or a price that was set for another address, or a price for another model."""
    kept = list(sources)
    for term in ("chroma_allow_private",) if section == RAG else ("allow_private", "price"):
        givers = [i for i, source in enumerate(kept) if term in _fields(source.values, section)]
        if not givers:
            continue
        seen = _over(kept[: givers[-1] + 1])
        model = _fields(seen, section).get("model")
        other_model = term == "price" and model is not None and model != _fields(whole, section).get("model")
        if other_model or not _same_address(section, _url(seen, section), _url(whole, section)):
            for i in givers:
                fields = {name: value for name, value in _fields(kept[i].values, section).items() if name != term}
                kept[i] = _replaced(kept[i], section, fields)
    return kept


def _sentence(lost: Sequence[_WithheldSecret], section: str, values: Values, sources: Sequence[Source]) -> str:
    """What is not sent and why; empty if another source gives it in its place."""
    fields = _fields(values, section)
    present = {what for name, what in _SECRETS.items() if fields.get(name)}
    missing = [one for one in lost if one.what not in present]
    if not missing:
        return ""
    if not (url := _url(values, section)):
        return ""
    namers = [source.name for source in sources if _names_address(source, section) and _is_own(source, section, values)]
    what, giver = " and ".join(dict.fromkeys(one.what for one in missing)), missing[-1].giver
    return (
        f"The {what} in {giver} {'are' if 'headers' in what else 'is'} not sent to {without_secrets(url)}, the address "
        f"in {namers[-1] if namers else 'force'}: what is secret only goes to the address that the same source "
        "configures. Give both in the same place."
    )


def _names_address(source: Source, section: str) -> bool:
    fields = _fields(source.values, section)
    named = fields.get("base_url") or fields.get("provider") or fields.get("chroma_url")
    return bool(named or (section == PAID_API and source.values.get(_OPENAI_URL)))


def _sections(values: Values) -> list[str]:
    named = values.get("connections")
    return [*map(section_of, (DEFAULT, *(named if isinstance(named, dict) else ()))), FINE_TUNED, RAG]


def _url(values: Values, section: str) -> str:
    """The address that a section's settings come to, or empty; as `connections.base_url_of` has it."""
    fields, name = _fields(values, section), section.partition(".")[2]
    provider, base_url = _text(fields.get("provider")), _text(fields.get("base_url"))
    if section == FINE_TUNED:
        return base_url
    if section == RAG:
        return _text(fields.get("chroma_url"))
    return own_url(provider, base_url, name) or ("" if name or provider else _openai(values))


def _same_address(section: str, one: str, other: str) -> bool:
    """Whether two addresses are one; for a served adapter and for Chroma only if they are spelled alike."""
    return one == other if section in (FINE_TUNED, RAG) else same_address(one, other)


def _openai(values: Values) -> str:
    return _text(values.get(_OPENAI_URL)) or OPENAI_URL


def _fields(values: Values, section: str) -> Values:
    """What is given in a section; empty if it is none, which is refused later."""
    found: object = values
    for part in section.split(".", 1):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _replaced(source: Source, section: str, fields: Values) -> Source:
    """`source` with other fields in a section of it."""
    if _fields(source.values, section) == fields:
        return source
    top, _, name = section.partition(".")
    return Source(source.name, source.values | {top: source.values[top] | {name: fields} if name else fields})


def _over(sources: Sequence[Source]) -> Values:
    whole: Values = {}
    for source in sources:
        whole = _merge(whole, source.values)
    return whole


def _merge(weaker: Values, stronger: Values) -> Values:
    both = dict(weaker)
    for name, value in stronger.items():
        before = both.get(name)
        both[name] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def _nested(overrides: Mapping[str, object]) -> Values:
    """`{"rag.k": 3}` as `{"rag": {"k": 3}}`."""
    nested: Values = {}
    for name, value in overrides.items():
        *parents, leaf = name.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return nested


def _env_file(settings: type[BaseSettings]) -> dict[str, str]:
    return env_file_values(settings.model_config.get("env_file"))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
