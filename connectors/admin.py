"""The admin for support staff: read-only lists, and actions with a name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.admin import ReadOnlyAdmin, register_audit
from connectors.models import CrmUser
from connectors.services.sessions import disconnect


class SupportSite(admin.AdminSite):
    """Django's admin under our name."""

    site_header = "Switchboard"
    site_title = "Switchboard"
    index_title = "Support"


site = SupportSite(name="admin")
site.register(User, UserAdmin)
register_audit(site)


class ConnectionFilter(admin.SimpleListFilter):
    """Connected, or signed out."""

    title = "connection"
    parameter_name = "connected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Connected"), ("no", "Signed out")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.exclude(access_token="")
        return queryset.filter(access_token="") if self.value() == "no" else queryset


@admin.register(CrmUser, site=site)
class CrmUserAdmin(ReadOnlyAdmin):
    """Who is connected. No token column, no settings, no profile extras."""

    list_display = ("wire_id", "platform", "host", "connected", "connected_at", "last_seen_at", "last_error")
    list_filter = ("platform", ConnectionFilter, "last_error")
    search_fields = ("wire_id", "hashed_rc_extension_id", "crm_account_id")
    fields = (
        "wire_id",
        "platform",
        "host",
        "crm_account_id",
        "timezone",
        "hashed_rc_extension_id",
        "rc_account_verified",
        "connected",
        "token_expires_at",
        "connected_at",
        "last_seen_at",
        "last_error",
    )
    actions = ["sign_out"]

    @admin.display(boolean=True)
    def connected(self, user: CrmUser) -> bool:
        return user.is_connected

    @admin.action(description="Sign out", permissions=["sign_out"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[CrmUser]) -> None:
        count = 0
        for user in queryset:
            disconnect(user=user, actor=f"staff:{request.user.get_username()}")
            count += 1
        self.message_user(request, f"{count} user(s) signed out.", messages.SUCCESS)

    def has_sign_out_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("connectors.change_crmuser")
