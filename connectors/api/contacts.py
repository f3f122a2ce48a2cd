"""Contacts: look-up by number and by name, creation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters import registry
from adapters.contract import Choice, Contact, ContactDraft, ContactMatches, NewContactOffer, NoticeLevel
from connectors.api.envelope import from_notice, return_message
from connectors.api.typed_name import typed_names
from connectors.api.wire import Submission, Text, WireViewSet, connected_user, operation, read
from connectors.services import contacts
from connectors.services.crm_access import require_adapter
from connectors.services.numbers import read_number


class LookUp(serializers.Serializer[Any]):
    """Query of ``GET /contact``."""

    phoneNumber = Text(required=True, allow_null=False, most=100)
    overridingFormat = Text(most=1000, allow_null=False)
    isExtension = Text(most=10, allow_null=False)
    isForceRefreshAccountData = Text(most=10, allow_null=False)


class NameSearch(serializers.Serializer[Any]):
    """Query of ``GET /custom/contact/search``."""

    name = Text(allow_null=False, most=255)


class NewContact(serializers.Serializer[Any]):
    """Body of ``POST /contact``."""

    #: Absent or null where the caller withheld it: JSON has no ``undefined``.
    phoneNumber = Text(most=100)
    newContactName = Text(required=True, allow_null=False, most=255)
    newContactType = Text(allow_null=False, most=64)
    additionalSubmission = Submission()

    def validate_newContactName(self, value: str) -> str:
        if not value.strip():
            raise serializers.ValidationError("must not be empty.")
        return value.strip()


def info_on_wire(info: Mapping[str, Any]) -> dict[str, Any]:
    """``additionalInfo``: the client fails on null members and on empty lists, so those are left out."""
    result: dict[str, Any] = {}
    for key, value in info.items():
        shaped = _shaped(value)
        if shaped not in (None, [], {}):
            result[key] = shaped
    return result


def _shaped(value: Any) -> Any:
    if isinstance(value, Choice):
        members = {"const": value.const, "title": value.title, **value.extra}
        return {**members, "description": value.description} if value.description else members
    if isinstance(value, tuple | list):
        return [_shaped(item) for item in value]
    if isinstance(value, Mapping):
        return info_on_wire(value)
    return value


def contact_on_wire(contact: Contact) -> dict[str, Any]:
    """One contact; optional members only where they are known."""
    optional = {
        "title": contact.title,
        "company": contact.company,
        "organization": contact.company,
        "email": contact.email,
        "createdDate": _iso(contact.created_at),
        "mostRecentActivityDate": _iso(contact.last_activity_at),
    }
    return {
        "id": contact.id,
        "name": contact.name,
        "phone": contact.phone,
        "type": contact.type,
        "additionalInfo": info_on_wire(contact.additional_info),
        **{key: value for key, value in optional.items() if value},
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def offer_on_wire(offer: NewContactOffer) -> dict[str, Any]:
    row = {
        "id": "createNewContact",
        "name": "Create new contact...",
        "isNewContact": True,
        "additionalInfo": info_on_wire(offer.additional_info),
    }
    return {**row, "defaultContactType": offer.default_type} if offer.default_type else row


class ContactViewSet(WireViewSet):
    """``/contact`` and ``/custom/contact/search``."""

    @operation("findContact", contact=[])
    def find(self, request: Request) -> Response:
        user = connected_user(request)
        asked = read(LookUp, request.query_params.dict())
        crm = registry.manifests()[user.platform].display_name
        phone = read_number(
            user,
            asked["phoneNumber"],
            formats=asked["overridingFormat"],
            is_extension=asked["isExtension"].lower() == "true",
        )
        if phone.is_withheld:
            offer = contacts.offer_for_nobody(user=user)
            return Response({**_withheld(crm), "contact": [offer_on_wire(offer)] if offer else []})
        if phone.is_extension and not require_adapter(user.platform).finds_extensions:
            return Response(_nobody(asked["phoneNumber"], crm, successful=False))

        def render(matches: ContactMatches) -> dict[str, Any]:
            rows = [contact_on_wire(contact) for contact in matches.contacts]
            if matches.new_contact:
                rows.append(offer_on_wire(matches.new_contact))
            if matches.notice:
                return {"successful": True, "returnMessage": from_notice(matches.notice), "contact": rows}
            if not matches.contacts:
                return {**_nobody(phone.e164 or phone.raw, crm, successful=True), "contact": rows}
            return {"successful": True, "returnMessage": None, "contact": rows}

        force = asked["isForceRefreshAccountData"].lower() == "true"
        return Response(contacts.find_contacts(user=user, phone=phone, force=force, render=render))

    @operation("createContact", contact={})
    def create(self, request: Request) -> Response:
        user = connected_user(request)
        given = read(NewContact, request.data)
        draft = ContactDraft(
            name=given["newContactName"],
            phone=read_number(user, given["phoneNumber"] or ""),
            type=given["newContactType"],
            submission=given["additionalSubmission"] or {},
        )
        contact = contacts.create_contact(user=user, draft=draft, render=contact_on_wire)
        return Response(
            {
                "successful": True,
                "returnMessage": return_message("Contact created.", NoticeLevel.SUCCESS, 2000),
                "contact": contact,
            }
        )

    @operation("findContactWithName", contact=[])
    def search(self, request: Request) -> Response:
        user = connected_user(request)
        names = []
        for typed in typed_names(request):
            asked = read(NameSearch, {"name": typed})
            names += [text for text in (asked["name"].strip(),) if text and text not in names]
        name = names[0] if names else ""
        matches = contacts.find_contacts_by_name(user=user, names=names) if names else ContactMatches()
        if matches.notice:
            message = from_notice(matches.notice)
        elif not matches.contacts:
            message = return_message(f"No contact found with name {name} ")
        else:
            count = len(matches.contacts)
            message = return_message(f"Found {count} contact{'s' * (count > 1)}", NoticeLevel.SUCCESS, 3000)
        return Response(
            {
                "successful": True,
                "returnMessage": message,
                "contact": [contact_on_wire(contact) for contact in matches.contacts],
            }
        )


def _withheld(crm: str) -> dict[str, Any]:
    """Said as "not found", which the client shows beside its form, so that the call can be logged."""
    line = f"The call has no number to look for in your {crm} account. Choose or create the contact to log it for."
    return {"successful": True, "returnMessage": return_message("Contact not found", details={"Details": [line]})}


def _nobody(number: str, crm: str, *, successful: bool) -> dict[str, Any]:
    return {
        "successful": successful,
        "returnMessage": return_message(
            "Contact not found",
            details={
                "Details": [f"A contact with the phone number {number} could not be found in your {crm} account."]
            },
        ),
        "contact": [],
    }
