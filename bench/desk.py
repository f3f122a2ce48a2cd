"""What the support desk's pages cost with many rows on PostgreSQL: ``python -m bench.desk``.

Makes a database, fills it by SQL, seals and verifies the trail, and opens the pages: statements, database time, and
whether a large table was read from one end to the other.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from bench.growth import database

_POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
DAYS = 90
#: Events of each call.
_EVENTS = 5
_LARGE = 10_000  # rows from which a table counts as large
_CALLS = """
INSERT INTO audit_calllog (id, platform, owner, user_id, session_id, telephony_session_id, extension, direction,
    started_at, crm_log_id, crm_log_id_is_number, contact_id, contact_type, contact_id_is_number, number_hash,
    number_ending, state, last_error, last_position, created_at, updated_at)
SELECT gen_random_uuid(), agent.platform, agent.owner, agent.id, 'session-' || n, 's-' || n, agent.extension,
    CASE n %% 2 WHEN 0 THEN 'Inbound' ELSE 'Outbound' END, at,
    CASE WHEN n %% 50 = 0 THEN '' ELSE (7000000 + n)::text END,
    true, (n %% 40000)::text, 'Contact', true, md5('number' || n %% 40000) || md5((n %% 40000)::text),
    lpad((n %% 10000)::text, 4, '0'), CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'logged' END,
    CASE WHEN n %% 50 = 0 THEN 'RequestRejected' ELSE '' END, 1, at, at
FROM (SELECT n, %(start)s::timestamptz + n * %(step)s::interval AS at FROM generate_series(1, %(calls)s) n) numbered
JOIN bench_agent agent ON agent.number = n %% %(agents)s
"""
_TRAIL = """
INSERT INTO audit_auditevent (occurred_at, request_id, actor, action, platform, owner, outcome, error, subject, target,
    milliseconds, crm_calls, detail)
SELECT at, lpad(to_hex(n), 16, '0'), 'user:' || agent.wire_id,
    (ARRAY['contact.find', 'call_log.create', 'call_log.update', 'call_log.read', 'contact.search'])[1 + n %% 5],
    agent.platform, agent.owner, CASE WHEN n %% 50 = 1 THEN 'failure' ELSE 'success' END,
    CASE WHEN n %% 50 = 1 THEN 'RequestRejected' ELSE '' END,
    CASE WHEN n %% 5 IN (0, 4) THEN '' ELSE 'session-' || n / 5 END, '', 50 + n %% 900, 1,
    '{"requests": [["POST", "/activities", 201, 180, "v-1"]]}'::jsonb
FROM (SELECT n, %(start)s::timestamptz + n * %(step)s::interval / %(each)s AS at
      FROM generate_series(%(first)s, %(last)s) n) numbered
JOIN bench_agent agent ON agent.number = (n / %(each)s) %% %(agents)s
ORDER BY n
"""
_HOURS = """
INSERT INTO audit_traffichour (hour, platform, action, succeeded, failed, durations)
SELECT date_trunc('hour', %(start)s::timestamptz) - h * interval '1 hour', platform, action, 100, 2,
    '[0,0,5,20,40,20,10,4,2,1,0,0,0,0,0,0,0,0,0,0]'::jsonb
FROM generate_series(1, 24 * 365) h, (SELECT DISTINCT platform FROM bench_agent) platforms,
    unnest(ARRAY['call_log.create', 'message_log.write', 'contact.find', 'call_log.update']) action
ON CONFLICT DO NOTHING
"""
_QUEUE = """
INSERT INTO deliveries_delivery (id, kind, platform, crm, user_id, call_log_id, position, payload, request_id,
    accepted_at, state, next_attempt_at, hold_until, attempts, odd_answers, last_error, reason, unreadable_with)
SELECT gen_random_uuid(), 'call_log.create', log.platform, log.platform || ':', log.user_id, log.id, 1, '', '',
    log.created_at, (ARRAY['waiting', 'login', 'person'])[1 + row_number() OVER () %% 3], now(), now(), 3, 0,
    'CrmUnavailable', 'The CRM could not be reached; is sent again with growing pauses.', ''
FROM (SELECT * FROM audit_calllog ORDER BY created_at DESC LIMIT %(waiting)s) log
"""


@dataclass
class Opened:
    """One page: its statements, seconds in the database, and the plans that read a whole large table."""

    name: str
    status: int = 0
    statements: int = 0
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    scans: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.desk", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help=f"call logs; of events {_EVENTS} times as many")
    parser.add_argument("--waiting", type=int, default=3000, help="changes that wait")
    parser.add_argument("--postgres", default=_POSTGRES, help="a server where a database may be made")
    parser.add_argument("--database", default="", help="an existing database that this command filled before")
    options = parser.parse_args()
    if options.database:
        _run(options.database, None, say=_say)
        return
    with database(options.postgres) as url:
        _run(url, options, say=_say)


def _say(text: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)


_BEGAN = time.monotonic()


def _run(url: str, options: argparse.Namespace | None, *, say: Callable[[str], None]) -> None:
    import django

    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": url,
        "APP_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
        "CREDENTIAL_KEYS": "bench:YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtMDE",
        "HASH_KEY": "bench-hash-key-of-the-support-desk",
        "ALLOWED_HOSTS": "*",
    }
    django.setup()
    if options is not None:
        fill(calls=options.calls, waiting=options.waiting, say=say)
    for opened in pages():
        say(_told(opened))


def _told(opened: Opened) -> str:
    text = (
        f"{opened.name:40} {opened.status} {opened.statements:3} statements {opened.seconds * 1000:6.0f} ms, "
        f"the slowest {opened.slowest[0] * 1000:.0f} ms"
    )
    return "\n          ".join([text, *(f"reads all of {scan}" for scan in opened.scans)])


def fill(*, calls: int, waiting: int, say: Callable[[str], None]) -> None:
    """Makes the tables and the rows, seals the trail and verifies it."""
    import random

    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from audit.sealing import seal_all
    from audit.verifying import verify
    from connectors.demo.people import companies
    from connectors.models import CrmUser

    call_command("migrate", verbosity=0)
    now = timezone.now()
    start = now - timedelta(days=DAYS)
    companies(random.Random(1), start)
    CrmUser.objects.update(last_seen_at=now)
    values: dict[str, Any] = {
        "start": start, "step": (now - start) / (calls + 1), "calls": calls, "each": _EVENTS, "waiting": waiting,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE bench_agent AS SELECT row_number() OVER (ORDER BY wire_id) - 1 AS number, id, "
            "platform, 'account:' || identity_host || ':' || crm_account_id AS owner, wire_id, "
            "hashed_rc_extension_id AS extension FROM connectors_crmuser"
        )
        cursor.execute("SELECT count(*) FROM bench_agent")
        values["agents"] = cursor.fetchone()[0]
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(_CALLS, values)
        say(f"{calls} calls")
        total, piece = calls * _EVENTS, 500_000
        for first in range(1, total + 1, piece):
            cursor.execute(_TRAIL, {**values, "first": first, "last": min(first + piece - 1, total)})
            say(f"{min(first + piece - 1, total)} events")
        cursor.execute(_HOURS, values)
        cursor.execute(_QUEUE, values)
        cursor.execute("VACUUM ANALYZE")
    began = time.monotonic()
    sealed = seal_all(lambda done, all_of_them: None)
    say(f"sealed {sealed} events in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    verified = verify()
    say(f"verified {verified.events} events in {time.monotonic() - began:.0f} s; problems: {len(verified.problems)}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def pages() -> Iterator[Opened]:
    """Opens each page twice as a superuser; the second time counts."""
    from django.contrib.auth.models import User
    from django.test import Client

    reader = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("bench")
    client = Client()
    client.force_login(reader)
    for name, address in _addresses().items():
        client.get(address)  # warm
        opened = Opened(name)
        with _watched(opened):  # where it leads to another page, that one counts for itself
            opened.status = client.get(address).status_code
        yield opened


def _addresses() -> dict[str, str]:
    from audit.models import AuditEvent, CallLog
    from connectors.models import CrmUser

    log = CallLog.objects.filter(state="failed").order_by("-created_at")[10]
    agent = CrmUser.objects.get(pk=str(log.user_id))
    event = AuditEvent.objects.filter(subject=log.session_id).latest("pk")
    day = log.created_at.date() - timedelta(days=3)
    search = "/admin/desk/search/?q="
    wanted = {
        "a number": "+41 44 668 18 00",
        "last four digits": log.number_ending,
        "an agent": agent.name,
        "an agent, yesterday": f"{agent.name} yesterday",
        "an agent and digits": f"{agent.name} {log.number_ending}",
        "a day": str(day),
        "session id": log.session_id,
        "record id": CallLog.objects.exclude(crm_log_id="").latest("created_at").crm_log_id,
        "contact id": log.contact_id,
        "reference": event.request_id,
        "nobody": "nobody@nowhere.example",
    }
    trail = "/admin/audit/auditevent/"
    return {
        "start": "/admin/",
        "start, 90 days": "/admin/?days=90",
        **{f"search: {name}": search + quote(text) for name, text in wanted.items()},
        "call": f"/admin/desk/call/{log.pk}/",
        "user": f"/admin/desk/user/{agent.pk}/",
        "user on a day": f"/admin/desk/user/{agent.pk}/?day={day}",
        "queue": "/admin/desk/queue/",
        "queue, a CRM": f"/admin/desk/queue/?platform={log.platform}",
        "calls": "/admin/audit/calllog/",
        "calls that failed": "/admin/audit/calllog/?state=failed",
        "calls of a CRM without any": "/admin/audit/calllog/?platform=redtail",
        "calls of a CRM": f"/admin/audit/calllog/?platform={log.platform}",
        "trail": trail,
        "trail: a CRM's failures": f"{trail}?platform={log.platform}&outcome=failure",
        "trail: a CRM": f"{trail}?platform={log.platform}",
        "trail: a CRM without any": f"{trail}?platform=redtail",
        "trail: failures": f"{trail}?outcome=failure",
        "users": "/admin/connectors/crmuser/",
        "seals": "/admin/audit/auditseal/",
    }


@contextmanager
def _watched(opened: Opened) -> Iterator[None]:
    from django.db import connection

    seen: list[tuple[str, Any]] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.monotonic()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.monotonic() - began
            opened.statements += 1
            opened.seconds += took
            opened.slowest = max(opened.slowest, (took, sql[:200]))
            seen.append((sql, params))

    with connection.execute_wrapper(watch):
        yield
    opened.scans = sorted({scan for sql, params in seen for scan in _scans(sql, params)})


def _scans(sql: str, params: Any) -> Iterator[str]:
    from django.db import connection

    if not sql.lstrip().upper().startswith("SELECT"):
        return
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql, params)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        for table, rows in re.findall(r"Seq Scan on (\w+).*?rows=(\d+)", plan):
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE relname = %s", [table])
            if cursor.fetchone()[0] >= _LARGE:
                yield f"{table} (about {rows} rows of it): {sql[:160]}"


if __name__ == "__main__":
    main()
