"""Accounts of staff: who manages them gives roles, and cannot make themselves, or anybody, a superuser."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest

from connectors.roles import ROLES


class StaffAdmin(UserAdmin):
    """Django's own, without the ways from managing accounts to being a superuser."""

    list_display = ("username", "roles", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    list_select_related = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def roles(self, account: User) -> str:
        names = ["Superuser"] if account.is_superuser else []
        return ", ".join([*names, *(group.name for group in account.groups.all())]) or "none: sees nothing"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fixed = list(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else [*fixed, "is_superuser", "user_permissions"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within_reach(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Superusers are left out of what may be deleted together, too."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        if not request.user.is_superuser and any(account.is_superuser for account in objs):
            lacking = {*lacking, "superuser"}
        return deleted, counts, lacking, protected

    def _is_within_reach(self, request: HttpRequest, account: Any) -> bool:
        return request.user.is_superuser or account is None or not account.is_superuser

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """A new account is one of staff: nobody else signs in here."""
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)


def give_role(name: str, role: str, *, password: str) -> bool:
    """Gives an account a role, making it with this password where there is none; returns whether it was made."""
    assert role in ROLES
    account = User.objects.filter(username=name).first()
    is_new = account is None
    if account is None:
        account = User.objects.create_user(name, password=password)
    account.is_staff = True
    account.save(update_fields=["is_staff"])
    account.groups.add(Group.objects.get(name=role))
    return is_new
