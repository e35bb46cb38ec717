"""What can be set for a connection to an OpenAI-compatible server, and what it is called.

`paid_api` is the connection without a name. Every other one is `connections.NAME` in the settings and `paid_api:NAME`
wherever an approach is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from backends.errors import BackendError
from backends.remote.address import host_of
from backends.remote.connection import header_fault
from backends.remote.providers import PROVIDERS
from backends.storage import strict_json

DEFAULT = ""
"""The name of the connection that `paid_api` settings describe."""

PAID_API = "paid_api"
_NAME = re.compile(r"[a-z0-9]++(?:[_-][a-z0-9]++)*+")
_LONGEST_NAME = 32


def parsed(value: object) -> object:
    """An environment variable or `--set` gives a mapping as JSON."""
    return strict_json.loads(value) if isinstance(value, str) else value


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


class Section(BaseModel):
    """Some settings that belong together: immutable, and a key of what is kept in memory for them."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def __hash__(self) -> int:
        """Over every field, a mapping by its items: the hash that pydantic writes for a frozen model fails on one."""
        return hash((type(self), *(frozenset(v.items()) if isinstance(v, dict) else v for _, v in self)))


class ConnectionSettings(Section):
    """One model on one OpenAI-compatible server.

    `api_key`, `headers` and what `key_variable` names belong to the address that the same source configures, and are
    never sent anywhere else (`backends.setting_sources`).
    `provider` names one of `backends.remote.providers`; the connection's own name is tried if it is left out.
    """

    provider: str | None = None
    base_url: str | None = None
    model: str = ""
    api_key: SecretStr | None = None
    key_variable: str | None = Field(default=None, description="the environment variable that holds the key")
    headers: Annotated[dict[str, SecretStr], BeforeValidator(parsed)] = Field(default={}, description="as JSON")
    price: ManualPrice | None = None
    recorded: str | None = Field(
        default=None, description="files of recorded answers, parted by semicolons: shown in place of asking"
    )
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


def named(name: str, default: ConnectionSettings, others: Mapping[str, ConnectionSettings]) -> ConnectionSettings:
    """The settings of a connection: `default` without a name. Raises `BackendError` if there is none of that name."""
    if not name:
        return default
    if name not in others:
        known = ", ".join(others) or "none yet"
        raise BackendError(
            f"There is no connection called {name!r}; there are: {known}.",
            f"Set connections.{name}.base_url and connections.{name}.model.",
        )
    return others[name]


def own_url(provider: str | None, base_url: str | None, name: str) -> str:
    """The address that the own settings of the connection `name` come to, or empty."""
    found = PROVIDERS.get(provider or name)
    return base_url or (found and found.base_url) or ""


def same_address(one: str, other: str) -> bool:
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
