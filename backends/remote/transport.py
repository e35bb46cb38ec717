"""How requests leave: directly or through the proxy configured for them, to no address that the rule forbids."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from backends.errors import BackendError
from backends.remote.address import AddressRule, is_loopback_host

_CONFIGURE = tuple(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO"))
_CONFIGURE += tuple(name.lower() for name in _CONFIGURE)


def checked_transport(library: Any, rule: AddressRule, **options: Any) -> Any:
    """A transport for a client of `library` (httpx or httpx2) that obeys `rule`; `options` are its `HTTPTransport`'s.

    Each request is judged, redirects included: first its host, as it is looked up; then the address that the
    connection was made to, before anything is sent. So a name cannot stand for another address from one look-up to
    the next. A request that breaks the rule raises `BackendError`.
    """
    return _transport_class(library)(rule, options)


def proxy_for(url: str) -> str | None:
    """The proxy that httpx's own configuration (HTTP_PROXY, NO_PROXY, the system's) has for a URL, or None.

    Nothing comes between this machine and itself.
    """
    return _proxy_for(url, tuple(map(os.environ.get, _CONFIGURE)))


@lru_cache(256)
def _proxy_for(url: str, environment: tuple[str | None, ...]) -> str | None:
    """Kept for each state of the `environment`: it takes longer than all else that is done before a request."""
    import httpx2

    try:  # there is no public function that says which proxy a request would take
        from httpx2._utils import URLPattern, get_environment_proxies
    except ImportError as error:
        raise BackendError(
            f"This version of httpx2 ({httpx2.__version__}) does not say which proxy is configured.",
            "Install the version that requirements/app.txt names.",
        ) from error

    target = httpx2.URL(url)
    if is_loopback_host(target.host):
        return None
    proxies = get_environment_proxies()
    return next((proxies[one.pattern] for one in sorted(map(URLPattern, proxies)) if one.matches(target)), None)


def refusal_in(error: BaseException | None) -> BackendError | None:
    """The `BackendError` of a transport in what a library made of it, or None."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BackendError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


@lru_cache(2)
def _transport_class(library: Any) -> Any:
    """Made late, because importing httpx takes long."""
    base: Any = library.BaseTransport

    class Checked(base):
        def __init__(self, rule: AddressRule, options: Mapping[str, Any]) -> None:
            self._rule, self._options = rule, options
            self._routes: dict[str | None, Any] = {None: library.HTTPTransport(**options)}
            self._lock = threading.Lock()

        def handle_request(self, request: Any) -> Any:
            where = request.url.netloc.decode("ascii")
            proxy = proxy_for(f"{request.url.scheme}://{where}")
            self._rule.check(where, request.url.raw_host.decode("ascii"))
            rule = self._rule if proxy is None else self._rule.of_proxy()
            further = request.extensions.get("trace")

            def trace(event: str, info: Mapping[str, Any]) -> None:
                if event.endswith(".connect_tcp.complete"):
                    _check_peer(rule, where, info["return_value"].get_extra_info("socket"))
                if further is not None:
                    further(event, info)

            request.extensions = {**request.extensions, "trace": trace}
            return self._route(proxy).handle_request(request)

        def _route(self, proxy: str | None) -> Any:
            with self._lock:
                if proxy not in self._routes:
                    self._routes[proxy] = library.HTTPTransport(proxy=proxy, **self._options)
                return self._routes[proxy]

        def close(self) -> None:
            for route in self._routes.values():
                route.close()

    return Checked


def _check_peer(rule: AddressRule, where: str, connected: Any) -> None:
    try:
        rule.check(where, str(connected.getpeername()[0]))
    except BackendError:
        connected.close()
        raise
