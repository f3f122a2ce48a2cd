"""Read-only lists of call logs, conversations, messages and events."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import AuditEvent, CallLog, ConversationLog, MessageLog


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows, and changes nothing: what support may do is an action with a name."""

    show_full_result_count = False
    list_per_page = 50

    class Media:
        css = {"all": ["audit/lists.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CallLogAdmin(ReadOnlyAdmin):
    """Why was this call not logged?"""

    list_display = (
        "session_id",
        "state",
        "last_error",
        "crm_log_id",
        "user",
        "platform",
        "direction",
        "started_at",
        "created_at",
    )
    list_filter = ("state", "platform", "last_error", "created_at")
    search_fields = ("session_id", "telephony_session_id", "crm_log_id", "user__wire_id")
    search_help_text = "Session id, CRM id or user"
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    list_select_related = ("user",)
    readonly_fields = ("created_at", "updated_at")


class ConversationLogAdmin(ReadOnlyAdmin):
    """One row for each conversation day."""

    list_display = ("conversation_log_id", "state", "last_error", "crm_log_id", "user", "platform", "created_at")
    list_filter = ("state", "platform", "last_error", "created_at")
    search_fields = ("conversation_log_id", "conversation_id", "crm_log_id", "user__wire_id")
    search_help_text = "Conversation id, CRM id or user"
    ordering = ("-created_at",)
    list_select_related = ("user",)
    readonly_fields = ("created_at", "updated_at")


class MessageLogAdmin(ReadOnlyAdmin):
    """One row for each message in the CRM."""

    list_display = ("message_id", "conversation", "crm_log_id", "user", "platform", "created_at")
    list_filter = ("platform", "created_at")
    search_fields = (
        "message_id",
        "conversation__conversation_log_id",
        "conversation__crm_log_id",
        "conversation__user__wire_id",
    )
    search_help_text = "Message id, conversation id, CRM id or user"
    ordering = ("-created_at",)
    list_select_related = ("conversation__user",)
    readonly_fields = ("created_at",)

    @admin.display(description="user")
    def user(self, message: MessageLog) -> str:
        return str(message.conversation.user or "-")

    @admin.display(description="CRM id")
    def crm_log_id(self, message: MessageLog) -> str:
        return str(message.conversation.crm_log_id)


class AuditEventAdmin(ReadOnlyAdmin):
    """Everything that was done or tried."""

    list_display = (
        "occurred_at",
        "action",
        "outcome",
        "error",
        "subject",
        "target",
        "actor",
        "platform",
        "milliseconds",
        "crm_calls",
    )
    list_filter = ("outcome", "action", "platform", "error", "occurred_at")
    search_fields = ("subject", "target", "actor", "request_id")
    search_help_text = "Session id, CRM id, user or reference"
    date_hierarchy = "occurred_at"
    ordering = ("-occurred_at",)
    readonly_fields = ("occurred_at",)


def register_audit(site: admin.AdminSite) -> None:
    """Puts the lists on an admin site."""
    site.register(CallLog, CallLogAdmin)
    site.register(ConversationLog, ConversationLogAdmin)
    site.register(MessageLog, MessageLogAdmin)
    site.register(AuditEvent, AuditEventAdmin)
