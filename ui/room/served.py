"""Where raters are served: below `/rate` of the app, and, once somebody opens it, to the room on a port of its own.

The app listens on loopback. `open_room` starts a second server that has the rating pages and nothing else: no page of
the app, no setting, no file.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from backends.errors import BackendError
from backends.settings import load_settings, started_with
from backends.store.database import Store
from ui.room.routes import Raters
from ui.room.voting import Voters

_START_S = 10.0
_lock = threading.Lock()
_stores: dict[str, Store] = {}


def store_in_force() -> Store:
    """The store that the app was started with, one for all raters. Raises `BackendError`."""
    current = load_settings(started_with())
    url = current.store.url
    place = f"{current.data}\0{url.get_secret_value() if url else ''}"
    with _lock:
        if place not in _stores:
            _stores[place] = Store(current)
        return _stores[place]


def room_routes() -> list[Route]:
    """What is served below `/rate` and `/vote`."""
    return [*Raters(store_in_force).routes(), *Voters(store_in_force).routes()]


@dataclass
class Room:
    """The server that is open for the room. `addresses` are what people on the same network type."""

    port: int
    addresses: tuple[str, ...]
    _server: uvicorn.Server
    _thread: threading.Thread

    def close(self) -> None:
        """Stop it."""
        self._server.should_exit = True
        self._thread.join(_START_S)


_room: Room | None = None


def room() -> Room | None:
    """The server that is open, None if none is."""
    return _room


def open_room(port: int = 0) -> Room:
    """Serve the pages of raters and voters on every address of this machine, on a port of their own (0: a free one).

    Raises `BackendError` if the port cannot be used.
    """
    global _room
    with _lock:
        if _room is not None:
            return _room
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104
            except (OSError, OverflowError):
                raise BackendError(
                    f"Port {port} cannot be used; another program may have it.", "Choose another."
                ) from None
            port = probe.getsockname()[1]
        app = Starlette(routes=room_routes())
        config = uvicorn.Config(app, host="0.0.0.0", port=port, log_level="warning", server_header=False)  # noqa: S104
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="room", daemon=True)
        thread.start()
        waited = threading.Event()
        for _ in range(int(_START_S / 0.05)):
            if server.started or not thread.is_alive():
                break
            waited.wait(0.05)
        if not server.started:
            server.should_exit = True
            raise BackendError("The room could not be opened: its server did not start.", "Try another port.")
        _room = Room(port, tuple(f"http://{address}:{port}" for address in own_addresses()), server, thread)
        return _room


def close_room() -> None:
    """Stop serving the room; does nothing if it is not open."""
    global _room
    with _lock:
        if _room is not None:
            _room.close()
            _room = None


def own_addresses() -> list[str]:
    """The IPv4 addresses of this machine that others may reach, loopback left out."""
    found = [
        one.address
        for listed in psutil.net_if_addrs().values()
        for one in listed
        if one.family == socket.AF_INET and not one.address.startswith("127.")
    ]
    return sorted(found)
