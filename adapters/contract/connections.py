"""urllib3's connections and pools as this server uses them: they wait in turns, and reach what they may reach."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import sys
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from adapters.contract import waiting
from adapters.contract.outbound_guard import AddressRefused, is_public


class _Response(http.client.HTTPResponse):
    """Lets others have their turn until the first byte of the answer is there."""

    fp: io.BufferedReader

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket = sock

    def begin(self) -> None:
        while not self._has_begun():
            pass
        super().begin()

    def _has_begun(self) -> bool:
        """False where what came was of TLS itself. Raises ``TimeoutError``, and what the socket raises."""
        seconds = self._socket.gettimeout()
        if not waiting.until_readable(self._socket.fileno(), seconds):
            raise TimeoutError("timed out")
        if not isinstance(self._socket, ssl.SSLSocket) or not waiting.is_in_turns():
            return True
        self._socket.settimeout(0)
        try:
            self.fp.peek(1)
        except ssl.SSLWantReadError:
            return False
        finally:
            self._socket.settimeout(seconds)
        return True


class _Plain(HTTPConnection):
    """Opened in a thread of its own where others wait for their turn."""

    response_class = _Response

    def connect(self) -> None:
        waiting.in_thread(super().connect)


class _Secure(HTTPSConnection):
    """The same over TLS."""

    response_class = _Response

    def connect(self) -> None:
        waiting.in_thread(super().connect)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def _connect_to_public(connection: HTTPConnection) -> socket.socket:
    """``HTTPConnection._new_conn`` with a check between the name's resolution and the use of its answer."""
    host = connection._dns_host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        failure = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(connection.host, connection, failure) from None
    public = [answer for answer in found if is_public(str(answer[4][0]))]
    if not public:
        raise AddressRefused
    problem: OSError | None = None
    for family, kind, protocol, _, address in public:
        try:
            return _open(connection, family, kind, protocol, address)
        except OSError as error:
            problem = error
    if isinstance(problem, TimeoutError):
        raise ConnectTimeoutError(connection, "connect timed out")
    raise NewConnectionError(connection, "connect failed")


def _open(connection: HTTPConnection, family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    opened = socket.socket(family, kind, protocol)
    try:
        for option in connection.socket_options or ():
            opened.setsockopt(*option)
        if isinstance(connection.timeout, int | float):
            opened.settimeout(connection.timeout)
        opened.connect(address)
        if not is_public(str(opened.getpeername()[0])):
            raise AddressRefused
    except BaseException:
        opened.close()
        raise
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    return opened


class _PublicPlain(_Plain):
    def _new_conn(self) -> socket.socket:
        return _connect_to_public(self)


class _PublicSecure(_Secure):
    def _new_conn(self) -> socket.socket:
        return _connect_to_public(self)


class _PublicPlainPool(HTTPConnectionPool):
    ConnectionCls = _PublicPlain


class _PublicSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PublicSecure


#: For ``PoolManager.pool_classes_by_scheme``. The second reach public addresses only: ``_new_conn`` is not part of
#: urllib3's public interface, but urllib3 is pinned, and a test holds on to the effect. They are not for requests
#: through a proxy: there the proxy resolves the name, and its own address may be private.
POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}
PUBLIC_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PublicPlainPool, "https": _PublicSecurePool}
