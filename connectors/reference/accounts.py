"""Administrators' settings of RingCentral accounts, and the lists of people whom users want to call back."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError

from adapters.contract import id_of
from connectors.api.settings import AdminSettingsBody
from connectors.models import AccountSettings, CallDownEntry
from connectors.reference.report import HERE, LEFT, TAKEN
from connectors.reference.source import Row, document, moment, text
from connectors.reference.users import Takeover
from connectors.services.call_down import status_named

ACCOUNTS, CALL_DOWN = "administrators' settings", "call-down entries"


def take_accounts(takeover: Takeover) -> None:
    """Takes over the table ``adminConfigs``. Its ids are hashes, so only with the same HASH_KEY."""
    report = takeover.report
    for page in takeover.source.pages("adminConfigs"):
        if not takeover.same_hash_key:
            report.add(ACCOUNTS, LEFT, "their ids are hashes: see --same-hash-key", len(page))
            continue
        with transaction.atomic():
            for row in page:
                _take_account(takeover, row)


def _take_account(takeover: Takeover, row: Row) -> None:
    account_id, report = text(row, "id"), takeover.report
    if len(account_id) != 64:
        report.add(ACCOUNTS, LEFT, "their id is no hash of an account")
        return
    if AccountSettings.objects.filter(pk=account_id).exists():
        report.add(ACCOUNTS, HERE)
        return
    columns = _account_columns(row)
    if columns is None:
        report.add(ACCOUNTS, LEFT, "not in the form that the API takes")
        return
    if takeover.writes:
        AccountSettings.objects.create(pk=account_id, **columns)
    report.add(ACCOUNTS, TAKEN)
    if text(row, "adminAccessToken"):
        report.add("administrators' RingCentral logins", LEFT, "they sign in once more for reports")


def _account_columns(row: Row) -> dict[str, Any] | None:
    given = {name: document(row, name) for name in ("userSettings", "userMappings")}
    body = AdminSettingsBody(data={name: value for name, value in given.items() if value is not None})
    try:
        body.is_valid(raise_exception=True)
    except ValidationError:
        return None
    found = body.validated_data
    return {"settings": found.get("userSettings", {}), "user_mappings": found.get("userMappings", [])}


def take_call_down_lists(takeover: Takeover) -> None:
    """Takes over the table ``callDownLists``; it never held a name, a number or a note."""
    for page in takeover.source.pages("callDownLists"):
        with transaction.atomic():
            for row in page:
                _take_entry(takeover, row)


def _take_entry(takeover: Takeover, row: Row) -> None:
    user, report = takeover.users.get(text(row, "userId")), takeover.report
    if user is None:
        report.add(CALL_DOWN, LEFT, "of a user who is not in the database")
        return
    contact = id_of(text(row, "contactId")[:255])
    columns = {"user": user, "contact_id": str(contact), "scheduled_at": moment(row, "scheduledAt")}
    if user._state.db is not None and CallDownEntry.objects.filter(**columns).exists():
        report.add(CALL_DOWN, HERE)
        return
    if takeover.writes:
        CallDownEntry.objects.create(
            **columns,
            contact_id_is_number=isinstance(contact, int),
            contact_type=text(row, "contactType")[:255],
            status=status_named(text(row, "status")) or CallDownEntry.Status.NOT_CALLED,
            last_call_at=moment(row, "lastCallAt"),
        )
    report.add(CALL_DOWN, TAKEN)
