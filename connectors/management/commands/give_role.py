"""Gives a member of staff a role."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from connectors import first_administrator
from connectors.roles import ROLES
from connectors.staff_accounts import give_role


class Command(BaseCommand):
    help = (
        "Gives a member of staff a role, and makes the account where there is none; its password is printed once. "
        "Support (view) sees calls, users and what waits; Support (act) decides about it, too; Auditor sees the trail "
        "and, with AUDIT_KEEP_BODIES, texts; Administrator decides and manages accounts. The page Staff of the admin "
        "takes roles away."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name to sign in with")
        parser.add_argument("role", choices=list(ROLES))

    def handle(self, *args: Any, **options: Any) -> None:
        password = first_administrator.new_password()
        is_new = give_role(options["name"], options["role"], password=password)
        self.stdout.write(f"{options['name']} has the role {options['role']}." + (f" Password: {password}" * is_new))
