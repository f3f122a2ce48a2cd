"""The one way to a CRM: pooled, guarded, bounded in time and size, with every failure a ``ConnectorError``."""

from __future__ import annotations

import contextlib
import copy
import json as json_text
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import DecodeError

from adapters.contract import call_count, exchange_tap, pacing, write_fence
from adapters.contract.call_count import count_calls
from adapters.contract.errors import (
    ConnectorError,
    CrmUnavailable,
    ErrorKind,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
)
from adapters.contract.oauth import OAuthApp, OAuthClient
from adapters.contract.outbound_guard import AddressRefused, refusal
from adapters.contract.payload import storable
from adapters.contract.preparing import Outgoing, without_cookies
from adapters.contract.reply_errors import error_of, media_error_for, without_echo
from adapters.contract.transfer import NoAnswer, TooLarge
from adapters.contract.transport import OutboundPolicy, transport_for
from adapters.contract.transport_errors import failure_of
from adapters.contract.types import Reply
from adapters.contract.url_template import request_id_of, template_of

if TYPE_CHECKING:
    from adapters.contract.manifest import Pace

__all__ = ["HttpClient", "OutboundPolicy", "count_calls"]

_log = logging.getLogger("switchboard.outbound")

Explain = Callable[[Reply], ConnectorError | None]
IsOwn = Callable[[Reply], bool]

_MAX_BODY = 8 * 1024 * 1024
_TEXT_KEPT = 4096
_CHUNK = 64 * 1024
#: NUL, or half of a surrogate pair: escaped, or as bytes, which ``json.loads`` lets through.
_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.-]{1,40})", re.ASCII)
_OTHER_ENCODINGS = frozenset(("iso-8859-1", "latin1", "latin-1", "iso-8859-15", "windows-1252", "cp1252"))
_DEFAULT_HEADERS = {"User-Agent": "Switchboard", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
_READS = frozenset({"GET", "HEAD"})
_USUAL_POLICY = OutboundPolicy()
#: How often a request is sent again after refusals that the pace has patience for.
_TRIES_AFTER_REFUSAL = 2
#: Refusals about one record or the account's plan: they say nothing of other requests.
_OF_ONE_REQUEST = (402, 423, 425)


class HttpClient:
    """Requests to one CRM on behalf of one user.

    ``hosts``: where requests may go, see ``outbound_guard.refusal``. ``headers``: sent with every request, the login
    among them. ``pace`` with ``pace_key``: the vendor's limit and whom it counts for. ``explain``: what the adapter
    makes of an answer, whatever its status; None: the standard table applies. ``is_own``: whether the CRM itself wrote
    an answer; default: JSON. ``clock``: from which the expiry of a token is counted.

    Raises ``ConnectorError`` only, by the table of ``reply_errors``: 401 ``CredentialsRejected``; 408 and 409
    ``CrmUnavailable``, in doubt for a write; 423, 425, 429, 477 and any other 4xx with ``Retry-After`` ``RateLimited``;
    413 ``BodyTooLong``; in the CRM's own words 403 ``AccessDenied``, 404 and 410 ``RecordNotFound``, 400 and 422
    ``RequestRejected``; 5xx, timeout and no connection ``CrmUnavailable``; redirects, pages for people and all else
    ``UnexpectedResponse``. Our own guard raises ``RequestRejected``.
    """

    def __init__(
        self,
        *,
        base_url: str,
        hosts: Sequence[str],
        headers: Mapping[str, str] | None = None,
        policy: OutboundPolicy = _USUAL_POLICY,
        adapter: str = "",
        read_timeout: float | None = None,
        upload_hosts: Sequence[str] = (),
        pace: Pace | None = None,
        pace_key: str = "",
        explain: Explain | None = None,
        is_own: IsOwn = lambda reply: reply.is_json,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._base_url = base_url
        self._hosts = tuple(hosts)
        self._headers = dict(headers or {})
        self._policy = policy
        self._adapter = adapter
        self._read_timeout = read_timeout or policy.read_timeout
        self._upload_hosts = tuple(upload_hosts)
        self._pace = pace
        self._pace_key = pace_key
        self._explain = explain
        self._is_own = is_own
        self._clock = clock

    def explained_by(self, explain: Explain, is_own: IsOwn | None = None) -> HttpClient:
        """A copy that asks the adapter what an answer means, and whether it is the CRM's own."""
        client = copy.copy(self)
        client._explain = explain
        client._is_own = is_own or self._is_own
        return client

    def paced(self, pace: Pace, *, share: str) -> HttpClient:
        """A copy for requests that the vendor counts by themselves; ``share`` names that limit."""
        client = copy.copy(self)
        client._pace = pace
        client._pace_key = f"{self._pace_key}:{share}" if self._pace_key else ""
        return client

    def get(self, url: str, **options: Any) -> Any:
        """Decoded JSON, or None for an empty body; options as for ``send``."""
        return self._json("GET", url, options)

    def post(self, url: str, **options: Any) -> Any:
        return self._json("POST", url, options)

    def put(self, url: str, **options: Any) -> Any:
        return self._json("PUT", url, options)

    def patch(self, url: str, **options: Any) -> Any:
        return self._json("PATCH", url, options)

    def delete(self, url: str, **options: Any) -> Any:
        return self._json("DELETE", url, options)

    def send(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        data: Any = None,
        params: Any = None,
        headers: Mapping[str, str | None] | None = None,
        template: str | None = None,
        authenticated: bool = True,
        read: bool | None = None,
    ) -> Reply:
        """One exchange, for those who must look at status and headers; a 2xx may hold other text than JSON here.

        ``url``: absolute, or joined to the base URL. ``params``, ``data``, ``json``: as in requests. ``headers``: for
        this request; None takes one of the client's away. ``template``: the path for the log line, with names instead
        of values. ``authenticated`` False leaves all headers of the client out. ``read``: this POST changes nothing,
        so it may be repeated; GET and HEAD never change anything.
        """
        method = method.upper()
        is_read = method in _READS if read is None else read
        sent_headers = {**_DEFAULT_HEADERS, **(self._headers if authenticated else {}), **(headers or {})}
        request = requests.Request(
            method, self._absolute(url), json=json, data=data, params=params, headers=_present(sent_headers)
        )
        limiter = pacing.limiter_for(self._pace_key) if self._pace_key else pacing.Limiter()
        patience = self._pace.patience if self._pace else 0
        tries_left = _TRIES_AFTER_REFUSAL
        while True:
            with limiter.turn(self._pace):
                reply = self._exchange(request, is_read=is_read, hosts=self._hosts, template=template)
            error = self._meaning_of(reply, is_read=is_read)
            if error is None:
                return reply
            error.reason = without_echo(error.reason, headers=self._headers, payload=[json, data, params])
            wait = error.retry_after if isinstance(error, RateLimited) else None
            if wait and error.status not in _OF_ONE_REQUEST:
                limiter.close_for(wait)
            if not wait or wait > patience or not tries_left:
                raise error
            tries_left -= 1  # a refused request was not carried out, so a write may be sent again as well

    def oauth(self, app: OAuthApp) -> OAuthClient:
        """The OAuth client of an application, behind the same guard, without this client's headers."""

        def send(method: str, url: str, *, headers: Mapping[str, str], data: str, params: Mapping[str, str]) -> Reply:
            sent_headers = {**_DEFAULT_HEADERS, **headers}
            request = requests.Request(method, url, data=data, params=dict(params), headers=sent_headers)
            return self._exchange(request, is_read=False, hosts=self._hosts, template=None)

        return OAuthClient(app, send=send, explain=self._explain, report=self._report, clock=self._clock)

    def download(self, url: str, *, hosts: Sequence[str], max_bytes: int) -> bytes:
        """A file from one of ``hosts``, without the CRM's credentials.

        Raises ``RequestRejected`` when it is larger than ``max_bytes``, and never ``CredentialsRejected``: a refusal
        there says nothing about the login at the CRM.
        """
        kept: list[bytes] = []
        request = requests.Request("GET", url, headers={**_DEFAULT_HEADERS, "Accept": "*/*"})
        reply = self._exchange(request, is_read=True, hosts=hosts, template=None, max_bytes=max_bytes, keep=kept)
        if error := media_error_for(reply):
            raise error
        return kept[0]

    def upload(self, url: str, data: bytes, headers: Mapping[str, str], *, method: str = "PUT") -> None:
        """Sends a file to a signed URL at one of ``upload_hosts``, with exactly these headers and no credentials."""
        request = requests.Request(method.upper(), url, data=data, headers=dict(headers))
        reply = self._exchange(request, is_read=False, hosts=self._upload_hosts, template=None)
        if error := media_error_for(reply):
            raise error

    def _meaning_of(self, reply: Reply, *, is_read: bool) -> ConnectorError | None:
        said = self._explain(reply) if self._explain else None
        error = error_of(reply, said, is_read=is_read, is_own=self._is_own(reply))
        if error is not None:
            self._report(error)
        return error

    def _report(self, error: ConnectorError) -> None:
        """What only the operator can mend is an error in the log; it names the adapter, and nothing that was sent."""
        if error.kind is ErrorKind.MISCONFIGURED:
            line = {"adapter": self._adapter, "status": error.status, "problem": error.message}
            _log.error("this server is not set up rightly for %(adapter)s: %(problem)s", line, extra=line)

    def _json(self, method: str, url: str, options: Mapping[str, Any]) -> Any:
        reply = self.send(method, url, **options)
        if reply.text and not reply.is_json:
            is_read = method in _READS if options.get("read") is None else bool(options["read"])
            raise UnexpectedResponse(reason="the answer is not JSON", status=reply.status, maybe_applied=not is_read)
        return reply.body

    def _absolute(self, url: str) -> str:
        if url.partition(":")[0].lower() in ("http", "https") and "://" in url[:8]:
            return url
        return f"{self._base_url.rstrip('/')}/{url.lstrip('/')}" if url else self._base_url

    def _exchange(
        self,
        request: requests.Request,
        *,
        is_read: bool,
        hosts: Sequence[str],
        template: str | None,
        max_bytes: int = _MAX_BODY,
        keep: list[bytes] | None = None,
    ) -> Reply:
        """Sends a request and reads the answer, whatever its status. ``keep`` receives the body of a 2xx."""
        if not is_read and not write_fence.may_write():
            raise CrmUnavailable("This took too long; it is tried again later.")
        prepared = self._prepared(request, hosts)
        prepared.read_timeout, prepared.max_bytes = self._read_timeout, max_bytes
        started = time.monotonic()
        line: dict[str, Any] = {
            "adapter": self._adapter,
            "method": prepared.method,
            **template_of(str(prepared.url), template),
        }
        error: ConnectorError | None = None
        reply = Reply(status=0, headers={}, body=None, method=str(prepared.method), url=str(prepared.url))
        transport = transport_for(self._policy, is_read=is_read)
        call_count.begin()
        try:
            timeout = (self._policy.connect_timeout, self._read_timeout)
            with contextlib.closing(transport.send(prepared, stream=True, timeout=timeout)) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                reply = replace(reply, status=response.status_code, headers=headers)
                body = _read(response, max_bytes)
                reply = _with_body(reply, body)
                if keep is not None:
                    keep.append(body)
        except TooLarge:
            kind = UnexpectedResponse if keep is None else RequestRejected
            error = kind(reason="the answer is too large", maybe_applied=not is_read)
        except (NoAnswer, AddressRefused, DecodeError, requests.RequestException, OSError, ValueError) as failure:
            error = failure_of(failure, is_read=is_read, status=reply.status)
        line |= {
            "status": reply.status,
            "milliseconds": round((time.monotonic() - started) * 1000),
            "vendor_request_id": request_id_of(reply.headers),
        }
        if error is not None:
            line["error"] = type(error).__name__
        exchange_tap.seen(prepared.body, reply)
        call_count.end(
            self._adapter,
            reply.status,
            time.monotonic() - started,
            method=line["method"],
            template=line["template"],
            request_id=line["vendor_request_id"],
        )
        level = logging.INFO if 0 < reply.status < 500 else logging.WARNING
        _log.log(level, "%(method)s %(host)s%(template)s -> %(status)s in %(milliseconds)s ms", line, extra=line)
        if error is not None:
            raise error
        return reply

    def _prepared(self, request: requests.Request, hosts: Sequence[str]) -> Outgoing:
        prepared = None
        plain = self._policy.allow_plain_http
        reason = refusal(str(request.url), hosts, allow_plain_http=plain)
        if not reason:
            try:
                prepared = without_cookies(request)
                "".join(prepared.headers.values()).encode("latin-1")  # else it fails when it is about to leave
            except (requests.RequestException, ValueError):
                reason = "the request cannot be sent"
            else:  # requests reads the address with a parser of its own: what it made of it is what counts
                if str(prepared.url).partition("?")[0] != request.url:
                    reason = refusal(str(prepared.url), hosts, allow_plain_http=plain)
        if reason or prepared is None:
            raise RequestRejected(reason=reason)
        return prepared


def _read(response: requests.Response, max_bytes: int) -> bytes:
    raw, body = response.raw, bytearray()
    while chunk := raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge
    return bytes(body)


def _with_body(reply: Reply, body: bytes) -> Reply:
    text = body[:_TEXT_KEPT].decode("utf-8", errors="replace")
    try:
        decoded = json_text.loads(_readable(body, reply.headers), parse_constant=_refuse_constant)
        if _UNSTORABLE.search(body):
            decoded = storable(decoded)
    except (ValueError, RecursionError):
        return replace(reply, text=text)
    return replace(reply, text=text, body=decoded, is_json=True)


def _readable(body: bytes, headers: Mapping[str, str]) -> bytes | str:
    """The body; as text where it is in the encoding that its header names: JSON should not be, and sometimes is."""
    found = _CHARSET.search(headers.get("content-type", ""))
    if found is None or found[1].lower() not in _OTHER_ENCODINGS:
        return body
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode(found[1])
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _present(headers: Mapping[str, str | None]) -> dict[str, str]:
    """Headers without those set to None; a later spelling of a name replaces an earlier one."""
    by_name: dict[str, tuple[str, str | None]] = {}
    for name, value in headers.items():
        by_name[name.lower()] = (name, value)
    return {name: value for name, value in by_name.values() if value is not None}
