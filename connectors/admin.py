"""The admin for support staff: read-only lists, and actions with a name."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from audit.admin import ReadOnlyAdmin, register_audit
from audit.recorder import record
from connectors.deliveries import support
from connectors.deliveries.models import Circuit, Delivery
from connectors.desk.site import site
from connectors.models import CrmUser
from connectors.services.sessions import disconnect
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


class DecisionForm(ActionForm):
    """The id of a record that support has found in the CRM, beside the choice of the action."""

    crm_id = forms.CharField(required=False, max_length=255, label="CRM id")


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
    actions = ["send_now", "mark_as_logged", "give_up"]
    action_form = DecisionForm

    @admin.action(description="Send now; what the CRM cannot be asked for counts as not there", permissions=["decide"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        for delivery in queryset:
            _record_decision(request, delivery, "send now")
        count = support.send_again(queryset)
        self.message_user(request, f"{count} change(s) are sent as soon as a worker is free.", messages.SUCCESS)

    @admin.action(description="It is in the CRM, under the id given here", permissions=["decide"])
    def mark_as_logged(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, "Choose one change: each record has an id of its own.", messages.ERROR)
            return
        try:
            is_settled = support.mark_as_logged(chosen[0], request.POST.get("crm_id", "").strip())
        except ValueError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        if is_settled:
            _record_decision(request, chosen[0], "marked as logged")
            self.message_user(request, f"{chosen[0].subject} counts as logged.", messages.SUCCESS)
        else:
            self.message_user(request, f"{chosen[0].subject} is being sent; look again in a moment.", messages.WARNING)

    @admin.action(description="Give up: nobody sends it any more", permissions=["decide"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        count = 0
        for delivery in queryset:
            if support.give_up(delivery):
                _record_decision(request, delivery, "given up")
                count += 1
        self.message_user(request, f"{count} change(s) given up.", messages.WARNING)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deliveries.change_delivery")


def _record_decision(request: HttpRequest, delivery: Delivery, decision: str) -> None:
    record(
        "delivery.decide",
        actor=f"staff:{request.user.get_username()}",
        platform=delivery.platform,
        owner=delivery.user.owner,
        subject=delivery.subject,
        detail={"decision": decision, "kind": delivery.kind, "attempts": delivery.attempts},
    )


@admin.register(Circuit, site=site)
class CircuitAdmin(ReadOnlyAdmin):
    """CRMs that could not be reached lately."""

    list_display = ("crm", "failures", "open_until")
