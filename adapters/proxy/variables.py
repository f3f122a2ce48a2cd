"""What the templates of each operation may name: the contract's values under the names of the wire.

What is not known is left out, and so is what is empty: a template that consists of such a name alone drops its member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import (
    AdapterContext,
    Assignee,
    CallLogChange,
    CallLogEntry,
    ContactDraft,
    ContactRef,
    Credentials,
    LogMarker,
    LogRef,
    Message,
    MessageLogChange,
    MessageLogEntry,
    Party,
    PhoneNumber,
    UserProfile,
    last_first,
)

Values = dict[str, Any]

#: Members of a request that go through as they came.
_RAW_CALL = (
    "ringSenseTranscript",
    "ringSenseSummary",
    "ringSenseAIScore",
    "ringSenseBulletedSummary",
    "ringSenseLink",
    "voicemailMessageId",
    "hashedAccountId",
    "isFromSSCL",
)


def known(**values: Any) -> Values:
    """The values that say something; False and 0 do."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], (), {})}


def iso(moment: datetime | None) -> str | None:
    """``2026-05-04T16:31:07.000Z``."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _end(start: datetime | None, duration: int | None) -> str | None:
    """Only a start and a duration together give an end; nothing is made up from the present moment."""
    return None if start is None or duration is None else iso(start + timedelta(seconds=duration))


def common(context: AdapterContext, credentials: Credentials, hostname: str) -> Values:
    """Names that every operation has; they win over the operation's own."""
    user, platform = context.user, context.manifest.name
    secret_key = context.secrets.get(f"{platform.upper()}_SECRET_KEY", "")
    return {
        **known(apiKey=credentials.access_token, secretKey=secret_key),
        "platform": platform,
        "secrets": known(**context.secrets),
        "user": known(
            id=user.id,
            name=user.name,
            email=user.email,
            hostname=hostname,
            timezoneName=user.timezone,
            platform=platform,
            accessToken=credentials.access_token,
            refreshToken=credentials.refresh_token,
            tokenExpiry=iso(credentials.expires_at),
            platformAdditionalInfo=dict(user.extra),
        ),
    }


def phone(number: PhoneNumber) -> Values:
    international = number.international_format
    notations = known(
        input=number.raw,
        e164=number.e164,
        national=number.national_format,
        international=international,
        significant=number.national,
        rfc3966="tel:" + international.replace(" ", "-") if international else "",
    )
    parsed = known(
        valid=number.is_valid,
        possible=number.is_valid,
        regionCode=number.region,
        countryCode=number.country_code or None,
    )
    return known(
        phoneNumber=number.e164 or number.raw,
        parsedPhoneNumber={**parsed, "number": notations},
        phoneFormats=list(number.variants),
        isExtension=number.is_extension,
    )


def new_contact(draft: ContactDraft) -> Values:
    """The name also in two parts: the last word, and what stands before it; ``Smith, John`` is read."""
    before, _, word = draft.name.rpartition(" ")
    first, last = last_first(draft.name) or (before, word)
    return {
        **phone(draft.phone),
        **known(
            newContactName=draft.name,
            newContactFirstName=first.strip(),
            newContactLastName=last,
            newContactType=draft.type,
            additionalSubmission=_form(draft.submission),
        ),
    }


def _contact(contact: ContactRef) -> Values:
    return known(id=contact.id, name=contact.name, phoneNumber=contact.phone, type=contact.type)


def _party(party: Party) -> Values:
    return known(
        name=party.name,
        phoneNumber=party.phone_number,
        extensionNumber=party.extension_number,
        location=party.location,
    )


def _owner(assignee: Assignee | None, user: UserProfile) -> Values:
    """``assigneeId`` where the log is for somebody else; ``ownerId`` in any case."""
    return known(assigneeId=assignee.user_id if assignee else None, ownerId=assignee.user_id if assignee else user.id)


def _form(submission: Mapping[str, Any]) -> Values:
    """The form's fields; "none" is what the extension sends for "nothing chosen"."""
    return {field: None if value == "none" else value for field, value in submission.items()}


def _record(wire: Mapping[str, Any], key: str) -> Values:
    value = wire.get(key)
    return dict(value) if isinstance(value, dict) else {}


def existing(ref: LogRef, name: str) -> Values:
    """The log an operation concerns."""
    contact_id = ref.contact.id if ref.contact else None
    return {
        **known(thirdPartyLogId=ref.log_id, contactId=contact_id),
        name: known(sessionId=ref.marker, thirdPartyLogId=ref.log_id, contactId=contact_id),
    }


def new_call(entry: CallLogEntry, user: UserProfile) -> Values:
    """A call to be written. ``callLog`` is RingCentral's record, its times and numbers brought into one form."""
    call = {
        **known(**{"from": _party(entry.caller), "to": _party(entry.callee)}),
        **_record(entry.wire, "logInfo"),
        **known(
            sessionId=entry.session_id,
            direction=str(entry.direction),
            startTime=iso(entry.started_at),
            result=entry.result,
        ),
    }
    call.pop("duration", None)  # null while the call is not over
    return known(
        **{name: entry.wire.get(name) for name in _RAW_CALL},
        contactInfo=_contact(entry.contact),
        callLog={**call, **known(duration=entry.duration)},
        subject=entry.subject,
        startTime=iso(entry.started_at),
        endTime=_end(entry.started_at, entry.duration),
        note=entry.note,
        composedLogDetails=entry.body,
        additionalSubmission=_form(entry.submission),
        aiNote=entry.ai_note,
        transcript=entry.transcript,
        recordingLink=entry.recording_link,
        voicemailLink=entry.voicemail_link,
        **_owner(entry.assignee, user),
        idempotencyKey=entry.session_id,
    )


def changed_call(ref: LogRef, change: CallLogChange) -> Values:
    """An edit: only what it gives, so that what it does not give stays."""
    return {
        **existing(ref, "existingCallLog"),
        **known(
            **{name: change.wire.get(name) for name in (*_RAW_CALL, "aiNote", "transcript", "legs")},
            existingCallLogDetails=change.current.raw if change.current else None,
            subject=change.subject,
            note=change.note,
            composedLogDetails=change.body,
            startTime=iso(change.started_at),
            endTime=_end(change.started_at, change.duration),
            duration=change.duration,
            result=change.result,
            recordingLink=change.recording_link,
            voicemailLink=change.voicemail_link,
            additionalSubmission=_form(change.submission),
            assigneeId=change.assignee.user_id if change.assignee else None,
        ),
    }


def marker(sought: LogMarker, user: UserProfile) -> Values:
    """A log to be found again."""
    return known(
        marker=sought.marker,
        contactInfo=_contact(sought.contact),
        subject=sought.subject,
        startTime=iso(sought.started_at),
        **_owner(sought.assignee, user),
    )


def _message(message: Message) -> Values:
    return known(
        **{"from": _party(message.sender), "to": [_party(party) for party in message.recipients]},
        id=message.id,
        type=str(message.kind),
        direction=str(message.direction),
        subject=message.text,
        creationTime=iso(message.sent_at),
        messageStatus=message.status,
        faxPageCount=message.fax_page_count,
    )


def _messages(messages: Sequence[Message]) -> Values:
    """All of them, and the newest one with its links."""
    if not messages:
        return {}
    newest = messages[-1]
    return known(
        messages=[_message(message) for message in messages],
        message=_message(newest),
        recordingLink=newest.recording_link,
        faxDocLink=newest.fax_link,
        imageLink=_first_link(newest, "image/"),
        videoLink=_first_link(newest, "video/"),
    )


def _first_link(message: Message, kind: str) -> str:
    return next((file.link for file in message.attachments if file.content_type.startswith(kind) and file.link), "")


def _people(wire: Mapping[str, Any]) -> Values:
    """Who owns a shared conversation and to whom it is assigned."""
    conversation = _record(wire, "logInfo")
    return {
        "ownerName": _record(conversation, "owner").get("name"),
        "assigneeName": _record(conversation, "assignee").get("name"),
    }


def new_conversation(entry: MessageLogEntry, user: UserProfile) -> Values:
    """A conversation day to be written; the body of a shared one also as ``sharedSMSLogContent``."""
    return {
        **_messages(entry.messages),
        **known(
            contactInfo=_contact(entry.contact),
            creationTime=iso(entry.started_at),
            endTime=iso(entry.ended_at),
            subject=entry.subject,
            composedLogDetails=entry.body,
            sharedSMSLogContent={"subject": entry.subject, "body": entry.body} if entry.is_shared else None,
            correspondents=list(entry.correspondents),
            **_people(entry.wire),
            additionalSubmission=_form(entry.submission),
            **_owner(entry.assignee, user),
            conversationLogId=entry.conversation_log_id,
            idempotencyKey=entry.conversation_log_id,
        ),
    }


def more_messages(ref: LogRef, change: MessageLogChange, body: str | None) -> Values:
    """New messages of a day that is there. ``body``: the whole new text."""
    return {
        **existing(ref, "existingMessageLog"),
        **_messages(change.messages),
        **known(
            contactInfo=_contact(change.contact),
            creationTime=iso(change.messages[0].sent_at) if change.messages else None,
            endTime=iso(change.ended_at),
            composedLogDetails=body,
            sharedSMSLogContent={"body": body} if change.is_shared else None,
            **_people(change.wire),
            additionalSubmission=_form(change.submission),
            conversationLogId=ref.marker,
            idempotencyKey="/".join([ref.marker, *(message.id for message in change.messages[-1:])]),
        ),
    }
