"""Lists of calls, conversations and events: at most five columns, each row leads to a page of the desk."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Substr
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adapters import registry
from audit.admin import DayFilter, ReadOnlyAdmin
from audit.models import AuditEvent, CallLog, ConversationLog
from connectors.desk.names import name_of
from connectors.desk.site import site
from connectors.desk.templatetags.desk import ago, call_in_words, log_state, outcome_in_words, short
from connectors.desk.timeline import name_of_actor, words_of
from connectors.models import CrmUser


class CrmFilter(admin.SimpleListFilter):
    """By CRM: the enabled ones, without asking the table which there are."""

    title = "CRM"
    parameter_name = "platform"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, manifest.display_name) for key, manifest in registry.manifests().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(platform=self.value()) if self.value() in registry.manifests() else queryset


class OutcomeFilter(admin.SimpleListFilter):
    """Of events: done, or failed."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("success", "Done"), ("failure", "Failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(outcome=self.value()) if self.value() in ("success", "failure") else queryset


def agent_link(user: CrmUser | None) -> SafeString | str:
    """The user's name, leading to their page."""
    if user is None:
        return name_of(None)
    return format_html('<a href="{}">{}</a>', reverse("admin:desk_user", args=[user.pk]), name_of(user))


class LogAdmin(ReadOnlyAdmin):
    """What calls and conversation days have in common. ``address``: name of the page that tells about one."""

    address = ""
    list_display = ("what", "agent", "crm", "number", "shown_state")
    list_display_links = None
    list_filter = ("state", CrmFilter, ("created_at", DayFilter))
    ordering = ("-created_at",)
    list_select_related = ("user",)

    @admin.display(description="Call")
    def what(self, log: Any) -> SafeString:
        words = call_in_words(log) if isinstance(log, CallLog) else f"Messages, {short(log.created_at)}"
        return format_html('<a href="{}">{}</a>', reverse(self.address, args=[log.pk]), words)

    @admin.display(description="Agent")
    def agent(self, log: Any) -> SafeString | str:
        return agent_link(log.user)

    @admin.display(description="CRM")
    def crm(self, log: Any) -> str:
        return registry.display_name(log.platform)

    @admin.display(description="Number")
    def number(self, log: Any) -> str:
        return f"…{log.number_ending}" if log.number_ending else "not kept"

    @admin.display(description="State")
    def shown_state(self, log: Any) -> SafeString:
        return log_state(log)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """The page of the desk says more."""
        return redirect(self.address, object_id)


@admin.register(CallLog, site=site)
class CallLogAdmin(LogAdmin):
    """Calls, the newest first."""

    address = "admin:desk_call"


@admin.register(ConversationLog, site=site)
class ConversationLogAdmin(LogAdmin):
    """Conversation days, the newest first."""

    address = "admin:desk_day"


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(ReadOnlyAdmin):
    """Everything that was done or tried. Its search finds whole ids only, each by an index."""

    list_display = ("when", "what", "how", "about", "who")
    list_filter = (OutcomeFilter, CrmFilter, ("occurred_at", DayFilter))
    search_fields = ("subject",)  # see ``get_search_results``
    search_help_text = "Session id, reference, or actor (user:…, staff:…), as a whole"
    ordering = ("-occurred_at",)
    readonly_fields = ("occurred_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        """With the names of those who acted."""
        users = CrmUser.objects.filter(
            platform=OuterRef("platform"), wire_id=Substr(OuterRef("actor"), len("user:") + 1)
        )
        rows: QuerySet[AuditEvent] = super().get_queryset(request)
        return rows.annotate(name=Subquery(users.values("name")[:1]))

    @admin.display(description="When", ordering="occurred_at")
    def when(self, event: AuditEvent) -> SafeString | str:
        return ago(event.occurred_at)

    @admin.display(description="What")
    def what(self, event: AuditEvent) -> str:
        return (
            f"{words_of(event.action)}, {registry.display_name(event.platform)}"
            if event.platform
            else words_of(event.action)
        )

    @admin.display(description="How it ended")
    def how(self, event: AuditEvent) -> str:
        return outcome_in_words(event)

    @admin.display(description="About")
    def about(self, event: AuditEvent) -> SafeString | str:
        if not event.subject:
            return event.target or "-"
        return format_html('<a href="{}?q={}">{}</a>', reverse("admin:desk_search"), event.subject, event.subject)

    @admin.display(description="Who")
    def who(self, event: AuditEvent) -> str:
        return str(vars(event).get("name") or name_of_actor(event.actor))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        return queryset.filter(Q(subject=term) | Q(request_id=term) | Q(actor=term)), False
