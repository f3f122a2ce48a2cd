"""requests' transport over libcurl's connections: what is repeated, and the installation's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from adapters.contract import waiting
from adapters.contract.connections import ask
from adapters.contract.preparing import Outgoing
from adapters.contract.transfer import Answer, NoAnswer, NotSent, Question, TooLarge, TooLate

#: Time for a whole exchange, as a multiple of the read timeout: a body that drips in is not waited for without end.
_TIME_FACTOR = 3
#: Answers of a CRM that may be well again at once.
_PASSING = frozenset({502, 503, 504})


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


class Transport(HTTPAdapter):
    """Sends through ``connections.ask``, without what requests does for cookies, redirects and certificates.

    ``is_read``: what is sent changes nothing, so it is sent once more after a lost connection or an answer of
    ``_PASSING``. What was not sent at all is tried once more in any case; nothing is after a time-out.
    """

    def __init__(self, policy: OutboundPolicy, *, is_read: bool) -> None:
        super().__init__()
        self._policy = policy
        self._is_read = is_read

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """None: the pool is the process's."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises ``NoAnswer``, ``AddressRefused``, ``CrmUnavailable``."""
        waiting.about_to_wait()
        try:
            response = super().send(request, *args, **kwargs)
        except (TooLarge, TooLate):
            raise
        except NoAnswer as failure:
            if not self._is_read and not isinstance(failure, NotSent):
                raise
        else:
            if not self._is_read or response.status_code not in _PASSING:
                return response
            response.close()
        return super().send(request, *args, **kwargs)

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(request, Outgoing)
        return _Connection(self._policy, request, tries=2 if self._is_read else 1)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: every connection is verified."""

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        return str(request.url)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        return resp if isinstance(resp, Answer) else super().build_response(req, resp)


class _Connection:
    """What ``HTTPAdapter.send`` takes for a pool of urllib3, for one request."""

    def __init__(self, policy: OutboundPolicy, request: Outgoing, *, tries: int) -> None:
        self._policy, self._request, self._tries = policy, request, tries

    def urlopen(self, method: str, url: str, *, body: Any, headers: Any, **_: Any) -> Answer:
        policy = self._policy
        question = Question(
            method=method,
            url=url,
            headers=headers,
            body=body,
            connect_timeout=policy.connect_timeout,
            read_timeout=self._request.read_timeout,
            seconds=_TIME_FACTOR * self._request.read_timeout,
            max_bytes=self._request.max_bytes,
            tries=self._tries,
            ca_bundle=policy.ca_bundle or DEFAULT_CA_BUNDLE_PATH,
            proxy=policy.proxy,
            only_public=not (policy.proxy or policy.allow_private_addresses),
        )
        return ask(question)


_transports: dict[tuple[OutboundPolicy, bool], Transport] = {}


def transport_for(policy: OutboundPolicy, *, is_read: bool) -> Transport:
    """The process's transport for reads, or for writes: both use the same connections, from any thread."""
    found = _transports.get((policy, is_read))
    if found is None:
        found = _transports.setdefault((policy, is_read), Transport(policy, is_read=is_read))
    return found
