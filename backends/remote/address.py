"""The one rule for every outgoing connection: which addresses may be called, and how a host is spelled.

It is applied to the host of an address before anything is looked up, and again to whatever a connection was made to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from backends.errors import BackendError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA_NAMES = {"metadata", "metadata.google.internal", "metadata.azure.internal", "instance-data"}
# The metadata services of AWS (IPv6) and Alibaba Cloud, which are not link-local.
_METADATA_ADDRESSES = {
    ipaddress.ip_address("fd00:ec2::254"),  # AWS
    ipaddress.ip_address("100.100.100.200"),  # Alibaba Cloud
    ipaddress.ip_address("168.63.129.16"),  # Azure's WireServer, which has a public address
}
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")  # RFC 6890, 2.1; Python's versions differ in what they call global
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMERIC_IPV4 = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}")
# IPv6 addresses whose last 32 bits are an IPv4 address: compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
_IPV4_AT_THE_END = tuple(ipaddress.IPv6Network(net) for net in ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, 6.1
_PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out for use on the internet


@dataclass(frozen=True)
class AddressRule:
    """Which addresses one kind of connection may call; this machine always, metadata services never.

    `correct` is the next step where an address is never called, `permit` where only a setting forbids it.
    """

    allow_private: bool
    correct: str
    permit: str

    def check(self, where: str, host: str) -> None:
        """Refuse a host, or the address that was connected to; `where` names it. Raises `BackendError`."""
        if is_forbidden(host):
            raise BackendError(f"{where} is a link-local or metadata address, which is never called.", self.correct)
        if is_private(host) and not self.allow_private:
            raise BackendError(
                f"{where} is at an address of a private network, and those are only called where it is allowed.",
                self.permit,
            )

    def of_proxy(self) -> AddressRule:
        """The rule for a proxy, which may well have a private address."""
        return AddressRule(True, self.correct, self.permit)


@lru_cache(256)
def normalised(url: str) -> str:
    """`url` with its host spelled as it is looked up, and without a user name; raises `ValueError` if it has no host.

    The rule and the connection both go by this, so that no spelling means one host here and another one there.
    """
    parts = urlsplit(url)
    host, port = normal_host(parts.hostname or ""), parts.port
    netloc = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=netloc if port is None else f"{netloc}:{port}"))


def normal_host(host: str) -> str:
    """A host name in ASCII (UTS 46), or an address in its usual form, zone left out. Raises `ValueError` for others."""
    if ":" in host:
        return str(ipaddress.IPv6Address(host.partition("%")[0]))
    if not host.isascii():
        import idna

        host = idna.encode(host, uts46=True).decode("ascii")
    host = host.lower().rstrip(".")
    if not _HOST.fullmatch(host):
        raise ValueError("no host name")
    address = _address(host)
    return host if address is None else str(address)


def host_of(url: str) -> str:
    """The host of an address as it is looked up, or nothing."""
    try:
        return urlsplit(normalised(url)).hostname or ""
    except ValueError:
        return ""


def is_forbidden(host: str) -> bool:
    """Whether a host name or address (in any spelling that a resolver accepts) is link-local or a metadata service."""
    name = host.lower().rstrip(".")
    if name in _METADATA_NAMES:
        return True
    address = _address(name)
    if address is None:
        return False
    return any(one.is_link_local or one in _METADATA_ADDRESSES for one in (address, *_embedded(address)))


def is_private(host: str) -> bool:
    """Whether a host spells out an address that is not on the public internet, and is not this machine."""
    address = _address(host.lower().rstrip("."))
    if address is None or _is_this_machine(address):
        return False
    return not all(map(_is_public, (address, *_embedded(address))))


def is_loopback(base_url: str) -> bool:
    """Whether the server is this machine: then no proxy may come between."""
    return is_loopback_host(host_of(base_url))


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address means this machine."""
    name = host.lower().rstrip(".")
    address = _address(name)
    if address is not None:
        return _is_this_machine(address)
    return name == "localhost" or name.endswith(".localhost")


def _is_this_machine(address: Address) -> bool:
    return address.is_loopback or address.is_unspecified


def _is_public(address: Address) -> bool:
    """Whether it is an address of the public internet; one that only carries an IPv4 address is judged as that one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and address not in _PROTOCOLS
    carries = any(address in network for network in _IPV4_AT_THE_END) or address.teredo is not None
    return carries or (address.is_global and address in _PUBLIC_IPV6)


def _address(host: str) -> Address | None:
    """The IP address that a host spells out, the short and numeric IPv4 spellings of inet_aton included."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not _NUMERIC_IPV4.fullmatch(host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for, or that the packets for it are carried to."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    found: list[ipaddress.IPv4Address] = []
    if any(address in network for network in _IPV4_AT_THE_END) and not _is_this_machine(address):
        found.append(last)
    if address in _LOCAL_NAT64:  # /96 in it, or RFC 6052, 2.2, for a prefix of 48 bits: around the 8 bits from 64 on
        found += [last, ipaddress.IPv4Address((number >> 48 & 0xFFFF0000) | (number >> 40 & 0xFFFF))]
    if (number >> 32 & 0xFFFFFFFF) in _ISATAP:
        found.append(last)
    if address.sixtofour:
        found.append(address.sixtofour)
    found += address.teredo or ()
    return found
