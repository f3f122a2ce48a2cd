"""Makes an installation ready to serve: database, cache table, first administrator; says what is not in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder

from adapters import checks
from connectors import first_administrator
from connectors.checks import refuse_if_unsafe
from connectors.installation import database_address, problem_of_keys, problems_of_services
from connectors.roles import ROLES

_LOCK = 7_302_116  # of PostgreSQL's advisory locks; any number that nothing else here takes


class Command(BaseCommand):
    help = (
        "Applies migrations, makes the cache table and the first administrator, and lists what is not in order or not "
        "configured. Run it at every start and after every update, before the server; it may run again at any time."
    )
    requires_system_checks = []  # they are listed below, and one CRM's fault does not keep the others from serving

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--show-password", action="store_true", help="print the password of an administrator that is made"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            refuse_if_unsafe()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if problems := list(problems_of_services()):
            raise CommandError("\n".join(problems))
        with _alone():
            self._prepare_database()
            self.stdout.write(_administrator(show_password=options["show_password"]))
        self.stdout.write(f"Colleagues: manage.py give_role NAME ROLE, with one of {', '.join(ROLES)}.")
        if problem := problem_of_keys():
            self.stdout.write(problem)
        for message in (*checks.check_adapters(), *checks.check_configuration()):
            self.stdout.write(message.msg)

    def _prepare_database(self) -> None:
        if ("audit", "0003_deliveries") in MigrationRecorder(connection).applied_migrations():
            raise CommandError(
                f"DATABASE_URL: {database_address()} was made by a version before 0.2, whose tables are others; "
                "name a new database there, and let users connect again."
            )
        try:
            call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", "") != "42501":
                raise
            user = connection.settings_dict["USER"]
            raise CommandError(
                f"DATABASE_URL: the user {user!r} may not make tables in {database_address()}; "
                f"its owner can allow it: GRANT CREATE ON SCHEMA public TO {user}."
            ) from None


def _administrator(*, show_password: bool) -> str:
    """Makes the first administrator where there is none; a line that tells how to sign in."""
    known = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    database = database_address()
    path = first_administrator.file_of(database)
    if known is not None:
        name = known.get_username()
        if path is not None:
            return f"Administrator: {name}; the first password is in {path}"
        return f"Administrator: {name} (manage.py changepassword {name} sets a new password)"
    password = first_administrator.password_in(path) if path else first_administrator.new_password()
    try:
        path = path or first_administrator.keep(database, password)
    except OSError as error:
        return f"No administrator yet: manage.py createsuperuser makes one (no password can be kept: {error.strerror})."
    User.objects.create_superuser(first_administrator.NAME, password=password)
    shown = f", password {password}" if show_password else ""
    return f"Administrator: {first_administrator.NAME}{shown} (the password is in {path})"


@contextmanager
def _alone() -> Iterator[None]:
    """One at a time: containers that start together would migrate together. SQLite is for one machine."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
