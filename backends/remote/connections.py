"""Named connections to OpenAI-compatible servers: their settings, addresses, and the key that belongs to each.

`paid_api` is the connection without a name. Every other one is `connections.NAME` in the settings and `paid_api:NAME`
wherever an approach is named.
"""

from __future__ import annotations

import json
import os
import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from backends.errors import BackendError
from backends.remote.address import host_of, is_loopback
from backends.remote.connection import Connection, header_fault
from backends.remote.providers import OPENAI_URL, PROVIDERS, Provider
from backends.storage.env_file import env_file_values

if TYPE_CHECKING:
    from backends.settings import Settings

DEFAULT = ""
"""The name of the connection that `paid_api` settings describe."""

PAID_API = "paid_api"
_NAME = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
_LONGEST_NAME = 32


def _parsed(value: object) -> object:
    """An environment variable or `--set` gives a mapping as JSON."""
    return json.loads(value) if isinstance(value, str) else value


class ManualPrice(BaseModel):
    """Prices of one model in USD per million tokens, as somebody entered them on `date`.

    They go before the price list. Without `cached_usd`, cached tokens cost what any other token in does. They hold for
    one service tier: the usual one if none is named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd: Decimal = Field(ge=0, allow_inf_nan=False)
    cached_usd: Decimal | None = Field(default=None, ge=0, allow_inf_nan=False)
    output_usd: Decimal = Field(ge=0, allow_inf_nan=False)
    date: date
    service_tier: str | None = None


class ConnectionSettings(BaseModel):
    """One model on one OpenAI-compatible server.

    `api_key`, `headers` and what `key_variable` names belong to the address that the same source configures, and are
    never sent anywhere else (`backends.setting_sources`).
    `provider` names one of `backends.remote.providers`; the connection's own name is tried if it is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    provider: str | None = None
    base_url: str | None = None
    model: str = ""
    api_key: SecretStr | None = None
    key_variable: str | None = Field(default=None, description="the environment variable that holds the key")
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_parsed)] = Field(default={}, description="as JSON")
    price: ManualPrice | None = None
    on_this_machine: bool | None = Field(default=None, description="the server computes on this machine: take turns")
    allow_private: bool = Field(default=False, description="the server may have an address of a private network")
    deadline_s: float = Field(default=120.0, gt=0, description="wall-clock limit for one answer, retries included")
    max_retries: int = Field(default=2, ge=0, le=10)
    max_at_once: int = Field(default=8, ge=1, le=1000, description="requests under way together; fewer after a 429")

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, value: str | None) -> str | None:
        if value and value not in PROVIDERS:
            raise ValueError(f"the providers are {', '.join(PROVIDERS)}")
        return value or None

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, content in value.items():
            if fault := header_fault(name, content.get_secret_value()):
                raise ValueError(fault)
        return value


def check_name(name: str) -> None:
    """Raise `BackendError` for what cannot be the name of a connection."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise BackendError(
            f"A connection cannot be called {name[:_LONGEST_NAME]!r}.",
            f"Use at most {_LONGEST_NAME} of a to z, 0 to 9, - and _, such as groq or my-vllm.",
        )


def approach_of(name: str) -> str:
    """The approach id of a connection: `paid_api` or `paid_api:NAME`."""
    return f"{PAID_API}:{name}" if name else PAID_API


def name_in(approach: str) -> str | None:
    """The connection that an approach id names (empty for the default one), or None if it names none."""
    section, colon, name = approach.partition(":")
    if section != PAID_API or (colon and not name):
        return None
    return name


def section_of(name: str) -> str:
    """Where the settings of a connection are: `paid_api` or `connections.NAME`."""
    return f"connections.{name}" if name else PAID_API


def of(settings: Settings, name: str) -> ConnectionSettings:
    """The settings of a connection. Raises `BackendError` if there is none of that name."""
    if not name:
        return settings.paid_api
    if name not in settings.connections:
        known = ", ".join(settings.connections) or "none yet"
        raise BackendError(
            f"There is no connection called {name!r}; there are: {known}.",
            f"Set connections.{name}.base_url and connections.{name}.model.",
        )
    return settings.connections[name]


def provider_of(chosen: ConnectionSettings, name: str) -> Provider | None:
    """The known provider of a connection, if its address is that provider's."""
    found = PROVIDERS.get(chosen.provider or name)
    if found is None or (chosen.base_url and found.base_url and not same(chosen.base_url, found.base_url)):
        return None
    return found


def base_url_of(settings: Settings, name: str) -> str:
    """Where the questions go. Empty if neither a base URL nor a provider that has one is set.

    The default connection without either goes to `OPENAI_BASE_URL`, else to OpenAI.
    """
    chosen = of(settings, name)
    own = own_url(chosen.provider, chosen.base_url, name)
    return own or ("" if name or chosen.provider else settings.openai_base_url or OPENAI_URL)


def own_url(provider: str | None, base_url: str | None, name: str) -> str:
    """The address that the own settings of the connection `name` come to, or empty."""
    found = PROVIDERS.get(provider or name)
    return base_url or (found and found.base_url) or ""


def computes_here(settings: Settings, name: str) -> bool:
    """Whether the server computes on this machine: as set, else where its provider is one that usually does.

    Such a server may listen on any port, so long as its address is this machine's.
    """
    chosen = of(settings, name)
    if chosen.on_this_machine is not None:
        return chosen.on_this_machine
    found = PROVIDERS.get(chosen.provider or name)
    return bool(found and found.on_this_machine and is_loopback(base_url_of(settings, name)))


def price_url(settings: Settings, name: str) -> str:
    """The address under which the price list knows the connection's provider."""
    found = provider_of(of(settings, name), name)
    return (found and found.price_url) or base_url_of(settings, name)


def key_of(settings: Settings, name: str) -> tuple[SecretStr | None, str]:
    """The key that belongs to a connection's address, or None, and the variable in which it is to be set.

    What the connection itself names belongs to the address that it names (OpenAI's if none): first `api_key`, then
    `key_variable`. `OPENAI_API_KEY` belongs to `OPENAI_BASE_URL`, else to OpenAI; a provider's usual variable to the
    address of that provider.
    """
    chosen, url = of(settings, name), base_url_of(settings, name)
    own_variable = f"CROSSROADS_{section_of(name).upper().replace('.', '__')}__API_KEY"
    if same(url, own_url(chosen.provider, chosen.base_url, name) or OPENAI_URL):
        if key := given(chosen.api_key):
            return key, own_variable
        if chosen.key_variable:
            return _variable(settings, chosen.key_variable), chosen.key_variable
    if same(url, settings.openai_base_url or OPENAI_URL):
        return given(settings.openai_api_key), "OPENAI_API_KEY"
    found = provider_of(chosen, name)
    if found and found.base_url and found.key_variable and found.base_url != OPENAI_URL:
        return _variable(settings, found.key_variable), found.key_variable
    return None, own_variable


def resolved(settings: Settings, name: str) -> Connection:
    """The connection as an engine takes it."""
    chosen = of(settings, name)
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


def given(key: SecretStr | None) -> SecretStr | None:
    """A key, or None: an empty variable is no key."""
    return key if key is not None and key.get_secret_value().strip() else None


def _variable(settings: Settings, name: str) -> SecretStr | None:
    """A variable of the environment, else of `.env`."""
    value = os.environ.get(name)
    if value is None:
        value = env_file_values(settings.model_config.get("env_file")).get(name)
    return None if value is None else given(SecretStr(value))


def same(one: str, other: str) -> bool:
    """Whether two base URLs are the same address, spelling apart."""
    return _spelled(one) == _spelled(other)


def _spelled(url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(url.strip())
        default = {"http": 80, "https": 443}.get(parts.scheme)
        host = host_of(url.strip()) or parts.hostname or ""
        return parts.scheme, host, parts.port or default, parts.path.rstrip("/")
    except ValueError:
        return url, "", None, ""
