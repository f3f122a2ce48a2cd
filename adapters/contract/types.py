"""The values that pass between Switchboard and an adapter.

Conventions: an id keeps the JSON type the vendor uses (``int`` or ``str``), because the extension
compares ids with ``===``. Times are aware datetimes. Durations are seconds. "Nothing" is ``()`` or
``""``; ``None`` means "unknown" or, in a change, "leave as it is".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

Id = str | int
#: What may stand in ``additionalInfo``: choices of a form field, a flag, a text, or fields per contact type.
Info = Mapping[str, Any]


class LogFormat(StrEnum):
    """The text format a CRM stores log bodies in; CUSTOM: the adapter composes its own."""

    PLAIN = "text/plain"
    HTML = "text/html"
    MARKDOWN = "text/markdown"
    CUSTOM = "custom"


class Direction(StrEnum):
    """Direction of a call or message as RingCentral spells it."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


class MessageKind(StrEnum):
    """What a message is; MMS is an SMS with attachments."""

    SMS = "SMS"
    VOICEMAIL = "Voicemail"
    FAX = "Fax"


class NoticeLevel(StrEnum):
    """The only three levels the extension shows; any other is dropped silently by it."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message for the user; ``details`` are shown as lines below it, ``ttl`` is milliseconds."""

    message: str
    level: NoticeLevel = NoticeLevel.SUCCESS
    ttl: int = 3000
    details: tuple[str, ...] = ()

    def followed_by(self, other: Notice | None) -> Notice:
        """Both in one: the other's message and details become further lines of this one."""
        if other is None:
            return self
        return replace(
            self,
            level=max(self.level, other.level, key=list(NoticeLevel).index),
            ttl=max(self.ttl, other.ttl),
            details=(*self.details, other.message, *other.details),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneNumber:
    """What was dialled, and the forms of it worth searching for. Made by ``contract.phone.parse``.

    A number counts when its country code is known and its length possible, even if its area code is not known.
    """

    #: The number as it came, to be stored where there is no ``e164``. Empty: withheld, or no number at all.
    raw: str
    #: True for an internal extension: only adapters are asked that say ``finds_extensions``.
    is_extension: bool = False
    #: ``+16505551212``; empty when it does not count as a number: a short code, say.
    e164: str = ""
    #: National significant number, digits only: ``6505551212``; the digits as received where there is no ``e164``.
    national: str = ""
    #: As printed inside the country: ``(650) 555-1212``; empty without ``e164``.
    national_format: str = ""
    #: As printed abroad: ``+1 650-555-1212``; empty without ``e164``.
    international_format: str = ""
    #: As dialled in the user's country: ``011 44 20 7946 0106``; empty for a number of that country.
    from_home: str = ""
    #: Calling code (1, 44, ...); 0 without ``e164``.
    country_code: int = 0
    #: ISO country (``US``); empty where the area code is not known to belong to one.
    region: str = ""
    #: The user's own country: numbers written without a country are read as numbers of it, and of this number's.
    home_region: str = "US"
    #: The user's overriding formats with the digits of ``national`` filled in, in the user's order.
    formats: tuple[str, ...] = ()
    #: The digits in which all its notations end: ``("6505551212",)``, for CRMs that find a part of a number. Two for an
    #: Argentine number, which may be stored with 15 behind its area code.
    endings: tuple[str, ...] = ()
    #: E.164 of the same line in older or newer notation: with or without Mexico's 1, or Argentina's 9.
    twins: tuple[str, ...] = ()

    @property
    def is_withheld(self) -> bool:
        """Whether this is nobody's number. ``find_contacts`` is not asked for it, nothing is stored as a number."""
        return not self.raw

    @property
    def is_valid(self) -> bool:
        return bool(self.e164)

    @property
    def variants(self) -> tuple[str, ...]:
        """E.164, national digits, twins and what they end in, then the user's formats; no repeats, no empty texts.

        For CRMs that compare whole texts.
        """
        short = self.endings[:1] if self.twins else ()
        texts = (self.e164, self.national, *self.twins, *short, *self.formats)
        return tuple(dict.fromkeys(text for text in texts if text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option of a form field: ``const`` is what comes back in ``submission``."""

    const: Id
    title: str
    description: str = ""
    #: Further members for the wire, such as ``{"status": "Open"}``.
    extra: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One person or company of the CRM as shown to the user."""

    id: Id
    name: str
    type: str
    phone: str = ""
    title: str = ""
    company: str = ""
    email: str = ""
    created_at: datetime | None = None
    last_activity_at: datetime | None = None
    #: Form field -> tuple of Choice, or a bool or str. Empty tuples are left out on the wire.
    additional_info: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedHit:
    """A record the CRM returned that was not shown, and why; for support, so no name and no number."""

    id: Id
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContactOffer:
    """The "Create new contact..." row under a look-up's results."""

    additional_info: Info = field(default_factory=dict)
    default_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMatches:
    """The result of a look-up."""

    contacts: tuple[Contact, ...] = ()
    #: None: creating a contact is not offered here.
    new_contact: NewContactOffer | None = None
    #: Says what went only half well ("Leads could not be searched ..."); None when all is well.
    notice: Notice | None = None
    dropped: tuple[DroppedHit, ...] = ()
    #: Contacts shown although only the last digits of a number are known to be the same; for support.
    by_ending: tuple[Id, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDraft:
    """What is needed to create a contact; ``type`` is a manifest ``contactTypes[].value`` or empty."""

    name: str
    phone: PhoneNumber
    type: str = ""
    #: Values of the form's ``page.newContact.additionalFields``.
    submission: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRef:
    """The contact a log belongs to, as the client named it; ids may arrive as text even where the vendor uses ints."""

    id: Id
    type: str = ""
    name: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One end of a call or message."""

    name: str = ""
    phone_number: str = ""
    extension_number: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """The CRM user behind a login, as stored."""

    #: The vendor's user id; on the wire ``<id>-<platform>``.
    id: Id
    name: str
    #: The id is a user name as the person typed it: ``Jane`` and ``jane`` are one user.
    id_ignores_case: bool = False
    #: IANA zone name, or ``UTC+05:30`` where the vendor knows only an offset; empty: unknown, taken as UTC.
    timezone: str = ""
    #: Host of the user's CRM, for page links; where the vendor has regions, part of the identity.
    hostname: str = ""
    #: What is part of the identity instead, where the caller claims ``hostname`` and only another host is proven.
    identity_host: str = ""
    #: The tenant as the CRM itself reports it (company, firm, corporation); empty where it names none.
    account_id: str = ""
    email: str = ""
    #: Facts to keep with the user. JSON values only, no secrets.
    extra: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What opens the CRM for one user. Encrypted wherever it is stored."""

    #: OAuth access token, API key, or user key.
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    #: None: does not expire.
    expires_at: datetime | None = None
    #: Host the token belongs to, where the token reply or the login form names one.
    hostname: str = ""
    #: Further values that belong to the login (session token, API base URL ...). JSON values; may be secret.
    extra: Info = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginForm:
    """What the API-key login page submitted: all its fields, ``apiKey`` included."""

    fields: Info = field(repr=False)
    hostname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthCallback:
    """What came back from the CRM's authorisation page, already taken apart.

    ``hostname``, ``fields`` (``tokenUrl``, ``apiUrl``, ``username``, ``location`` ...) come from the
    caller and prove nothing: check them against the manifest's hosts before use.
    """

    code: str = field(repr=False)
    redirect_uri: str
    hostname: str = ""
    fields: Info = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignee:
    """The CRM user a log is to be written for, instead of the connected one."""

    #: The vendor's user id: from the administrator's mapping, or of the user behind an assigned token.
    user_id: str
    #: Profile of that user where they are connected here themselves; same tenant, checked.
    profile: UserProfile | None = None


def _ignore_created(log_id: Id) -> None:
    """Nobody waits for the id before the operation ends."""


def _is_nobodys(log_id: Id) -> bool:
    """No other log is known."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMarker:
    """What identifies a log this server wrote, for finding it again after an uncertain write."""

    #: RingCentral session id of a call, or the conversation-day id of messages.
    marker: str
    contact: ContactRef
    subject: str = ""
    started_at: datetime | None = None
    duration: int | None = None
    assignee: Assignee | None = None
    #: Whether that record is known as another log of this server. Ask where several records look like this one.
    is_anothers: Callable[[Id], bool] = _is_nobodys


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLogEntry:
    """A call to be written into the CRM."""

    session_id: str
    direction: Direction
    contact: ContactRef
    started_at: datetime
    #: Seconds; None while the call is not over ("pending").
    duration: int | None = None
    result: str = ""
    #: Title of the record: the custom subject, else "Inbound Call from <name>" / "Outbound Call to <name>".
    subject: str = ""
    #: Whether the user gave the subject.
    has_custom_subject: bool = False
    #: The composed body in the adapter's ``log_format``; empty for CUSTOM.
    body: str = ""
    note: str = ""
    #: Values of ``page.callLog.additionalFields`` and ``rcAdditionalSubmission``.
    submission: Info = field(default_factory=dict)
    assignee: Assignee | None = None
    caller: Party = field(default_factory=Party)
    callee: Party = field(default_factory=Party)
    recording_link: str = ""
    voicemail_link: str = ""
    ai_note: str = ""
    transcript: str = ""
    #: The request as it came, for adapters that map raw fields (the declarative one). No RingCentral token in it.
    wire: Info = field(default_factory=dict)
    #: Call with the id of the first record as soon as it is known: a later step that fails must not lose it.
    created: Callable[[Id], None] = _ignore_created

    def as_marker(self) -> LogMarker:
        return LogMarker(
            marker=self.session_id,
            contact=self.contact,
            subject=self.subject,
            started_at=self.started_at,
            duration=self.duration,
            assignee=self.assignee,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRef:
    """A log of ours in the CRM. ``log_id`` is text even where the vendor uses ints."""

    log_id: str
    #: Marker the log was written under: session id, or conversation-day id.
    marker: str = ""
    contact: ContactRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """A call log as the CRM shows it now."""

    subject: str = ""
    body: str = ""
    #: The agent's note where the CRM keeps it apart; None: it is read out of ``body``.
    note: str | None = None
    contact_name: str = ""
    started_at: datetime | None = None
    duration: int | None = None
    #: Form field -> chosen value; None or absent: nothing chosen.
    dispositions: Info = field(default_factory=dict)
    #: The vendor's record, sent to the client as ``fullLogResponse``.
    raw: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLogChange:
    """A later edit of a call log; None means: leave as it is."""

    subject: str | None = None
    #: The whole new body, already composed over ``current.body``.
    body: str | None = None
    #: The note as submitted, where one was.
    note: str | None = None
    started_at: datetime | None = None
    duration: int | None = None
    result: str | None = None
    recording_link: str | None = None
    voicemail_link: str | None = None
    submission: Info = field(default_factory=dict)
    assignee: Assignee | None = None
    #: The log as read just before; never None when ``body`` is given.
    current: LoggedCall | None = None
    wire: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """A choice made after the call: form field -> value; an explicit None removes the link."""

    fields: Info
    wire: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message.

    The link never carries a token. The download URL may: it is kept in encrypted deliveries only, and never logged.
    """

    #: ``image/jpeg``, ``text/vcard`` ...; empty where the client named none.
    content_type: str = ""
    #: Page where a person can see or hear it; empty where there is none.
    link: str = ""
    #: For adapters that upload media to the CRM; empty unless the client sent a RingCentral token.
    download_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SMS, MMS, voicemail or fax.

    Links never carry a token. Download URLs may: they are kept in encrypted deliveries only, and never logged.
    """

    id: str
    kind: MessageKind
    direction: Direction
    sent_at: datetime
    #: What was written, or what was said on a voicemail.
    text: str = ""
    #: Who sent it, with the name that goes with the number; empty where the client named nobody.
    sender: Party = field(default_factory=Party)
    recipients: tuple[Party, ...] = ()
    #: Page where a person can listen to the voicemail, or read the fax.
    recording_link: str = ""
    fax_link: str = ""
    #: For adapters that upload faxes to the CRM; empty unless the client sent a RingCentral token.
    fax_download_url: str = field(default="", repr=False)
    fax_page_count: int = 0
    #: Pictures, films and other files, in the order they were sent; not the recording or the fax itself.
    attachments: tuple[Attachment, ...] = ()
    #: RingCentral's word for what became of it: "Received", "Sent", "DeliveryFailed" ...
    status: str = ""
    #: Milliseconds the user typed, where the client measured it.
    typing_duration_ms: int = 0
    #: What the log says of it, where an adapter puts it in other words; None: text, links and attachments.
    wording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLogEntry:
    """A conversation day to be written into the CRM for the first time."""

    #: Identifies conversation + day (+ contact for group messages).
    conversation_log_id: str
    contact: ContactRef
    #: Oldest first. Empty for a shared conversation.
    messages: tuple[Message, ...] = ()
    subject: str = ""
    #: The composed body in the adapter's ``log_format``.
    body: str = ""
    #: Composes the body anew, for adapters that change messages first (upload media, replace links).
    compose: Callable[[Sequence[Message]], str] = lambda messages: ""
    #: True: a shared-inbox conversation, rewritten whole on every change.
    is_shared: bool = False
    #: First message's time, or the shared conversation's creation.
    started_at: datetime
    ended_at: datetime
    #: Names of the participants beside user and contact; "" for an unknown one.
    correspondents: tuple[str, ...] = ()
    submission: Info = field(default_factory=dict)
    assignee: Assignee | None = None
    wire: Info = field(default_factory=dict)
    created: Callable[[Id], None] = _ignore_created

    def as_marker(self) -> LogMarker:
        return LogMarker(
            marker=self.conversation_log_id,
            contact=self.contact,
            subject=self.subject,
            started_at=self.started_at,
            assignee=self.assignee,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLogChange:
    """New messages of a day that is in the CRM already; all of them in one write."""

    contact: ContactRef
    #: New messages, oldest first. Empty for a shared conversation.
    messages: tuple[Message, ...] = ()
    #: ``append(current body, messages) -> new body``, in the adapter's ``log_format``; tolerates any body, even "".
    append: Callable[[str, Sequence[Message]], str] = lambda body, messages: body
    #: The whole new body of a shared conversation; None otherwise.
    body: str | None = None
    is_shared: bool = False
    ended_at: datetime
    submission: Info = field(default_factory=dict)
    wire: Info = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogResult:
    """The outcome of a write. ``notice`` replaces the standard "Call logged" where something is to be said."""

    log_id: Id
    notice: Notice | None = None
    #: What the write referred to and was left out because it is gone ("deal"); "contact": logged without a person.
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryUser:
    """One user of the CRM, for the administrator's mapping of extensions to CRM users."""

    id: Id
    name: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseStatus:
    """What ``GET /licenseStatus`` shows."""

    is_valid: bool
    status: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The user's effective settings: setting id -> value, administrator's overrides already applied."""

    values: Info = field(default_factory=dict)

    def text(self, key: str, default: str = "") -> str:
        """The setting as text; ``default`` when it is unset or empty."""
        value = self.values.get(key)
        return default if value is None or value == "" else str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """The setting as a switch; the words "true" and "false" count in any letter case."""
        value = self.values.get(key)
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        return default


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A vendor's HTTP answer, for the rare adapter that must look at more than the JSON body."""

    status: int
    #: Header names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: Decoded JSON; None when the body is empty or not JSON.
    body: Any = field(repr=False)
    #: The body as text, at most a few kilobytes of it, for ``explain``.
    text: str = field(default="", repr=False)
    #: Whether the body is JSON (an empty one is not).
    is_json: bool = False
    method: str = "GET"
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """A request to a page or hook that only this vendor needs; see ``CrmAdapter.handle_route``."""

    method: str
    query: Info
    #: Decoded JSON or form fields; ``{}`` when there is no body.
    body: Info
    #: Header names in lower case.
    headers: Mapping[str, str]
    #: Public URL of this server, no trailing slash.
    server_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReply:
    """The answer to it, and what is to happen here as its consequence."""

    status: int = 200
    body: str = ""
    content_type: str = "text/html; charset=utf-8"
    #: Texts of the page's own <style> and <script> elements, to the letter: no other inline code runs in a browser.
    inline_code: tuple[str, ...] = ()
    #: Users to forget entirely: credentials, caches, row. The audit trail stays.
    forget: tuple[UserToForget, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserToForget:
    """One connected user, by vendor user id; ``account_id``, where given, must be the stored one."""

    user_id: str
    account_id: str = ""


class AccountCache(Protocol):
    """Small facts that change rarely (activity types, categories, names), kept for all users of a tenant.

    JSON values only. Not for use inside ``fan_out``: read before, write after.
    """

    def get(self, key: str, *, max_age: timedelta) -> Any:
        """The value if it is younger than ``max_age``, else None."""

    def get_stale(self, key: str) -> Any:
        """The value whatever its age, else None: for when a refresh failed."""

    def put(self, key: str, value: Any) -> None:
        """Keep the value from now on."""

    def forget(self, key: str) -> None:
        """The value is no good any more: the CRM refused what stands in it. It does not serve as a stale one either."""

    def only_one(self, key: str) -> AbstractContextManager[None]:
        """Within the block no other request of the tenant is in one with this key: to make what must exist once.

        The others wait; read again inside. Raises ``CrmUnavailable`` when that takes too long.
        """
        return nullcontext()
