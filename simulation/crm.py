"""The CRM: the sandbox's own code, the ways in which it misbehaves, and what people do in it.

A request of unknown outcome that takes effect late does so within the ``settling_seconds`` of the adapter's manifest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.testcrm import server_store
from adapters.testcrm.server_api import RINGCENTRAL_REDIRECT, Answer, OAuthClient, Request, answer, refusal
from adapters.testcrm.server_store import Row, Store, Tokens, User
from simulation.threads import Actor
from simulation.world import world

_UNTIL_NOTHING_IS_UNDER_WAY = 10.0  # seconds: the longest that a request waits for its answer
#: Effects that come late, and an index that lags, together stay within ``settling_seconds``, which are 5.
_LATEST, _LATEST_BESIDE_LAG, _LAG = 4.8, 2.4, 2.4

#: What may happen to a request, and whether it is a verdict: of the CRM, or of what is taken for it.
FAULTS: Mapping[str, bool] = {
    "no connection": False,
    "lost before it was carried out": False,
    "lost after it was carried out": False,
    "carried out late": False,
    "limit with seconds": False,
    "limit with a date": False,
    "limit without a time": False,
    "408 before": False,
    "409 after": False,
    "423 locked": False,
    "500 before": False,
    "500 after": False,
    "502 before": False,
    "504 after": False,
    "503 with a time": False,
    "client refused": False,
    "page with 403": True,
    "page with 404": True,
    "page with 200": True,
    "redirect": True,
    "too long": True,
    "refused": True,
    "forbidden": True,
    "login refused": True,
}

#: After these a login goes on, though its tokens could not be renewed: nothing was carried out, and nothing was said.
_LEAVES_TOKENS = frozenset(
    {
        *("no connection", "lost before it was carried out", "limit with seconds", "limit with a date"),
        *("limit without a time", "408 before", "423 locked", "500 before", "502 before", "503 with a time"),
        "client refused",
    }
)


@dataclass(kw_only=True)
class Applied:
    """One write that the CRM carried out."""

    at: float
    method: str
    path: str
    body: Mapping[str, Any]
    record: str


@dataclass(frozen=True, kw_only=True)
class Outage:
    """From ``begins`` to ``ends`` (seconds of the world) every request meets ``fault``."""

    begins: float
    ends: float
    fault: str


@dataclass
class Crm:
    """What the CRM holds, and how it misbehaves."""

    rate: float = 0.0
    #: How likely a request, or an answer, takes its time.
    slow_share: float = 0.0
    faults: tuple[str, ...] = ()
    #: So many requests meet one.
    most_faults: int = 1_000_000
    #: Those that reads meet, and none that logins do; None: all requests meet the same.
    faults_of_reads: tuple[str, ...] | None = None
    outages: tuple[Outage, ...] = ()
    lags: bool = False
    #: Whether records can be searched for, and choices be set after a call; see ``adapter_variants``.
    can_be_asked: bool = True
    has_dispositions: bool = True
    #: Whether a log takes a second request.
    has_second_step: bool = False
    #: Whether the adapter fails over some of its answers, as one with a fault does.
    stumbles: bool = False
    #: Status with which a body of more than so many characters is refused.
    too_long: tuple[int, int] | None = None
    store: Store = field(default_factory=lambda: Store(Path(":memory:")))
    client: OAuthClient = field(
        default_factory=lambda: OAuthClient(client_id="switchboard", client_secret="sandbox-secret")  # noqa: S106
    )
    applied: list[Applied] = field(default_factory=list)
    delivered: Counter[str] = field(default_factory=Counter)
    #: Markers, or ids, of records about which a verdict was given.
    judged: set[str] = field(default_factory=set)
    #: Something happened by which a login may have ended without a word of its user.
    has_ended_logins: bool = False
    _late: list[tuple[float, Request]] = field(default_factory=list)
    _made_at: dict[str, float] = field(default_factory=dict)
    #: Whose process has been given new tokens, and may not have stored them yet: the former are worth nothing.
    _renewing: set[Actor] = field(default_factory=set)
    #: Who has read a record, and may write it back.
    _open: set[tuple[str, str]] = field(default_factory=set)

    # --- requests -----------------------------------------------------------------------------------

    def heal(self) -> None:
        """From now on it is in good health, and takes any single text; what is under way arrives."""
        self.rate, self.slow_share, self.outages, self.stumbles = 0.0, 0.0, (), False
        if self.too_long:
            self.too_long = (self.too_long[0], 40_000)
        world.now += _UNTIL_NOTHING_IS_UNDER_WAY + _LATEST + _LAG
        self.settle()

    def settle(self, *, everything: bool = False) -> None:
        """What is due by now takes effect."""
        if not self._late:
            return
        due = [item for item in self._late if everything or item[0] <= world.now]
        self._late = [item for item in self._late if item not in due]
        for moment, request in sorted(due, key=lambda item: item[0]):
            self._carry_out(request, at=moment)

    def late(self, request: Request, ends: float) -> None:
        latest = _LATEST_BESIDE_LAG if self.lags else _LATEST
        self._late.append((ends + latest * max(world.rng.random(), world.rng.random()), request))

    def choose_fault(self, request: Request) -> str:
        """What goes wrong with a request; "": nothing."""
        fault = next((outage.fault for outage in self.outages if outage.begins <= world.now < outage.ends), "")
        faults = self._faults_of(request)
        is_spared = self.delivered.total() >= self.most_faults
        if not fault and self.rate and faults and not is_spared and world.rng.random() < self.rate:
            fault = world.rng.choice(faults)
        if fault:
            world.count(f"CRM: {fault}")
            world.note(f"CRM: {fault}")
            self.delivered[fault] += 1
            if FAULTS[fault]:
                self.judged.add(self._marker_of(request))
            spends_token = request.path == "/oauth/token" and fault not in _LEAVES_TOKENS
            self.has_ended_logins |= fault == "login refused" or spends_token
        return fault

    def _faults_of(self, request: Request) -> tuple[str, ...]:
        if self.faults_of_reads is None:
            return self.faults
        if not request.path.startswith("/api/activities") and not request.path.startswith("/api/contacts"):
            return ()
        return self.faults_of_reads if request.method == "GET" else self.faults

    def serve(self, request: Request) -> Answer:
        self.settle()
        said = self._carry_out(request, at=world.now)
        if request.method == "GET" and request.path.startswith("/api/activities/") and world.actor:
            self._open.add((request.path.rpartition("/")[2], world.actor.name))
        if self.lags and said.status == 200 and request.method == "GET" and request.path == "/api/activities":
            found = json.loads(said.body)
            rows = found.get("activities", [])
            found["activities"] = [row for row in rows if self._made_at.get(row["id"], 0) + _LAG <= world.now]
            return Answer(body=json.dumps(found).encode())
        return said

    def _carry_out(self, request: Request, *, at: float) -> Answer:
        body = str(request.body.get("body") or "")
        if self.too_long and request.method in ("POST", "PATCH") and len(body) > self.too_long[1]:
            world.count("a body is too long for the CRM")
            return refusal(self.too_long[0], "too_long", "The body is too long.")
        said = answer(self.store, self.client, request)
        if request.method in ("POST", "PATCH") and said.status < 300 and request.path.startswith("/api/"):
            (row,) = json.loads(said.body).values()
            record = str(row["id"])
            self._made_at.setdefault(record, at)
            write = Applied(at=at, method=request.method, path=request.path, body=request.body, record=record)
            self.applied.append(write)
            world.note(f"CRM carries out {request.method} {request.path} {record}")
        return said

    def _marker_of(self, request: Request) -> str:
        """The external id of the record that a request is about, or whatever else identifies it."""
        if marker := request.query.get("external_id") or request.body.get("external_id"):
            return str(marker)
        number = request.path.rpartition("/")[2]
        found = [row for row in self.store.activities(None, limit=1000) if row["id"] == number]
        return str(found[0]["external_id"]) if found else request.path

    # --- people at the CRM ----------------------------------------------------------------------------

    def user_named(self, name: str) -> User:
        """The person of an OAuth login, made on first use."""
        self.store.new_code(name, RINGCENTRAL_REDIRECT)
        with self.store._transaction() as db:
            row = db.execute("SELECT * FROM users WHERE name = ? AND can_log_in", (name,)).fetchone()
        return server_store._user(row)

    def tokens(self, name: str) -> Tokens:
        """Those of a new OAuth login, without a request."""
        tokens = self.store.exchange_code(self.store.new_code(name, RINGCENTRAL_REDIRECT), RINGCENTRAL_REDIRECT)
        assert tokens is not None
        return tokens

    def knows(self, refresh_token: str) -> bool:
        """Whether the login that this token belongs to is good."""
        with self.store._transaction() as db:
            found = db.execute("SELECT 1 FROM tokens WHERE hash = ?", (server_store._hash(refresh_token),)).fetchone()
        return found is not None

    def has_login_of(self, name: str) -> bool:
        """Whether it takes any token of a person."""
        user = self.user_named(name)
        with self.store._transaction() as db:
            rows = db.execute("SELECT 1 FROM tokens WHERE user_id = ? AND kind = 'refresh'", (user.id,))
            return rows.fetchone() is not None

    def end_logins(self, name: str) -> None:
        """Somebody revokes the OAuth logins of a person."""
        user = self.user_named(name)
        self.has_ended_logins = True
        with self.store._transaction() as db:
            db.execute("DELETE FROM tokens WHERE user_id = ?", (user.id,))

    def move(self, name: str, company: str | None) -> None:
        """The person of an OAuth login belongs to another company from now on; what they had there stays there.

        So does what is under way, which takes effect before.
        """
        self.settle(everything=True)
        self.end_logins(name)
        user = self.user_named(name)
        tenant = company or user.id
        with self.store._transaction() as db:
            if db.execute("SELECT 1 FROM contacts WHERE tenant = ?", (tenant,)).fetchone() is None:
                server_store._seed(db, tenant)
            db.execute("UPDATE users SET tenant = ?, company = ? WHERE id = ?", (tenant, company, user.id))

    def is_quiet(self, record: str) -> bool:
        """Whether nobody has read it in order to write it back, and no write of it is under way."""
        late = any(request.path.endswith(f"/{record}") for _, request in self._late)
        return not late and not any(opened == record for opened, _ in self._open)

    def leave(self, actor: Actor) -> None:
        """What ``actor`` has read is not written back any more, nor are tokens stored, if its process was killed."""
        self._open = {item for item in self._open if item[1] != actor.name}
        self.has_ended_logins |= actor.is_killed and actor in self._renewing
        self.has_stored(actor)

    def renews(self, actor: Actor | None) -> None:
        if actor is not None:
            self._renewing.add(actor)

    def has_stored(self, actor: Actor | None) -> None:
        if actor is not None:
            self._renewing.discard(actor)

    def records(self, tenant: str | None) -> list[Row]:
        """Oldest first."""
        return self.store.activities(tenant, limit=10_000)[::-1]

    def write_by_hand(self, row: Row, text: str) -> None:
        """A person adds a line to a record."""
        with self.store._transaction() as db:
            number = row["id"].partition("-")[2]
            db.execute("UPDATE activities SET body = body || ? WHERE number = ?", (f"\n\n{text}", number))

    def delete_by_hand(self, row: Row) -> None:
        with self.store._transaction() as db:
            db.execute("DELETE FROM activities WHERE number = ?", (row["id"].partition("-")[2],))


crm = Crm()
