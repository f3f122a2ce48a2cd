"""Trouble that a person of the sandbox orders for themselves, so that they see what becomes of their calls.

Nobody else's requests are touched. ``GET /demonstration`` tells what is ordered and the person's last records, also
while their API fails; ``POST /demonstration`` ``{"trouble": "down"}`` orders, and ``""`` ends it. A restart does, too.
"""

from __future__ import annotations

import threading
from typing import Any

from adapters.testcrm.server_api import Answer, Request, authenticated, reply
from adapters.testcrm.server_store import Refused, Store

_WRITES = ("POST", "PATCH", "DELETE")
_RECORDS = 10

#: What is ordered -> the requests it concerns (methods; none: all), and what happens to them, as a rule of ``Faults``.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "down": ((), {"status": 503, "message": "The CRM is down for maintenance."}),
    "slow": ((), {"delay_ms": 3000}),
    "drop": (_WRITES, {"drop": "after_commit"}),
    "refuse": (_WRITES, {"status": 422, "message": "A rule of this CRM forbids it."}),
    "limit": ((), {"status": 429, "retry_after": 10, "message": "Too many requests."}),
    "expired": ((), {"status": 401, "message": "This login has expired."}),
}


class Trouble:
    """Who has ordered what, by user id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: dict[str, str] = {}

    def answer(self, store: Store, request: Request) -> Answer:
        """What ``/demonstration`` answers. Raises ``Refused``."""
        user = authenticated(store, request.headers.get("authorization", ""))
        if request.method == "POST":
            kind = request.body.get("trouble")
            if kind != "" and kind not in KINDS:
                raise Refused(422, "invalid", f"'trouble' must be empty or one of: {', '.join(KINDS)}.")
            self._order(store, user.id, str(kind), request.headers.get("authorization", ""))
        elif request.method != "GET":
            raise Refused(405, "method_not_allowed", "This address takes GET and POST.")
        records = store.activities(user.tenant, limit=_RECORDS)
        return reply({"trouble": self._ordered.get(user.id, ""), "activities": records})

    def _order(self, store: Store, user_id: str, kind: str, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if kind == "expired" and scheme.lower() == "bearer":
            store.revoke(token.strip())  # with its refresh token: nothing is left to be ordered
            kind = ""
        with self._lock:
            self._ordered.pop(user_id, None)
            if kind:
                self._ordered[user_id] = kind

    def take(self, store: Store, request: Request) -> dict[str, Any]:
        """The rule that applies to a request of the API; ``{}`` when none does."""
        if not self._ordered:
            return {}
        try:
            user = authenticated(store, request.headers.get("authorization", ""))
        except Refused:
            return {}
        kind = self._ordered.get(user.id, "")
        if kind == "expired" and request.path == "/api/me":  # asked at each login: the key is good again
            with self._lock:
                self._ordered.pop(user.id, None)
            return {}
        methods, rule = KINDS.get(kind, ((), {}))
        return rule if request.method in (methods or (request.method,)) else {}
