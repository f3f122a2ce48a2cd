"""A newer version migrates while the older one still serves: its code has to go on writing to the newer schema."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, migrations, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from audit.models import CallLog
from tests.factories import CrmUserFactory

OURS = ("connectors", "audit", "deliveries")


def later_migrations():
    """Every migration of ours but the first of each app."""
    for label in OURS:
        package = apps.get_app_config(label).name + ".migrations"
        for path in sorted(Path(importlib.import_module(package).__path__[0]).glob("[0-9]*.py")):
            if not path.name.startswith("0001_"):
                yield label, importlib.import_module(f"{package}.{path.stem}").Migration


def objections(operation) -> list[str]:
    """Why the older version could not live with an operation."""
    if isinstance(operation, migrations.CreateModel | migrations.AddIndex | migrations.RunPython | migrations.RunSQL):
        return []
    if isinstance(operation, migrations.AddField):
        column = operation.field
        if column.null or column.db_default is not models.NOT_PROVIDED:
            return []
        return [f"{operation.model_name}.{operation.name} needs a db_default: the older code does not name it"]
    if isinstance(operation, migrations.AlterModelOptions | migrations.AlterModelManagers):
        return []
    return [f"{type(operation).__name__} changes what the older code uses; add beside it instead"]


def test_later_migrations_only_add_with_defaults_of_the_database():
    found = [line for _, migration in later_migrations() for item in migration.operations for line in objections(item)]
    assert found == []


@pytest.mark.parametrize(
    ("operation", "is_refused"),
    [
        (migrations.AddField("CallLog", "team", models.CharField(max_length=9, default="")), True),
        (migrations.AddField("CallLog", "team", models.CharField(max_length=9, db_default="")), False),
        (migrations.AddField("CallLog", "team", models.CharField(max_length=9, null=True)), False),
        (migrations.RemoveField("CallLog", "direction"), True),
        (migrations.RenameField("CallLog", "direction", "way"), True),
    ],
)
def test_an_operation_that_the_older_version_cannot_live_with_is_found(operation, is_refused):
    assert bool(objections(operation)) is is_refused


def test_each_app_begins_with_one_migration():
    loader = MigrationLoader(None)
    for label in OURS:
        assert (label, "0001_initial") in loader.disk_migrations


def _older_row(column: str) -> None:
    """A row as the older version writes it, after the newer one has added ``column``."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE deliveries_circuit ADD COLUMN {column}")
        apps.get_model("deliveries", "Circuit").objects.create(crm="crm")
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_a_column_with_a_default_of_the_database_stops_nobody():
    _older_row("team varchar(9) NOT NULL DEFAULT ''")
    if connection.vendor == "postgresql":  # SQLite refuses such a column by itself
        with pytest.raises(DatabaseError):
            _older_row("team varchar(9) NOT NULL")


def _first_version():
    """The models as the first migrations of our apps made them."""
    loader = MigrationLoader(connection)
    last = [key for key in loader.graph.leaf_nodes() if key[0] not in OURS]
    return loader.project_state([*last, *((label, "0001_initial") for label in OURS)], at_end=True).apps


def _columns_without_a_value(table):
    """The columns that an INSERT has to name: neither null nor with a default of the database."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f'PRAGMA table_info("{table}")')
            return {name for _, name, _, is_filled, default, is_key in cursor.fetchall()
                    if is_filled and default is None and not is_key}  # fmt: skip
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
            " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
            [table],
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db
def test_the_first_version_can_write_every_row_of_today():
    former = [model for label in OURS for model in _first_version().get_app_config(label).get_models()]
    assert len(former) > 15
    unknown = {
        f"{model._meta.db_table}.{column}"
        for model in former
        for column in _columns_without_a_value(model._meta.db_table)
        - {field.column for field in model._meta.local_concrete_fields}
    }
    assert unknown == set()


@pytest.mark.django_db
def test_the_first_versions_code_logs_a_call_into_the_tables_of_today():
    former, user = _first_version(), CrmUserFactory()
    call_log = former.get_model("audit", "CallLog").objects.create(
        platform="testCRM", owner=user.owner, session_id="s1", user_id=user.pk, started_at=timezone.now()
    )
    former.get_model("audit", "AuditEvent").objects.create(action="call_log.create", actor="x", outcome="success")
    assert CallLog.objects.get(session_id="s1").pk == call_log.pk
    assert (
        former.get_model("audit", "CallLog").objects.filter(pk=call_log.pk).update(crm_log_id="1", state="logged") == 1
    )
