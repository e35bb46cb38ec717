"""Where a remote model is and with which key."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from backends.errors import BackendError
from backends.remote.address import AddressRule, host_of, normalised
from backends.remote.redaction import Redaction

NO_KEY = "no-key"
"""Sent where a server needs no key: the openai SDK refuses an empty one."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OWN_HEADERS = {
    *("accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host"),
    *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
}


@dataclass(frozen=True)
class Connection:
    """One model on one OpenAI-compatible server. The key belongs to `base_url` and is shown nowhere.

    `deadline_s` is the wall-clock limit of one answer with its retries, `max_retries` counts further attempts
    after the first; `key_variable` and `section` name, for error messages, where the key and the rest are set.
    `headers` go with every request and are kept as secret as the key. `max_at_once` requests may be under way to this
    server with this key. `withheld` says which secrets it goes without because they belong to another address.
    """

    base_url: str
    api_key: SecretStr | None
    model: str
    deadline_s: float
    max_retries: int
    connect_timeout_s: float = 10
    key_variable: str = "OPENAI_API_KEY"
    section: str = "paid_api"
    model_setting: str = "paid_api.model"
    headers: tuple[tuple[str, SecretStr], ...] = ()
    allow_private: bool = False
    max_at_once: int = 8
    withheld: str = ""

    @property
    def key(self) -> str:
        """The key's value without the blanks that come with copying, or empty."""
        return self.api_key.get_secret_value().strip() if self.api_key else ""

    @property
    def where(self) -> str:
        """Host and port for messages: never credentials, never a query."""
        return _netloc(self.base_url) or "the server"

    @property
    def address(self) -> str:
        """`base_url` with its host as it is looked up, which is what requests go to. `check` refuses what has none."""
        return normalised(self.base_url)

    @property
    def rule(self) -> AddressRule:
        """Which addresses the server may have."""
        permit = f"If you trust this server with the question and the key, set {self.section}.allow_private=true."
        return AddressRule(self.allow_private, "Give the address of the model's server.", permit)

    @property
    def redaction(self) -> Redaction:
        """What takes this key and the values of the headers out of texts."""
        return Redaction((self.key, *(value.get_secret_value().strip() for _, value in self.headers)))


def check(connection: Connection) -> None:
    """Refuse addresses and keys that must not be used. Raises `BackendError`."""
    url = connection.base_url
    try:
        parts = urlsplit(url)
        host, port = host_of(url), parts.port
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or port == 0 or re.search(r"[\s\\\x00-\x1f]", url):
        raise BackendError(
            "The base URL is not a web address.", "Give one that begins with http:// or https:// and ends with /v1."
        )
    if parts.username is not None or parts.password is not None:
        raise BackendError(
            "The base URL contains a user name or a password.", f"Remove it and set {connection.key_variable} instead."
        )
    if parts.query or parts.fragment:
        raise BackendError("The base URL contains ? or #.", "Give the address only, for example https://host/v1.")
    connection.rule.check(connection.where, host)
    if not re.fullmatch(r"[\x21-\x7e]*", connection.key):
        raise BackendError(
            f"The key in {connection.key_variable} contains a blank or a character that cannot be sent.",
            "Copy it again, without line breaks or quotation marks around it.",
        )


def without_secrets(base_url: str) -> str:
    """An address as it is shown: without user name, password, query and fragment, which may hold a key.

    `check` refuses such ones. In what is no address, everything up to the last @ may be a password.
    """
    bare, rest = re.match(r"([^?#]*)(.*)", base_url, re.DOTALL).groups()  # type: ignore[union-attr]
    shown = ""
    with suppress(ValueError):
        parts = urlsplit(bare)
        if parts.hostname and parts.port != 0 and "@" not in rest:
            shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return Redaction(()).text(shown or re.split("[?#]", base_url.rpartition("@")[2])[0])


def header_fault(name: str, value: str, may_log_in: bool = False) -> str:
    """Why a header cannot be sent with requests, or nothing. Never its value. `may_log_in`: `Authorization` too."""
    if not _HEADER_NAME.fullmatch(name):
        return "a header's name holds a character that cannot be sent"
    if name.lower() in _OWN_HEADERS and not (may_log_in and name.lower() == "authorization"):
        return f"the header {name} is set by the program itself; a key goes into api_key"
    if not re.fullmatch(r"[\x20-\x7e]*", value):
        return f"the header {name} holds a character that cannot be sent"
    return ""


def _netloc(base_url: str) -> str:
    try:
        return urlsplit(base_url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
