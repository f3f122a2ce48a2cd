"""Database triggers that keep audit events, and the seals over them, from being changed, deleted or slipped in.

What they refuse, whoever asks, the tables' owner by plain statements included:

- UPDATE, also as the second half of an upsert, and DELETE, also of a cascade or of Django's bulk paths;
- ``TRUNCATE`` on PostgreSQL, and so ``manage.py flush``; the triggers fire under ``session_replication_role`` too;
- ``REPLACE INTO`` on SQLite, which deletes without firing a trigger for DELETE;
- an event with an id that was sealed already, and on SQLite one before the newest.

A DELETE of events that ``AuditPruning`` names passes. Who can drop a trigger can change anything: the owner of the
tables, a superuser, whoever may write SQLite's file. That is what seals are for, see ``audit.sealing``.
"""

from __future__ import annotations

from typing import Any

_FIRST = {
    "sqlite": [
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_auditevent "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END",
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_auditevent "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit events are never changed or deleted'; END $$",
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_auditevent "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()",
    ],
}

_SEALED = "(SELECT COALESCE(MAX(last_id), 0) FROM audit_auditseal)"
_PRUNED = "(SELECT COALESCE(MAX(last_id), 0) FROM audit_auditpruning)"
#: Tables of which no row is ever changed or deleted.
_FIXED = {"audit_seal": "audit_auditseal", "audit_pruning": "audit_auditpruning"}


def _sqlite(name: str, when: str, table: str, condition: str, reason: str) -> str:
    return (
        f"CREATE TRIGGER {name} {when} ON {table} {f'WHEN {condition} ' if condition else ''}"
        f"BEGIN SELECT RAISE(ABORT, '{reason}'); END"
    )


def _postgresql(name: str, table: str, when: str, each: str = "ROW") -> list[str]:
    return [
        f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",  # also under session_replication_role
    ]


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


_EVENT = "audit_auditevent"
_NO_CHANGE, _NO_DELETE = "audit events are never changed", "audit events are never deleted"
_NO_SLIP = "audit events are only added at the end"
_WHOLE = {
    "sqlite": [
        _sqlite("audit_event_no_update", "BEFORE UPDATE", _EVENT, "", _NO_CHANGE),
        _sqlite("audit_event_no_delete", "BEFORE DELETE", _EVENT, f"OLD.id > {_PRUNED}", _NO_DELETE),
        # Where the id is left to SQLite, NEW.id is -1 here; REPLACE would delete the row with the given one.
        _sqlite(
            "audit_event_no_replace",
            "BEFORE INSERT",
            _EVENT,
            "EXISTS (SELECT 1 FROM audit_auditevent WHERE id = NEW.id)",
            _NO_CHANGE,
        ),
        _sqlite(
            "audit_event_at_the_end",
            "AFTER INSERT",
            _EVENT,
            "NEW.id < (SELECT MAX(id) FROM audit_auditevent) OR NEW.id < 1 OR NEW.id <= " + _SEALED,  # noqa: S608  # nosec
            _NO_SLIP,
        ),
        *(
            _sqlite(f"{name}_no_{verb.lower()}", f"BEFORE {verb}", table, "", "seals are never changed")
            for name, table in _FIXED.items()
            for verb in ("UPDATE", "DELETE")
        ),
        *(
            _sqlite(
                f"{name}_no_replace",
                "BEFORE INSERT",
                table,
                f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id OR last_id >= NEW.last_id)",  # noqa: S608  # nosec
                "seals are only added at the end",
            )
            for name, table in _FIXED.items()
        ),
    ],
    "postgresql": [
        _function("audit_event_refuse", f"RAISE EXCEPTION '{_NO_CHANGE} or deleted';"),
        *_postgresql("audit_event_refuse", _EVENT, "BEFORE UPDATE"),
        _function(
            "audit_event_refuse_delete",
            f"IF OLD.id > {_PRUNED} THEN RAISE EXCEPTION '{_NO_DELETE}'; END IF; RETURN OLD;",
        ),
        *_postgresql("audit_event_refuse_delete", _EVENT, "BEFORE DELETE"),
        _function("audit_event_refuse_truncate", f"RAISE EXCEPTION '{_NO_DELETE}';"),
        *_postgresql("audit_event_refuse_truncate", _EVENT, "BEFORE TRUNCATE", "STATEMENT"),
        _function(
            "audit_event_at_the_end",
            f"IF NEW.id <= {_SEALED} OR NEW.id < 1 THEN RAISE EXCEPTION '{_NO_SLIP}'; END IF; RETURN NEW;",
        ),
        *_postgresql("audit_event_at_the_end", _EVENT, "BEFORE INSERT"),
        *(
            statement
            for name, table in _FIXED.items()
            for statement in (
                _function(f"{name}_refuse", "RAISE EXCEPTION 'seals are never changed or deleted';"),
                *_postgresql(f"{name}_refuse", table, "BEFORE UPDATE OR DELETE"),
                _function(f"{name}_refuse_truncate", "RAISE EXCEPTION 'seals are never deleted';"),
                *_postgresql(f"{name}_refuse_truncate", table, "BEFORE TRUNCATE", "STATEMENT"),
            )
        ),
    ],
}

#: What the triggers are on.
TABLES = (_EVENT, *_FIXED.values())


def install(connection: Any) -> None:
    """Creates the first version's triggers; called by the first migration, before there are seals."""
    _run(connection, _FIRST.get(connection.vendor, ()))


def extend(connection: Any) -> None:
    """Puts the whole set in the place of whatever triggers there are; called by the migration that makes seals."""
    remove(connection)
    _run(connection, _WHOLE.get(connection.vendor, ()))


def shrink(connection: Any) -> None:
    """Goes back to the first version's; called when the migration that makes seals is undone."""
    remove(connection)
    install(connection)


def remove(connection: Any) -> None:
    """Drops every trigger of these tables, and what they call; called when the first migration is undone."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
            for name in [name for name, table in cursor.fetchall() if table in TABLES]:
                cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
        elif connection.vendor == "postgresql":
            for name in _functions():
                cursor.execute(f"DROP FUNCTION IF EXISTS {name}() CASCADE")


def _functions() -> list[str]:
    made = (statement.split() for statements in (_FIRST, _WHOLE) for statement in statements["postgresql"])
    return sorted({words[2].removesuffix("()") for words in made if words[1] == "FUNCTION"})


def _run(connection: Any, statements: Any) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def missing(connection: Any) -> list[str]:
    """Names of the triggers that should be there, and are not, or are switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D' AND NOT tgisinternal")
        there = {name for (name,) in cursor.fetchall()}
    made = (statement.split() for statement in _WHOLE.get(connection.vendor, ()))
    return sorted(words[2] for words in made if words[:2] == ["CREATE", "TRIGGER"] and words[2] not in there)
