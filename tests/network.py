"""Names and addresses elsewhere, played by listeners on this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest

_HERE = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Network:
    """Hosts that end at ports of this machine, where connections look as if they had ended elsewhere.

    No other host exists, and no proxy. `looked_up` has every host that was asked for.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looked_up: list[str] = []
        self._ports: dict[str, int] = {}
        self._addresses: dict[int, str] = {}
        self._getaddrinfo, self._getpeername = socket.getaddrinfo, socket.socket.getpeername
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)
        monkeypatch.setattr(socket.socket, "getpeername", lambda one: self._peer(one))
        for name in _PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)

    def play(self, host: str, address: str, port: int) -> None:
        """From now on, `host` has this address, and what listens there listens at `port` of this machine."""
        self._ports[host] = port
        self._addresses[port] = address

    def _look_up(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.looked_up.append(name)
        if name in _HERE:
            return self._getaddrinfo(host, port, *more, **named)
        if name not in self._ports:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", self._ports[name]))]

    def _peer(self, one: socket.socket) -> Any:
        peer = self._getpeername(one)
        return (self._addresses[peer[1]], peer[1]) if peer[1:2] and peer[1] in self._addresses else peer
