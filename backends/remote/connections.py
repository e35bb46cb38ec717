"""Named connections to OpenAI-compatible servers: where each one's questions go, and the key that belongs there."""

from __future__ import annotations

import os

from pydantic import SecretStr

from backends.remote.address import is_loopback
from backends.remote.connection import Connection
from backends.remote.connection_settings import (
    ConnectionSettings,
    name_in,
    named,
    own_url,
    same_address,
    section_of,
)
from backends.remote.providers import OPENAI_URL, PROVIDERS, Provider
from backends.settings import Settings
from backends.storage.env_file import env_file_values


def settings_of(settings: Settings, name: str) -> ConnectionSettings:
    """The settings of a connection. Raises `BackendError` if there is none of that name."""
    return named(name, settings.paid_api, settings.connections)


def is_recorded(settings: Settings, approach: str) -> bool:
    """Whether an approach id names a connection that shows recorded answers: nobody can be asked anything new there."""
    name = name_in(approach)
    return name is not None and bool(settings_of(settings, name).recorded)


def provider_of(chosen: ConnectionSettings, name: str) -> Provider | None:
    """The known provider of a connection, if its address is that provider's."""
    found = PROVIDERS.get(chosen.provider or name)
    if found is None or (chosen.base_url and found.base_url and not same_address(chosen.base_url, found.base_url)):
        return None
    return found


def base_url_of(settings: Settings, name: str) -> str:
    """Where the questions go. Empty if neither a base URL nor a provider that has one is set.

    The default connection without either goes to `OPENAI_BASE_URL`, else to OpenAI.
    """
    chosen = settings_of(settings, name)
    own = own_url(chosen.provider, chosen.base_url, name)
    return own or ("" if name or chosen.provider else settings.openai_base_url or OPENAI_URL)


def computes_here(settings: Settings, name: str) -> bool:
    """Whether the server computes on this machine: as set, else where its provider is one that usually does.

    Such a server may listen on any port, so long as its address is this machine's.
    """
    chosen = settings_of(settings, name)
    if chosen.on_this_machine is not None:
        return chosen.on_this_machine
    found = PROVIDERS.get(chosen.provider or name)
    return bool(found and found.on_this_machine and is_loopback(base_url_of(settings, name)))


def price_url(settings: Settings, name: str) -> str:
    """The address under which the price list knows the connection's provider."""
    found = provider_of(settings_of(settings, name), name)
    return (found and found.price_url) or base_url_of(settings, name)


def key_of(settings: Settings, name: str) -> tuple[SecretStr | None, str]:
    """The key that belongs to a connection's address, or None, and the variable in which it is to be set.

    What the connection itself names belongs to the address that it names (OpenAI's if none): first `api_key`, then
    `key_variable`. `OPENAI_API_KEY` belongs to `OPENAI_BASE_URL`, else to OpenAI; a provider's usual variable to the
    address of that provider.
    """
    chosen, url = settings_of(settings, name), base_url_of(settings, name)
    own_variable = f"CROSSROADS_{section_of(name).upper().replace('.', '__')}__API_KEY"
    if same_address(url, own_url(chosen.provider, chosen.base_url, name) or OPENAI_URL):
        if key := key_or_none(chosen.api_key):
            return key, own_variable
        if chosen.key_variable:
            return _variable(settings, chosen.key_variable), chosen.key_variable
    if same_address(url, settings.openai_base_url or OPENAI_URL):
        return key_or_none(settings.openai_api_key), "OPENAI_API_KEY"
    found = provider_of(chosen, name)
    if found and found.base_url and found.key_variable and found.base_url != OPENAI_URL:
        return _variable(settings, found.key_variable), found.key_variable
    return None, own_variable


def resolved(settings: Settings, name: str) -> Connection:
    """The connection as an engine takes it."""
    chosen = settings_of(settings, name)
    key, variable = key_of(settings, name)
    return Connection(
        base_url=base_url_of(settings, name),
        api_key=key,
        model=chosen.model,
        deadline_s=chosen.deadline_s,
        max_retries=chosen.max_retries,
        key_variable=variable,
        section=section_of(name),
        model_setting=f"{section_of(name)}.model",
        headers=tuple(chosen.headers.items()),
        allow_private=chosen.allow_private,
        max_at_once=chosen.max_at_once,
        withheld=settings.withheld(section_of(name)),
    )


def key_or_none(key: SecretStr | None) -> SecretStr | None:
    """A key, or None: an empty variable is no key."""
    return key if key is not None and key.get_secret_value().strip() else None


def _variable(settings: Settings, name: str) -> SecretStr | None:
    """A variable of the environment, else of `.env`."""
    value = os.environ.get(name)
    if value is None:
        value = env_file_values(settings.model_config.get("env_file")).get(name)
    return None if value is None else key_or_none(SecretStr(value))
