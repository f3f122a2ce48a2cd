"""A CRM in the test's own process that gives the answers of an adapter's fixtures, and bad ones where it is told to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import responses

from adapters import registry
from adapters.contract import Credentials, UserProfile
from connectors.api.authentication import issue_token
from connectors.models import CrmUser
from tests.exchanges import Case, from_plain
from tests.factories import CrmUserFactory
from tests.played import headers_of, text_of

_READS = ("/search/", "/query/")


def document_of(platform: str, name: str) -> dict[str, Any]:
    """A fixture of an adapter."""
    return Case(platform, registry.folder_of(platform) / "fixtures" / f"{name}.json").load()


class ReplayedCrm:
    """Answers by method and path alone; what no fixture knows is a connection that breaks.

    ``fail``: the next requests that fit (``"write"``, ``"read"`` or part of an address) get these answers, each once.
    """

    def __init__(self, platform: str, *names: str) -> None:
        self.platform = platform
        self.given = document_of(platform, names[0])
        self.answers: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.faults: list[tuple[str, Mapping[str, Any]]] = []
        self.sent: list[str] = []
        for name in names:
            for exchange in document_of(platform, name)["exchanges"]:
                request = exchange["request"]
                self.answers.setdefault((request["method"], urlsplit(request["url"]).path), exchange["response"])

    def fail(self, where: str, *answers: Mapping[str, Any]) -> None:
        self.faults += [(where, answer) for answer in answers]

    def address_of(self, name: str) -> str:
        """Where the first request of a fixture goes."""
        return str(document_of(self.platform, name)["exchanges"][0]["request"]["url"])

    def writes(self) -> list[str]:
        """The requests that make or change something, token requests left out; forgets them."""
        found = [line for line in self.sent if _is_write(*line.split(" ", 1)) and "token" not in line]
        self.sent.clear()
        return found

    def _answer(self, request: requests.PreparedRequest) -> Any:
        url = str(request.url).partition("?")[0]
        method = str(request.method)
        self.sent.append(f"{method} {url}")
        for index, (where, answer) in enumerate(self.faults):
            if where == ("write" if _is_write(method, url) else "read") or where in url:
                del self.faults[index]
                return answer.get("status", 200), headers_of(answer), text_of(answer)
        found = self.answers.get((method, urlsplit(url).path))
        if found is None:
            return requests.ConnectionError(f"no fixture for {method} {url}")
        return found.get("status", 200), headers_of(found), text_of(found)

    @contextmanager
    def running(self) -> Iterator[ReplayedCrm]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                mock.add_callback(method, re.compile(".*", re.DOTALL), callback=self._answer, content_type=None)
            yield self

    def user(self, **changes: Any) -> CrmUser:
        """A connected user of this CRM, as the fixture gives them."""
        profile = from_plain(UserProfile, {"name": "Agent Kim", **self.given["user"]})
        credentials = from_plain(Credentials, {**self.given["credentials"], "expires_at": None, **changes})
        return CrmUserFactory(
            platform=self.platform,
            crm_user_id=str(profile.id),
            crm_user_id_is_number=isinstance(profile.id, int),
            wire_id=f"{profile.id}-{CrmUser.objects.count()}-{self.platform}",
            host=profile.hostname,
            crm_account_id=profile.account_id,
            extra=dict(profile.extra),
            credentials=credentials,
        )

    def contact(self) -> dict[str, Any]:
        """The contact that the fixture writes about, as the extension sends one."""
        return {"phone": "+16505550112", "type": "", **self.given["call"]["entry"]["contact"]}


class Agent:
    """One user of the extension, in this process."""

    def __init__(self, client: Any, user: CrmUser) -> None:
        self._client, self._token = client, issue_token(user)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        joined = f"{path}{'&' if '?' in path else '?'}jwtToken={self._token}"
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        reply = getattr(self._client, method)(joined, **data)
        found: dict[str, Any] = reply.json()
        return found

    def is_logged(self, session: str) -> bool:
        [log] = self.ask("get", f"/callLog?sessionIds={session}&requireDetails=false")["logs"]
        return bool(log["matched"])


def _is_write(method: str, url: str) -> bool:
    return method != "GET" and not any(part in url for part in _READS)
