"""Storage of the sandbox CRM: one SQLite file whose rows belong to a tenant, with logins kept as hashes only."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Row = dict[str, Any]

CONTACT_TYPES = ("Contact", "Company")
TIME_ZONE = "America/Los_Angeles"
#: What a call or conversation can be filed under.
CATEGORIES = (
    {"id": "general", "name": "General"},
    {"id": "sales", "name": "Sales"},
    {"id": "support", "name": "Support"},
)
#: A user with this key exists from the first start, so that the pages have something to show.
DEMO_KEY = "demo-key"
BAD_KEY = "bad-key"
_CODE_LIFETIME = timedelta(minutes=5)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, company TEXT, name TEXT NOT NULL, email TEXT NOT NULL,
    read_only INTEGER NOT NULL, can_log_in INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, reference TEXT NOT NULL, type TEXT NOT NULL,
    name TEXT NOT NULL, title TEXT NOT NULL, company TEXT NOT NULL, email TEXT NOT NULL, phones TEXT NOT NULL,
    created_at TEXT NOT NULL, UNIQUE (tenant, reference));
CREATE TABLE IF NOT EXISTS deals (
    tenant TEXT NOT NULL, id TEXT NOT NULL, contact_id INTEGER NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL,
    PRIMARY KEY (tenant, id));
CREATE TABLE IF NOT EXISTS activities (
    number INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT, body TEXT,
    contact_id INTEGER, deal_id TEXT, started_at TEXT, duration_seconds INTEGER, direction TEXT, external_id TEXT,
    owner_id TEXT, disposition TEXT, category TEXT, address TEXT, department TEXT, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS activities_by_external_id ON activities (tenant, external_id);
CREATE TABLE IF NOT EXISTS tokens (
    hash TEXT PRIMARY KEY, kind TEXT NOT NULL, grant_id TEXT NOT NULL, user_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, expires_at TEXT NOT NULL);
"""

#: (type, name, title, company, email, phones, deals): every tenant starts with its own copy. The notations differ on
#: purpose, two people share a number, and one number lacks its area code.
_SEED: tuple[tuple[str, str, str, str, str, list[str], list[tuple[str, str, str]]], ...] = (
    (
        "Contact",
        "Luke Skywalker",
        "Owner",
        "Two Suns Farm",
        "luke@twosuns.example",
        ["+16505551212"],
        [
            ("deal-7", "Spring order", "open"),
            ("deal-8", "Service contract", "open"),
            ("deal-9", "Winter order", "closed"),
        ],
    ),
    ("Contact", "Mara Quill", "Buyer", "Quill Paper", "mara@quill.example", ["(650) 555-0112"], []),
    (
        "Contact",
        "Tobin Ashgrove",
        "Engineer",
        "Ashgrove Works",
        "tobin@ashgrove.example",
        ["650-555-0123"],
        [("deal-10", "Workshop rebuild", "open")],
    ),
    ("Contact", "Ines Marlowe", "Solicitor", "Marlowe & Finch", "ines@marlowe.example", ["0044 20 7946 0106"], []),
    ("Company", "Marlowe & Finch", "", "", "office@marlowe.example", ["+1 650-555-0140 ext. 12"], []),
    ("Contact", "Orla Finch", "Partner", "Marlowe & Finch", "orla@marlowe.example", ["+1 (212) 555-0187"], []),
    ("Contact", "Pell Finch", "", "", "pell@finch.example", ["212.555.0187"], []),
    (
        "Company",
        "Harrow Lane Bakery",
        "",
        "",
        "shop@harrowlane.example",
        ["415 555 0133", "415 555 0134 x9"],
        [("deal-11", "Standing order", "open")],
    ),
    ("Company", "Corner Kiosk", "", "", "kiosk@corner.example", ["555-0133"], []),
)


class Refused(Exception):
    """The CRM refuses a request: HTTP status, a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody who may log in; colleagues of one company share a tenant, everybody else has their own."""

    id: str
    tenant: str
    company: str | None
    name: str
    email: str
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A fresh pair; shown to the client once and stored as hashes."""

    access: str
    refresh: str
    expires_in: int


def significant_digits(number: str) -> str:
    """The digits a search compares: no ``00`` or trunk zero in front."""
    return "".join(char for char in number if "0" <= char <= "9").lstrip("0")


def _same_line(asked: str, stored: str) -> bool:
    """The last ten digits asked for anywhere in the stored text, or all of its digits, seven or more, at their end.

    Searches of many CRMs do it like this: too generous. Shorter numbers, such as extensions, are compared whole.
    """
    wanted, there = significant_digits(asked), significant_digits(stored)
    if min(len(wanted), len(there)) < 7:
        return wanted == there != ""
    return wanted[-10:] in there or wanted.endswith(there)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """Every method is one transaction and may be called from any thread."""

    def __init__(self, path: Path, *, token_seconds: int = 3600) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._token_seconds = token_seconds
        # One connection behind a lock: each statement takes microseconds, and writers would queue up anyway.
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self.user_of_key(DEMO_KEY)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    # --- people and logins

    def user_of_key(self, key: str) -> User:
        """The person behind an API key, made on first use. An empty key and ``bad-key`` belong to nobody."""
        if not key.strip() or key == BAD_KEY:
            raise Refused(401, "invalid_key", "This API key is not known.")
        digest = _hash(f"key:{key}")
        with self._transaction() as db:
            return _ensure_user(db, f"u-{digest[:12]}", login=key, name=f"Test User {digest[:4]}")

    def user_of_access_token(self, token: str) -> User:
        with self._transaction() as db:
            row = db.execute(
                "SELECT users.* FROM tokens JOIN users ON users.id = tokens.user_id"
                " WHERE hash = ? AND kind = 'access' AND expires_at > ?",
                (_hash(token), _now()),
            ).fetchone()
        if row is None:
            raise Refused(401, "invalid_token", "This access token is unknown, expired or revoked.")
        return _user(row)

    def users_of(self, tenant: str) -> list[Row]:
        with self._transaction() as db:
            found = db.execute(
                "SELECT id, name, email FROM users WHERE tenant = ? ORDER BY name, id", (tenant,)
            ).fetchall()
        return [dict(row) for row in found]

    def logins(self) -> list[Row]:
        """Everybody who has logged in so far, for the pages."""
        with self._transaction() as db:
            found = db.execute(
                "SELECT id, tenant, name, company FROM users WHERE can_log_in ORDER BY created_at, id"
            ).fetchall()
        return [dict(row) for row in found]

    def new_code(self, login: str, redirect_uri: str) -> str:
        """An authorisation code for the person of that name."""
        name = login.strip()
        with self._transaction() as db:
            db.execute("DELETE FROM tokens WHERE expires_at <= ?", (_now(),))
            user = _ensure_user(db, f"u-{_hash('name:' + name.lower())[:12]}", login=name, name=name)
            return _add_token(
                db, "code", secrets.token_hex(8), user.id, datetime.now(UTC) + _CODE_LIFETIME, redirect_uri
            )

    def exchange_code(self, code: str, redirect_uri: str) -> Tokens | None:
        """Tokens for a code that was not used before and was issued for the same redirect address."""
        return self._trade(code, "code", redirect_uri)

    def rotate(self, refresh_token: str) -> Tokens | None:
        """New tokens for a refresh token, which is thereby used up."""
        return self._trade(refresh_token, "refresh", "")

    def _trade(self, secret: str, kind: str, redirect_uri: str) -> Tokens | None:
        now = datetime.now(UTC)
        with self._transaction() as db:
            row = db.execute(
                "DELETE FROM tokens WHERE hash = ? AND kind = ? AND redirect_uri = ? AND expires_at > ?"
                " RETURNING grant_id, user_id",
                (_hash(secret), kind, redirect_uri, _now()),
            ).fetchone()
            if row is None:
                return None
            expiry = now + timedelta(seconds=self._token_seconds)
            return Tokens(
                access=_add_token(db, "access", row["grant_id"], row["user_id"], expiry),
                refresh=_add_token(db, "refresh", row["grant_id"], row["user_id"], now + timedelta(days=90)),
                expires_in=self._token_seconds,
            )

    def revoke(self, token: str) -> None:
        """Ends the grant that an access or refresh token belongs to."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM tokens WHERE grant_id = (SELECT grant_id FROM tokens WHERE hash = ?)", (_hash(token),)
            )

    # --- contacts and deals

    def contacts(self, tenant: str | None, *, phone: str = "", name: str = "") -> list[Row]:
        """Contacts with their deals, oldest first; ``tenant=None``: everybody's, for the pages."""
        with self._transaction() as db:
            found = db.execute(
                "SELECT * FROM contacts WHERE ? IS NULL OR tenant = ? ORDER BY id", (tenant, tenant)
            ).fetchall()
            return [
                _contact(db, row)
                for row in found
                if name.casefold() in row["name"].casefold()
                and (not phone or any(_same_line(phone, stored) for stored in json.loads(row["phones"])))
            ]

    def contact(self, tenant: str | None, contact_id: int | str) -> Row:
        with self._transaction() as db:
            return _contact(db, _one_contact(db, tenant, contact_id, Refused(404, "not_found", "No such contact.")))

    def add_contact(self, tenant: str, values: Mapping[str, Any]) -> Row:
        with self._transaction() as db:
            cursor = _insert(
                db,
                "contacts",
                {
                    "tenant": tenant,
                    "reference": f"contact-{secrets.token_hex(4)}",
                    "type": values["type"],
                    "name": values["name"],
                    "title": values["title"],
                    "company": values["company"],
                    "email": values["email"],
                    "phones": json.dumps(values["phones"]),
                    "created_at": _now(),
                },
            )
            return _contact(db, db.execute("SELECT * FROM contacts WHERE id = ?", (cursor.lastrowid,)).fetchone())

    def delete_contact(self, tenant: str, contact_id: int | str) -> None:
        with self._transaction() as db:
            row = _one_contact(db, tenant, contact_id, Refused(404, "not_found", "No such contact."))
            db.execute("DELETE FROM contacts WHERE id = ?", (row["id"],))
            db.execute("DELETE FROM deals WHERE contact_id = ?", (row["id"],))

    def deals(self, tenant: str) -> list[Row]:
        with self._transaction() as db:
            found = db.execute(
                "SELECT id, contact_id, title, status FROM deals WHERE tenant = ? ORDER BY id", (tenant,)
            ).fetchall()
        return [dict(row) for row in found]

    # --- activities

    def activities(self, tenant: str | None, *, limit: int = 100, **filters: str | int) -> list[Row]:
        """Activities, newest first; ``filters`` are columns and the values they must have."""
        where = " AND ".join(["(? IS NULL OR a.tenant = ?)", *(f"a.{column} = ?" for column in filters)])
        with self._transaction() as db:
            found = db.execute(
                f"{_ACTIVITIES} WHERE {where} ORDER BY a.number DESC LIMIT ?",
                (tenant, tenant, *filters.values(), limit),
            ).fetchall()
        return [_activity(row) for row in found]

    def activity(self, tenant: str | None, activity_id: str) -> Row:
        with self._transaction() as db:
            return _activity(_one_activity(db, tenant, activity_id))

    def add_activity(self, user: User, values: Row) -> Row:
        now = _now()
        with self._transaction() as db:
            resolved = _resolve(db, user, {"owner_id": user.id, **values})
            cursor = _insert(
                db, "activities", {**resolved, "tenant": user.tenant, "created_at": now, "updated_at": now}
            )
            return _activity(db.execute(f"{_ACTIVITIES} WHERE a.number = ?", (cursor.lastrowid,)).fetchone())

    def change_activity(self, user: User, activity_id: str, values: Row) -> Row:
        with self._transaction() as db:
            number = _one_activity(db, user.tenant, activity_id)["number"]
            changes = {**_resolve(db, user, values), "updated_at": _now()}
            columns = ", ".join(f"{column} = ?" for column in changes)
            db.execute(
                f"UPDATE activities SET {columns} WHERE number = ?",  # noqa: S608  (columns are checked in server_api)
                (*changes.values(), number),
            )
            return _activity(_one_activity(db, user.tenant, activity_id))

    def delete_activity(self, tenant: str, activity_id: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM activities WHERE number = ?", (_one_activity(db, tenant, activity_id)["number"],))


_ACTIVITIES = (
    "SELECT a.*, contacts.name AS contact_name, users.name AS owner_name FROM activities a"
    " LEFT JOIN contacts ON contacts.id = a.contact_id LEFT JOIN users ON users.id = a.owner_id"
)


def _insert(db: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
    marks = ", ".join("?" * len(values))
    return db.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",  # noqa: S608  (table and columns come from code)
        tuple(values.values()),
    )


def _user(row: sqlite3.Row) -> User:
    return User(
        id=row["id"],
        tenant=row["tenant"],
        company=row["company"],
        name=row["name"],
        email=row["email"],
        read_only=bool(row["read_only"]),
    )


def _ensure_user(db: sqlite3.Connection, user_id: str, *, login: str, name: str) -> User:
    """The user; made on first use. Logins that begin with ``acme-`` are colleagues at the company "acme"."""
    if row := db.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone():
        return _user(row)
    company = "acme" if login.lower().startswith("acme-") else None
    tenant = company or user_id
    if db.execute("SELECT 1 FROM users WHERE tenant = ?", (tenant,)).fetchone() is None:
        _seed(db, tenant)
    user = User(
        id=user_id,
        tenant=tenant,
        company=company,
        name=name,
        email=f"{user_id}@sandbox.example",
        read_only=login.lower().startswith("readonly-"),
    )
    _insert(db, "users", {**vars(user), "can_log_in": 1, "created_at": _now()})
    return user


def _seed(db: sqlite3.Connection, tenant: str) -> None:
    """Contacts, deals, and two colleagues who never log in but to whom logs can be assigned."""
    for number in (2, 3):
        colleague = User(
            id=f"{tenant}-{number}",
            tenant=tenant,
            company=None,
            name=f"Test User {number}",
            email=f"test{number}@sandbox.example",
            read_only=False,
        )
        _insert(db, "users", {**vars(colleague), "can_log_in": 0, "created_at": _now()})
    for number, (kind, name, title, company, email, phones, deals) in enumerate(_SEED, start=1):
        contact = {"type": kind, "name": name, "title": title, "company": company, "email": email}
        row = {"tenant": tenant, "reference": f"contact-{number}", **contact, "phones": json.dumps(phones)}
        contact_id = _insert(db, "contacts", {**row, "created_at": _now()}).lastrowid
        for deal_id, deal_title, status in deals:
            deal = {"tenant": tenant, "id": deal_id, "contact_id": contact_id, "title": deal_title, "status": status}
            _insert(db, "deals", deal)


def _add_token(
    db: sqlite3.Connection, kind: str, grant_id: str, user_id: str, expiry: datetime, redirect_uri: str = ""
) -> str:
    secret = secrets.token_urlsafe(32)
    expires_at = expiry.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    row = {"hash": _hash(secret), "kind": kind, "grant_id": grant_id, "user_id": user_id, "redirect_uri": redirect_uri}
    _insert(db, "tokens", {**row, "expires_at": expires_at})
    return secret


def _one_contact(db: sqlite3.Connection, tenant: str | None, contact_id: int | str, error: Refused) -> sqlite3.Row:
    """By id, or by the reference that numbers the contacts within a tenant (``contact-1``)."""
    row = db.execute(
        "SELECT * FROM contacts WHERE (? IS NULL OR tenant = ?) AND (CAST(id AS TEXT) = ? OR reference = ?)",
        (tenant, tenant, str(contact_id), str(contact_id)),
    ).fetchone()
    if row is None:
        raise error
    return row  # type: ignore[no-any-return]


def _contact(db: sqlite3.Connection, row: sqlite3.Row) -> Row:
    deals = db.execute(
        "SELECT id, title, status FROM deals WHERE contact_id = ? ORDER BY rowid", (row["id"],)
    ).fetchall()
    last = db.execute("SELECT max(started_at) FROM activities WHERE contact_id = ?", (row["id"],)).fetchone()[0]
    shown = {key: row[key] for key in ("id", "reference", "type", "name", "title", "company", "email", "created_at")}
    return {
        **shown,
        "phones": json.loads(row["phones"]),
        "last_activity_at": last,
        "deals": [dict(deal) for deal in deals],
    }


def _one_activity(db: sqlite3.Connection, tenant: str | None, activity_id: str) -> sqlite3.Row:
    kind, _, number = activity_id.partition("-")
    row = db.execute(
        f"{_ACTIVITIES} WHERE (? IS NULL OR a.tenant = ?) AND CAST(a.number AS TEXT) = ?", (tenant, tenant, number)
    ).fetchone()
    if row is None or _prefix(row["kind"]) != kind:
        raise Refused(404, "not_found", "No such activity.")
    return row  # type: ignore[no-any-return]


def _activity(row: sqlite3.Row) -> Row:
    shown = {key: row[key] for key in row.keys() if key not in ("number", "tenant")}  # noqa: SIM118  (a Row, no dict)
    return {"id": f"{_prefix(row['kind'])}-{row['number']}", **shown}


def _prefix(kind: str) -> str:
    return {"call": "call", "conversation": "conv"}[kind]


def _resolve(db: sqlite3.Connection, user: User, values: Row) -> Row:
    """The values with contact, deal and owner checked to be the tenant's own."""
    resolved = dict(values)
    if resolved.get("contact_id") is not None:
        gone = Refused(422, "unknown_contact", "The contact does not exist.")
        resolved["contact_id"] = _one_contact(db, user.tenant, resolved["contact_id"], gone)["id"]
    for column, table, code in (("deal_id", "deals", "unknown_deal"), ("owner_id", "users", "unknown_owner")):
        value = resolved.get(column)
        if value is not None and (
            db.execute(
                f"SELECT 1 FROM {table} WHERE tenant = ? AND id = ?",  # noqa: S608  (the two tables named above)
                (user.tenant, value),
            ).fetchone()
            is None
        ):
            raise Refused(422, code, f"The {column.removesuffix('_id')} does not exist.")
    return resolved
