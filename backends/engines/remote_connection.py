"""Where a remote model is and with which key; which addresses may be called at all."""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from backends.base import BackendError
from backends.engines.redaction import Redaction

NO_KEY = "no-key"
"""Sent where a server needs no key: the openai SDK refuses an empty one."""

_METADATA_NAMES = {"metadata", "metadata.google.internal", "metadata.azure.internal", "instance-data"}
# The metadata services of AWS (IPv6) and Alibaba Cloud, which are not link-local.
_METADATA_ADDRESSES = {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")}
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
    def redaction(self) -> Redaction:
        """What takes this key and the values of the headers out of texts."""
        return Redaction((self.key, *(value.get_secret_value().strip() for _, value in self.headers)))


def check(connection: Connection) -> None:
    """Refuse addresses and keys that must not be used. Raises `BackendError`."""
    url = connection.base_url
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
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
    if is_forbidden(host):
        raise forbidden(connection.where)
    if is_private(host) and not connection.allow_private:
        raise private(connection)
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


def forbidden(where: str) -> BackendError:
    """The refusal of an address of the machine's own cloud metadata or link."""
    return BackendError(
        f"{where} is a link-local or metadata address, which is never called.",
        "Give the address of the model's server.",
    )


def is_forbidden(host: str) -> bool:
    """Whether a host name or address (in any spelling that a resolver accepts) is link-local or a metadata service."""
    name = host.lower().rstrip(".")
    if name in _METADATA_NAMES:
        return True
    address = _address(name)
    return address is not None and (address.is_link_local or address in _METADATA_ADDRESSES)


def private(connection: Connection) -> BackendError:
    """The refusal of an address of a private network that the settings do not allow."""
    return BackendError(
        f"{connection.where} is at an address of a private network, and those are only called where it is allowed.",
        f"If you trust this server with the question and the key, set {connection.section}.allow_private=true.",
    )


def is_private(host: str) -> bool:
    """Whether a host spells out an address of a private network (RFC 1918, 4193, 6598 and the like), not loopback."""
    address = _address(host.lower().rstrip("."))
    return address is not None and not (address.is_global or address.is_loopback or address.is_unspecified)


def header_fault(name: str, value: str) -> str:
    """Why a header cannot be sent with requests, or nothing. Never its value."""
    if not _HEADER_NAME.fullmatch(name):
        return "a header's name holds a character that cannot be sent"
    if name.lower() in _OWN_HEADERS:
        return f"the header {name} is set by the program itself; a key goes into api_key"
    if not re.fullmatch(r"[\x20-\x7e]*", value):
        return f"the header {name} holds a character that cannot be sent"
    return ""


def is_loopback(base_url: str) -> bool:
    """Whether the server is this machine: then no proxy may come between."""
    try:
        name = (urlsplit(base_url).hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    address = _address(name)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    return name == "localhost" or name.endswith(".localhost")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host spells out, the short and numeric IPv4 spellings of inet_aton included."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


def _netloc(base_url: str) -> str:
    try:
        return urlsplit(base_url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
