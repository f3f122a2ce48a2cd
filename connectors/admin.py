"""The admin for support staff: read-only lists, and actions with a name."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adapters import registry
from audit.admin import DayFilter, ReadOnlyAdmin
from audit.seals import AuditSeal
from connectors.deliveries.models import Circuit, Delivery
from connectors.desk import decision_page
from connectors.desk.decisions import Decision
from connectors.desk.delivery_decisions import GIVE_UP, HAND_BACK, SEND_NOW
from connectors.desk.lists import CrmFilter, agent_link
from connectors.desk.site import site
from connectors.desk.templatetags.desk import ago, call_in_words, login_state, short, small
from connectors.desk.user_decisions import FORGET_CONTACTS, SIGN_OUT
from connectors.desk.waiting import what_of
from connectors.models import CrmUser
from connectors.staff_accounts import StaffAdmin

site.register(User, StaffAdmin)


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

    list_display = ("agent", "email", "crm", "login", "seen")
    list_display_links = None
    list_filter = (CrmFilter, ConnectionFilter)
    search_fields = ("name", "email", "wire_id", "hashed_rc_extension_id", "crm_account_id")
    search_help_text = "Name, e-mail address, user, CRM account or hashed RingCentral extension"
    ordering = ("-last_seen_at",)
    actions = ["sign_out", "forget_contacts"]

    @admin.display(description="Agent", ordering="name")
    def agent(self, user: CrmUser) -> SafeString | str:
        return agent_link(user)

    @admin.display(description="CRM")
    def crm(self, user: CrmUser) -> str:
        return registry.display_name(user.platform)

    @admin.display(description="Login")
    def login(self, user: CrmUser) -> SafeString:
        return login_state(user)

    @admin.display(description="Last seen", ordering="last_seen_at")
    def seen(self, user: CrmUser) -> SafeString | str:
        return ago(user.last_seen_at)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of the desk says more."""
        return redirect("admin:desk_user", object_id)

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

    list_display = ("what", "agent", "crm_name", "state", "accepted")
    list_display_links = None
    list_filter = ("state", "kind", CrmFilter, ("accepted_at", DayFilter))
    ordering = ("-accepted_at",)
    list_select_related = ("user", "call_log", "conversation")
    fields = (
        "what",
        "agent",
        "crm",
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

    @admin.display(description="Change")
    def what(self, delivery: Delivery) -> SafeString:
        address = reverse("admin:deliveries_delivery_change", args=[delivery.pk])
        if delivery.call_log_id:
            address = reverse("admin:desk_call", args=[delivery.call_log_id])
        elif delivery.conversation_id:
            address = reverse("admin:desk_day", args=[delivery.conversation_id])
        words = what_of(delivery)
        if delivery.call_log is not None:
            words = f"{words} ({small(call_in_words(delivery.call_log))})"
        elif delivery.conversation is not None:
            words = f"{words} ({short(delivery.conversation.created_at)})"
        return format_html('<a href="{}">{}</a>', address, words)

    @admin.display(description="Agent")
    def agent(self, delivery: Delivery) -> SafeString | str:
        return agent_link(delivery.user)

    @admin.display(description="CRM")
    def crm_name(self, delivery: Delivery) -> str:
        return registry.display_name(delivery.platform)

    @admin.display(description="Accepted", ordering="accepted_at")
    def accepted(self, delivery: Delivery) -> SafeString | str:
        return ago(delivery.accepted_at)

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


@admin.register(AuditSeal, site=site)
class AuditSealAdmin(ReadOnlyAdmin):
    """The seals of the audit trail; ``manage.py verify_audit`` tells whether the trail fits them."""

    list_display = ("first_id", "last_id", "events", "closed_at", "mac")
    fields = ("first_id", "last_id", "events", "until", "closed_at", "chain", "key_id", "mac")
    ordering = ("-last_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditSeal]:
        rows: QuerySet[AuditSeal] = super().get_queryset(request)
        return rows.defer("digests")
