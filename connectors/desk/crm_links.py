"""Addresses of contacts and records in the CRM, made as the extension makes them."""

from __future__ import annotations

from urllib.parse import quote

from adapters import registry
from audit.models import CallLog, ConversationLog
from connectors.models import CrmUser, PlaceholderContact


def contact_url(log: CallLog | ConversationLog) -> str:
    """The contact's page; "" where the CRM's manifest or the log does not tell."""
    return page_of_contact(log, log.user) if log.contact_id else ""


def page_of_contact(row: CallLog | ConversationLog | PlaceholderContact, user: CrmUser | None) -> str:
    """The page of the row's contact, as ``user`` reaches it; "" where the manifest does not tell."""
    return _filled("contactPageUrl", row, user)


def record_url(log: CallLog | ConversationLog) -> str:
    """The record's page, or the nearest that the CRM has; "" where there is none."""
    return _filled("logPageUrl", log, log.user) if log.crm_log_id else ""


def _filled(member: str, log: CallLog | ConversationLog | PlaceholderContact, user: CrmUser | None) -> str:
    manifest = registry.manifests().get(log.platform)
    template = str(manifest.client.get(member) or "") if manifest else ""
    host = user.host if user else ""
    if not template or ("{hostname}" in template and not host):
        return ""
    values = {"contactId": log.contact_id, "contactType": log.contact_type, "logId": getattr(log, "crm_log_id", "")}
    address = template.replace("{hostname}", host.split("://", 1)[-1].strip("/"))
    for name, value in values.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address if address.startswith(("https://", "http://")) else ""
