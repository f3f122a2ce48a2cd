"""The admin for support staff: read-only lists, and actions with a name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from audit.admin import ReadOnlyAdmin, register_audit
from connectors.deliveries.models import Circuit, Delivery
from connectors.desk import decision_page
from connectors.desk.decisions import Decision
from connectors.desk.delivery_decisions import GIVE_UP, HAND_BACK, SEND_NOW
from connectors.desk.site import site
from connectors.desk.user_decisions import FORGET_CONTACTS, SIGN_OUT
from connectors.models import CrmUser
from connectors.staff_accounts import StaffAdmin

site.register(User, StaffAdmin)
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

    list_display = ("wire_id", "platform", "host", "connected", "last_error", "last_seen_at", "connected_at")
    list_filter = ("platform", ConnectionFilter, "last_error")
    search_fields = ("wire_id", "hashed_rc_extension_id", "crm_account_id")
    search_help_text = "User, CRM account or hashed RingCentral extension"
    ordering = ("-last_seen_at",)
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
    actions = ["sign_out", "forget_contacts"]

    @admin.display(boolean=True)
    def connected(self, user: CrmUser) -> bool:
        return user.is_connected

    @admin.action(description="Sign out", permissions=["decide"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[CrmUser]) -> HttpResponse:
        return _ask(request, SIGN_OUT, queryset)

    @admin.action(description="Forget cached contacts", permissions=["decide"])
    def forget_contacts(self, request: HttpRequest, queryset: QuerySet[CrmUser]) -> HttpResponse:
        return _ask(request, FORGET_CONTACTS, queryset)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("connectors.change_crmuser")


@admin.register(Delivery, site=site)
class DeliveryAdmin(ReadOnlyAdmin):
    """What is accepted but not in the CRM yet, and why. No payload: it holds notes and messages."""

    list_display = (
        "subject",
        "kind",
        "crm",
        "user",
        "state",
        "attempts",
        "last_error",
        "next_attempt_at",
        "accepted_at",
    )
    list_filter = ("state", "kind", "platform", "last_error", "accepted_at")
    search_fields = ("call_log__session_id", "conversation__conversation_log_id", "user__wire_id", "request_id")
    search_help_text = "Session id, conversation id, user, or the reference of a message"
    date_hierarchy = "accepted_at"
    ordering = ("-accepted_at",)
    list_select_related = ("user", "call_log", "conversation")
    fields = (
        "kind",
        "crm",
        "user",
        "call_log",
        "conversation",
        "position",
        "state",
        "reason",
        "attempts",
        "last_error",
        "request_id",
        "accepted_at",
        "next_attempt_at",
        "settles_at",
        "hold_until",
        "lease_until",
    )
    actions = ["send_now", "hand_back", "give_up"]

    @admin.action(description="Send now", permissions=["decide"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        return _ask(request, SEND_NOW, queryset)

    @admin.action(description="Hand back to the agent", permissions=["decide"])
    def hand_back(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        return _ask(request, HAND_BACK, queryset)

    @admin.action(description="Give up", permissions=["decide"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse:
        return _ask(request, GIVE_UP, queryset)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deliveries.change_delivery")


def _ask(request: HttpRequest, decision: Decision, rows: QuerySet[Any]) -> HttpResponse:
    """The page of a decision about what was chosen in a list."""
    return decision_page.ask(request, decision, list(rows.values_list("pk", flat=True)[: decision_page.MOST]))


@admin.register(Circuit, site=site)
class CircuitAdmin(ReadOnlyAdmin):
    """CRMs that could not be reached lately."""

    list_display = ("crm", "failures", "open_until")
