"""The connections to CRMs: one pool for all threads of the process, one TLS context, bounded repetition."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, make_headers, proxy_from_url
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from adapters.contract import waiting
from adapters.contract.connections import POOLS, PUBLIC_POOLS
from adapters.contract.errors import CrmUnavailable

#: Hosts whose connections are kept, and idle connections kept for each.
_HOSTS_KEPT = 256
_IDLE_PER_HOST = 256
#: An idle connection that a firewall has forgotten is noticed before it is used again.
_SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
_LARGE_BODY = 64 * 1024
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, kw_only=True)
class OutboundPolicy:
    """The installation's settings for outgoing requests; times are seconds."""

    connect_timeout: float = 3.05
    read_timeout: float = 10.0
    #: File of certificates to trust instead of the usual ones.
    ca_bundle: str = ""
    #: ``http://host:port``; the proxy then resolves names, so it has to keep private addresses out.
    proxy: str = ""
    allow_private_addresses: bool = False
    #: Only for the sandbox CRM and development.
    allow_plain_http: bool = False


class _OneRepeat(Retry):
    """One repetition at most, and none after a time-out: a CRM that hangs is not waited for twice."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *pool_and_traceback: Any,
        **named: Any,
    ) -> Self:
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, *pool_and_traceback, **named)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        waiting.in_thread(lambda: super(_OneRepeat, self).sleep(response))


def _retry(methods: frozenset[str], *, read: int | bool) -> Retry:
    return _OneRepeat(
        total=1,
        connect=1,
        read=read,
        status=1,
        other=0,
        redirect=False,
        allowed_methods=methods,
        status_forcelist=(502, 503, 504),
        backoff_factor=0.1,
        respect_retry_after_header=False,
        raise_on_status=False,
    )


_READ_RETRY = _retry(_READS | {"POST"}, read=1)
#: An empty ``allowed_methods`` would mean all; no write is among these.
_WRITE_RETRY = _retry(_READS, read=False)


class _Transport(HTTPAdapter):
    """requests' transport on a given pool, without what it does for cookies, redirects and changing certificates."""

    def __init__(self, pools: PoolManager, retries: Retry) -> None:
        self._pools = pools
        self._by_host: dict[tuple[str, str], HTTPConnectionPool] = {}
        super().__init__()
        self.max_retries = retries

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self.poolmanager = self._pools

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        scheme, _, authority, *_ = str(request.url).split("/", 3)
        pool = self._by_host.get((scheme, authority))
        if pool is None or pool.pool is None:  # closed to make room for other hosts
            address = parse_url(f"{scheme}//{authority}")
            pool = self._pools.connection_from_host(address.host, port=address.port, scheme=address.scheme)
            if len(self._by_host) >= _HOSTS_KEPT:
                self._by_host.clear()
            self._by_host[scheme, authority] = pool
        return pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the pool's TLS context verifies."""

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        if self._pools.proxy is None or str(request.url).startswith("https:"):
            return request.path_url
        return super().request_url(request, {"http": str(self._pools.proxy)})

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        waiting.about_to_wait()
        if len(request.body or b"") > _LARGE_BODY:  # it may take long to leave
            return waiting.in_thread(lambda: super(_Transport, self).send(request, *args, **kwargs))
        return super().send(request, *args, **kwargs)

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        response = requests.Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.request = req
        response.raw = resp
        return response


_transports: dict[OutboundPolicy, tuple[_Transport, _Transport]] = {}
_guard = threading.Lock()


def transport_for(policy: OutboundPolicy, *, is_read: bool) -> HTTPAdapter:
    """The process's transport for reads, or for writes: both use the same connections, from any thread.

    Raises ``CrmUnavailable`` where the file of certificates cannot be read.
    """
    pair = _transports.get(policy)
    if pair is None:
        with _guard:
            pair = _transports.get(policy)
            if pair is None:
                pools = _pools(policy)
                pair = _transports[policy] = (_Transport(pools, _READ_RETRY), _Transport(pools, _WRITE_RETRY))
    return pair[0 if is_read else 1]


def _pools(policy: OutboundPolicy) -> PoolManager:
    options: dict[str, Any] = {
        "num_pools": _HOSTS_KEPT,
        "maxsize": _IDLE_PER_HOST,
        "ssl_context": _tls_context(policy.ca_bundle),
        "socket_options": _SOCKET_OPTIONS,
    }
    if policy.proxy:
        auth = parse_url(policy.proxy).auth
        headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        pools: PoolManager = proxy_from_url(policy.proxy, proxy_headers=headers, **options)
    else:
        pools = PoolManager(**options)
    pools.pool_classes_by_scheme = POOLS if policy.proxy or policy.allow_private_addresses else PUBLIC_POOLS
    return pools


def _tls_context(ca_bundle: str) -> ssl.SSLContext:
    """One context for all connections: to read the authorities' certificates takes longer than ten handshakes."""
    context = create_urllib3_context()
    try:
        context.load_verify_locations(cafile=ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    except OSError:
        raise CrmUnavailable(reason="the certificates to trust cannot be read") from None
    return context
