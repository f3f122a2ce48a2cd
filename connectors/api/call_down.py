"""The call-down list: whom a user wants to call, when, and why."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.api.envelope import PlainText
from connectors.api.wire import Moment, Text, WireViewSet, operation, token_user
from connectors.models import CallDownEntry
from connectors.services import call_down

_GONE = "This entry is not in your call-down list any more."


class ContactId(serializers.Field[Any, Any, Any, Any]):
    """A CRM's contact id; the extension sends none, or the word ``newContact``, for somebody without a record."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, bool) or not isinstance(data, str | int) or len(str(data)) > 255 or data == "newContact":
            return ""
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class MomentIfReadable(Moment):
    """A time; what cannot be read counts as none: the extension does not tell its user that an entry was refused."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError:
            return None


class CallDownBody(serializers.Serializer[Any]):
    """Body of ``POST /calldown``."""

    contactId = ContactId(required=False, allow_null=True)
    contactType = Text(most=255)
    contactName = Text(most=1000)
    phoneNumber = Text(most=255)
    scheduledAt = MomentIfReadable(required=False, allow_null=True)
    note = Text(most=20_000)


class CallDownChange(CallDownBody):
    """Body of ``PATCH /calldown/<id>``: what is to be changed."""

    status = Text(most=32)
    lastCallAt = MomentIfReadable(required=False, allow_null=True)


_MOMENTS = ("scheduledAt", "lastCallAt")
_COLUMNS = {
    "contactType": "contact_type",
    "contactName": "contact_name",
    "phoneNumber": "phone_number",
    "scheduledAt": "scheduled_at",
    "lastCallAt": "last_call_at",
    "note": "note",
}


def _fields(request: Request, kind: type[CallDownBody]) -> dict[str, Any]:
    """Columns and values of the members that the request holds."""
    body = kind(data=request.data)
    body.is_valid(raise_exception=True)
    sent, given = body.initial_data, body.validated_data
    fields: dict[str, Any] = {}
    for key, column in _COLUMNS.items():
        if key in sent and key not in _MOMENTS:
            fields[column] = given[key] or ""
        elif key in sent and (given[key] or not sent[key]):  # an unreadable time replaces none
            fields[column] = given[key]
    if "contactId" in sent:
        contact = "" if given["contactId"] is None else given["contactId"]
        fields["contact_id"], fields["contact_id_is_number"] = str(contact), isinstance(contact, int)
    if given.get("status"):
        fields["status"] = call_down.status_named(given["status"])
        if fields["status"] is None:
            raise PlainText("Invalid request: status: must be called, scheduled or not called.")
    return fields


def _on_wire(entry: CallDownEntry, wire_id: str) -> dict[str, Any]:
    texts = call_down.texts(entry)
    return {
        "id": entry.id.hex,
        "userId": wire_id,
        "contactId": int(entry.contact_id) if entry.contact_id_is_number else entry.contact_id,
        "contactType": entry.contact_type,
        "contactName": texts["contact_name"],
        "phoneNumber": texts["phone_number"],
        "note": texts["note"],
        "status": entry.status,
        "scheduledAt": entry.scheduled_at,
        "lastCallAt": entry.last_call_at,
        "createdAt": entry.created_at,
        "updatedAt": entry.updated_at,
    }


class CallDownViewSet(WireViewSet):
    """``/calldown`` and ``/calldown/<id>``. The list is ours: it works while the user is signed out of the CRM."""

    @operation("callDown", items=[])
    def find(self, request: Request) -> Response:
        user = token_user(request)
        status = call_down.status_named(request.query_params.get("status", ""))
        entries = call_down.listed(user=user, status=status)
        return Response({"successful": True, "items": [_on_wire(entry, user.wire_id) for entry in entries]})

    @operation("callDown")
    def create(self, request: Request) -> Response:
        user = token_user(request)
        fields = _fields(request, CallDownBody)
        if not any(fields.get(name) for name in ("phone_number", "contact_id", "contact_name")):
            raise PlainText("Invalid request: phoneNumber: whom to call must be said.")
        fields["contact_type"] = fields.get("contact_type") or "contact"
        try:
            entry = call_down.add(user=user, fields=fields)
        except call_down.ListFull:
            raise PlainText(
                "Your call-down list is full. Please delete entries that you do not need any more."
            ) from None
        return Response({"successful": True, "id": entry.id.hex})

    @operation("callDown")
    def update(self, request: Request, entry_id: str) -> Response:
        user = token_user(request)
        fields = _fields(request, CallDownChange)
        if not fields:
            raise PlainText("No valid fields to update")
        try:
            call_down.change(user=user, entry_id=entry_id, fields=fields)
        except call_down.NoSuchEntry:
            raise PlainText(_GONE) from None
        return Response({"successful": True})

    @operation("callDown")
    def remove(self, request: Request, entry_id: str) -> Response:
        try:
            call_down.remove(user=token_user(request), entry_id=entry_id)
        except call_down.NoSuchEntry:
            raise PlainText(_GONE) from None
        return Response({"successful": True})
