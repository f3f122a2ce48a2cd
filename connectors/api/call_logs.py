"""Call logs: create, look up, edit, disposition, and the note kept for later."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters import registry
from adapters.contract import (
    CallLogChange,
    CallLogEntry,
    ContactRef,
    Direction,
    NoticeLevel,
    Party,
)
from connectors.api.authentication import user_of_token
from connectors.api.envelope import PlainText, from_error, from_notice, return_message
from connectors.api.shown import CallWay, Link, LongText, Media, PartyField, Seconds, Shown, journey, seconds
from connectors.api.wire import (
    Key,
    Moment,
    RecordId,
    Submission,
    Text,
    WireViewSet,
    connected_user,
    operation,
    read,
    without_tokens,
)
from connectors.deliveries.changes import CallEdit, CallIdentity, CallSubmission
from connectors.log_body import CallDetails
from connectors.log_body.signs import bare
from connectors.models import CrmUser
from connectors.services import call_logs
from connectors.services.identity import claim_extension, hashed
from connectors.services.settings import claim_account

_SERVER_SIDE = "SSCL"


class CallRecord(serializers.Serializer[Any]):
    """``logInfo``: the RingCentral call record."""

    id = Text(most=128)
    sessionId = Text(most=128)
    telephonySessionId = Text(most=128)
    direction = CallWay()
    startTime = Moment()
    duration = Seconds()
    result = Shown(most=255)
    recording = Media()
    voicemail = Media()
    legs = journey()
    customSubject = Shown(most=1000)
    extensionNumber = Text(most=64)
    hashedExtensionId = Text(most=128)
    rcExtensionId = Text(most=64)
    accountId = Text(most=64)

    def get_fields(self) -> Any:
        return {**super().get_fields(), "from": PartyField(), "to": PartyField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not (attrs.get("sessionId") or attrs.get("telephonySessionId") or attrs.get("id")):
            raise serializers.ValidationError({"sessionId": "is required."})
        return attrs


class Extras(serializers.Serializer[Any]):
    """What creation and edit of a log have in common."""

    aiNote = LongText()
    transcript = LongText()
    ringSenseTranscript = LongText()
    ringSenseSummary = LongText()
    ringSenseAIScore = Shown(most=100)
    ringSenseBulletedSummary = LongText()
    ringSenseLink = Link()
    voicemailLink = Link()
    additionalSubmission = Submission()
    extensionNumber = Text(most=64)
    hashedExtensionId = Text(most=128)
    rcExtensionId = Text(most=64)


class NewCallLog(Extras):
    """Body of ``POST /callLog``."""

    logInfo = CallRecord()
    contactId = RecordId(required=False, allow_null=True, default=None)
    contactType = Text(most=64)
    contactName = Shown(most=255)
    note = LongText()


class CallLogEdit(Extras):
    """Body of ``PATCH /callLog``; an absent member is left alone."""

    sessionId = Key(most=128)
    note = LongText()
    subject = Shown(most=1000)
    startTime = Moment(required=False, allow_null=True, default=None)
    duration = Seconds()
    result = Shown(most=255)
    direction = CallWay()
    recordingLink = Link()
    accountId = Text(most=64)
    legs = journey()

    def get_fields(self) -> Any:
        return {**super().get_fields(), "from": PartyField(), "to": PartyField()}


def extension_of(user: CrmUser, request: Request, *sources: Any) -> str:
    """The user's extension as a hashed id, "" where none is known.

    A user has one: what a field or header of a request says counts only until it is known, so that the same call is
    found again whatever the next request carries. Logging on the server acts for several people under one login, and
    names each.
    """
    said = _said_extension(request, *sources)
    if _is_server_side(request):
        return said or user.hashed_rc_extension_id
    if user.hashed_rc_extension_id or not said:
        return user.hashed_rc_extension_id
    return claim_extension(user, said)


def _said_extension(request: Request, *sources: Any) -> str:
    for key in ("hashedExtensionId", "rcExtensionId"):
        for source in sources:
            if value := source.get(key):
                return hashed(value) if key == "rcExtensionId" else str(value)
    return request.headers.get("rc-extension-id", "")[:128]


def _extras(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "voicemail_link": given["voicemailLink"],
        "ai_note": given["aiNote"],
        "transcript": given["transcript"],
        "ring_sense_transcript": given["ringSenseTranscript"],
        "ring_sense_summary": given["ringSenseSummary"],
        "ring_sense_score": given["ringSenseAIScore"],
        "ring_sense_bulleted_summary": given["ringSenseBulletedSummary"],
        "ring_sense_link": given["ringSenseLink"],
    }


def _member(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None


def _duration(source: Any) -> dict[str, Any]:
    """As it is printed: null as 0 seconds; absent or unreadable, not at all."""
    given = _member(source, "duration")
    if given is not None and given != "pending":
        given = seconds(given)
        return {"has_duration": given is not None, "duration": given}
    return {"has_duration": isinstance(source, dict) and "duration" in source, "duration": given}


def _details(source: dict[str, Any], raw: Any, given: dict[str, Any], **members: Any) -> CallDetails:
    """``source``: where the request tells of the call itself, and ``raw``: the same as it came."""
    return CallDetails(
        direction=source["direction"],
        caller=source["from"],
        callee=source["to"],
        started_at=source["startTime"],
        result=source["result"],
        legs=source["legs"],
        **_duration(raw),
        **{**_extras(given), **members},
    )


def _claim_account(user: CrmUser, request: Request, account_id: str | None) -> None:
    """Server-side logging sends no headers, but the account's id as it is."""
    if account_id and not request.headers.get("rc-account-id"):
        claim_account(user, hashed(account_id))


def _assigned_user(user: CrmUser, submission: dict[str, Any]) -> CrmUser | None:
    """The colleague an administrator chose to log for. A token of another tenant or platform counts for nothing."""
    token = submission.get("adminAssignedUserToken")
    found = user_of_token(token) if isinstance(token, str) and token else None
    if found is None or (found[0].platform, found[0].owner) != (user.platform, user.owner):
        return None
    return found[0]


def _default_subject(direction: Direction, contact: ContactRef, other: Party) -> str:
    """``Inbound Call from Pat Lee``; with nothing behind it where nobody knows whom the call was with."""
    extension = f"ext {other.extension_number}" if other.extension_number else ""
    who = next((text for text in (contact.name, other.phone_number, extension) if bare(text).strip()), "")
    what, where = ("Inbound Call", "from") if direction is Direction.INBOUND else ("Outbound Call", "to")
    return f"{what} {where} {who}" if who else what


class CallLogViewSet(WireViewSet):
    """``/callLog``."""

    @operation("createCallLog")
    def create(self, request: Request) -> Response:
        user = connected_user(request)
        given = read(NewCallLog, request.data)
        info, submission = given["logInfo"], given["additionalSubmission"] or {}
        direction = info["direction"] or Direction.OUTBOUND  # as the client takes it: all that is not inbound
        caller, callee = info["from"], info["to"]
        other = caller if direction is Direction.INBOUND else callee
        phone = other.phone_number
        if given["contactId"] in (None, "", 0):
            message = return_message(f"Contact not found for number {phone}")
            return Response({"successful": False, "returnMessage": message})
        contact = ContactRef(
            id=given["contactId"], type=given["contactType"] or "", name=given["contactName"] or "", phone=phone
        )
        default_subject = _default_subject(direction, contact, other)
        recording, voicemail = info["recording"], given["voicemailLink"] or info["voicemail"]
        session_id = info["sessionId"] or info["telephonySessionId"] or info["id"]
        duration = info["duration"]
        _claim_account(user, request, info["accountId"])
        colleague = _assigned_user(user, submission)
        entry = CallLogEntry(
            session_id=session_id,
            direction=direction,
            contact=contact,
            started_at=info["startTime"],
            duration=None if duration is None else round(duration),
            result=info["result"] or "",
            subject=info["customSubject"] or default_subject,
            has_custom_subject=bool(info["customSubject"]),
            note=given["note"] or "",
            submission=without_tokens(submission),
            assignee=call_logs.assignee_of(user=user, submission=submission, assigned_user=colleague),
            caller=caller,
            callee=callee,
            recording_link=recording,
            voicemail_link=voicemail,
            ai_note=given["aiNote"] or "",
            transcript=given["transcript"] or "",
            wire=without_tokens(request.data),
        )
        details = _details(
            info,
            _member(request.data, "logInfo"),
            given,
            note=entry.note,
            session_id=session_id,
            subject=info["customSubject"],
            contact_number=phone,
            recording_link=recording,
            voicemail_link=voicemail,
        )
        identity = CallIdentity(
            session_id=session_id,
            extension=extension_of(user, request, given, info),
            telephony_session_id=info["telephonySessionId"] or info["id"] or "",
        )
        result = call_logs.create_call_log(
            user=user,
            assigned_user=colleague,
            submission=CallSubmission(
                identity=identity, entry=entry, details=details, is_server_side=_is_server_side(request)
            ),
        )
        logged = return_message("Call logged", NoticeLevel.SUCCESS, 2000)
        reply = {"successful": True, "returnMessage": from_notice(result.notice) if result.notice else logged}
        return Response({**reply, "logId": result.log_id} if result.log_id != "" else reply)

    @operation("getCallLog", logs=[])
    def find(self, request: Request) -> Response:
        user = connected_user(request)
        given = request.query_params
        named = (item.strip() for item in given.get("sessionIds", "").split(","))
        session_ids = list(dict.fromkeys(item for item in named if item))
        if not session_ids:
            missing = return_message("No session ids were given.", ttl=3000)
            return Response({"successful": False, "logs": [], "returnMessage": missing})
        if any(len(item) > 128 for item in session_ids):
            raise PlainText("Invalid request: sessionIds: an id is too long.")
        details = given.get("requireDetails") == "true"
        extension = extension_of(user, request, given)
        found = call_logs.find_logs(user=user, session_ids=session_ids, extension=extension, with_details=details)
        failed = [item for item in found if item.error]
        message: dict[str, Any] | None = _handed_back(sum(item.is_handed_back for item in found))
        if failed and failed[0].error:
            crm = registry.manifests()[user.platform].display_name
            message = from_error(failed[0].error, operation=self.operation, crm=crm)
        return Response(
            {"successful": True, "logs": [_session_on_wire(item) for item in found], "returnMessage": message}
        )

    @operation("updateCallLog")
    def update(self, request: Request) -> Response:
        user = connected_user(request)
        given = read(CallLogEdit, request.data)
        submission = given["additionalSubmission"] or {}
        duration = given["duration"]
        _claim_account(user, request, given["accountId"])
        change = CallLogChange(
            subject=given["subject"] or None,
            note=given["note"] or None,
            started_at=given["startTime"],
            duration=None if duration is None else round(duration),
            result=given["result"] or None,
            recording_link=given["recordingLink"] or None,
            voicemail_link=given["voicemailLink"] or None,
            submission=without_tokens(submission),
            assignee=call_logs.assignee_of(
                user=user, submission=submission, assigned_user=_assigned_user(user, submission)
            ),
            wire=without_tokens(request.data),
        )
        details = _details(
            given,
            request.data,
            given,
            note=given["note"],
            session_id=given["sessionId"],
            subject=given["subject"],
            recording_link=given["recordingLink"],
        )
        edit = CallEdit(
            identity=CallIdentity(session_id=given["sessionId"], extension=extension_of(user, request, given)),
            change=change,
            details=details,
            is_server_side=_is_server_side(request),
        )
        try:
            update = call_logs.update_call_log(user=user, edit=edit)
        except call_logs.NotLogged:
            message = return_message(f"No log found for session {given['sessionId']}", ttl=3000)
            return Response({"successful": False, "returnMessage": message})
        notice = update.result.notice
        updated = return_message("Call log updated.", NoticeLevel.SUCCESS, 2000)
        return Response(
            {
                "successful": True,
                "logId": str(update.log_id),
                "updatedNote": update.body,
                "returnMessage": from_notice(notice) if notice else updated,
            }
        )


def _handed_back(number: int) -> dict[str, Any] | None:
    """The word about calls that support could not bring into the CRM; None: there are none."""
    if not number:
        return None
    what = "1 call was" if number == 1 else f"{number} calls were"
    return return_message(f"{what} not logged. Please log again; your note is kept.", NoticeLevel.WARNING, 10_000)


def _is_server_side(request: Request) -> bool:
    return request.headers.get("User-Agent") == _SERVER_SIDE


def _session_on_wire(item: call_logs.LoggedSession) -> dict[str, Any]:
    # A log that cannot be read, even one deleted in the CRM, is matched: the client would log the call again.
    if item.log is None:
        return {"sessionId": item.session_id, "matched": False}
    row: dict[str, Any] = {
        "sessionId": item.session_id,
        "matched": True,
        "logId": item.log.wire_log_id(),
        "contact": {"id": item.log.wire_contact_id()},
    }
    if item.call:
        row["logData"] = {
            "subject": item.subject,
            "note": item.note,
            "fullBody": item.call.body,
            "fullLogResponse": item.call.raw,
            "contactName": item.call.contact_name,
            "dispositions": dict(item.call.dispositions),
        }
    return row
