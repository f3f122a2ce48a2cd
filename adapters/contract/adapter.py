"""The base class of every adapter: one constructor, one method per operation, a few seams to override."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from adapters.contract.errors import ConnectorError, UnsupportedOperation
from adapters.contract.fan_out import fan_out_outcomes
from adapters.contract.former import AdoptedLogin, FormerLogin, id_of
from adapters.contract.outbound_guard import refusal
from adapters.contract.types import (
    AccountCache,
    CallLogChange,
    CallLogEntry,
    Contact,
    ContactDraft,
    ContactMatches,
    Credentials,
    DirectoryUser,
    Disposition,
    Id,
    LicenseStatus,
    LogFormat,
    LoggedCall,
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    OAuthCallback,
    Options,
    PhoneNumber,
    Reply,
    RouteReply,
    RouteRequest,
    UserProfile,
)
from adapters.contract.wording import says_nothing_of_its_own
from adapters.contract.zones import zone_of

if TYPE_CHECKING:
    from adapters.contract.http import HttpClient
    from adapters.contract.manifest import Manifest
    from adapters.contract.oauth import OAuthApp


@dataclass(frozen=True, kw_only=True)
class AdapterContext:
    """All that an adapter may know besides its HTTP client."""

    manifest: Manifest
    #: The connected user as stored; during login a blank profile that carries only ``hostname``.
    user: UserProfile
    #: During login, and for ``handle_route``: ``Credentials()``.
    credentials: Credentials
    options: Options
    #: Values of the variables the manifest names under ``secrets`` and ``settings``; absent ones are "".
    secrets: Mapping[str, str]
    cache: AccountCache
    #: Public URL of this server, no trailing slash.
    server_url: str = ""
    #: The present moment; adapters read no clock of their own.
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


class CrmAdapter(ABC):
    """One CRM: translation to and from its API. No storage, no clock, no environment, no logging of payloads.

    Every method may raise any ``ConnectorError``. A subclass is called ``Adapter`` and lives in
    ``adapters/<name>/adapter.py``. An optional operation is offered by overriding it *and* naming it in the
    manifest's ``capabilities``.
    """

    log_format = LogFormat.PLAIN
    #: ``strftime`` form of the date in titles of message logs.
    message_title_date = "%y/%m/%d"
    #: While the note holds this text no person has written it, and server-side logging may replace it; None: always.
    auto_log_marker: str | None = None
    #: Whom a log is for where both are given: the administrator's mapping of users, or the token of a connected one.
    mapping_before_token = False
    #: Whether ``find_contacts`` looks for internal extension numbers too; if not, it is never asked for one.
    finds_extensions = False
    #: Whether the adapter maps members of the raw request (``entry.wire``): only then a kept change holds it.
    maps_raw_request = False
    #: Required operations that this CRM cannot do after all: names of methods that raise or find nothing.
    lacking: frozenset[str] = frozenset()

    def __init__(self, *, http: HttpClient, context: AdapterContext) -> None:
        self.http = http.explained_by(self.explain, self.is_own)
        self.context = context
        self.manifest = context.manifest
        self.user = context.user
        self.credentials = context.credentials
        self.options = context.options
        self.secrets = context.secrets
        self.cache = context.cache

    # --- seams of the HTTP client ------------------------------------------------------------------

    @classmethod
    def base_url(cls, context: AdapterContext) -> str:
        """What relative URLs are joined to; default: the manifest's ``base_url``, filled in."""
        hostname = context.credentials.hostname or context.user.hostname
        return context.manifest.base_url(secrets=context.secrets, hostname=hostname)

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """Headers that carry the login; default: a bearer token. Empty credentials give no header."""
        token = context.credentials.access_token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def explain(self, reply: Reply) -> ConnectorError | None:
        """What the adapter makes of an answer, whatever its status; None: the standard table applies.

        Asked for answers of token endpoints, too. A refusal (``RequestRejected``, ``AccessDenied``, ``RecordNotFound``)
        need not be told from a page of a proxy or a passing one: only what ``is_own`` is believed, and 408, 409, 423,
        425, 429, 477 and ``Retry-After`` go before. A refusal for the length of a text is ``BodyTooLong``; the common
        wordings are known without being explained.
        """
        return None

    def is_own(self, reply: Reply) -> bool:
        """Whether the CRM itself wrote an answer, not a proxy, firewall or status page before it.

        Default: JSON that says something, and is no gateway's.
        """
        return reply.is_json and not says_nothing_of_its_own(reply.body)

    # --- login and logout --------------------------------------------------------------------------

    def oauth_app(self, hostname: str) -> OAuthApp:
        """The OAuth application for a host; default: from the manifest's ``auth`` and ``secrets``."""
        return self.manifest.oauth_app(secrets=self.secrets, hostname=hostname, server_url=self.context.server_url)

    def exchange_code(self, callback: OAuthCallback) -> Credentials:
        """Turns the authorisation code into credentials (OAuth CRMs). Checks ``callback.hostname`` first."""
        return self.http.oauth(self.oauth_app(callback.hostname)).exchange(
            code=callback.code, redirect_uri=callback.redirect_uri, hostname=callback.hostname
        )

    def login(self, form: LoginForm) -> Credentials:
        """Turns the login form into credentials (API-key CRMs). No request need be made: ``user_profile`` follows."""
        raise UnsupportedOperation("login by form")

    def refresh(self, credentials: Credentials, *, keep: Callable[[Credentials], None]) -> Credentials:
        """Fresh credentials for expired ones. Called by one process at a time for a user.

        ``keep``: stores intermediate credentials at once, for vendors whose refresh has several steps. Raises
        ``CredentialsRejected(final=True)`` when only a new login helps.
        """
        return self.http.oauth(self.oauth_app(credentials.hostname)).refresh(credentials)

    def after_login(self, credentials: Credentials, previous: Credentials) -> Credentials:
        """What a new login keeps of the user's previous one, which is empty after a logout; default: nothing."""
        return credentials

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        """What a login of another server with the same API is here; no request is made.

        ``allowed``: the hosts that the manifest allows. The default takes the tokens as they are, none of the further
        facts, and no token whose host is not allowed. Raises ``ConnectorError`` where nothing can be made of it.
        """
        is_allowed = not former.hostname or not refusal(f"https://{former.hostname}/", allowed)
        hostname = former.hostname if is_allowed else ""
        needs_host = "{hostname}" in manifest.server.base_url + manifest.server.auth.token_url
        return AdoptedLogin(
            profile=UserProfile(id=id_of(former.user_id), name="", timezone=former.timezone, hostname=hostname),
            credentials=replace(former.credentials, hostname=hostname)
            if is_allowed or not needs_host
            else Credentials(),
        )

    @abstractmethod
    def user_profile(self) -> UserProfile:
        """The user whose credentials these are, as the CRM reports them."""

    @abstractmethod
    def revoke(self) -> None:
        """Makes the credentials useless at the CRM, where it can; called after they are gone here."""

    def validate_session(self) -> bool:
        """Whether the CRM still accepts the login. False only when it really refused; outages raise."""
        raise UnsupportedOperation("session validation")

    def refresh_user(self) -> UserProfile:
        """The user's profile read anew."""
        raise UnsupportedOperation("user refresh")

    # --- contacts ----------------------------------------------------------------------------------

    @abstractmethod
    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """People with this number, hits taken apart by ``sort_hits``. At most two rounds of requests.

        Never called for a withheld number, nor for an extension unless ``finds_extensions`` says so.
        """

    def new_contact_offer(self) -> NewContactOffer | None:
        """The offer to create a contact where nobody could be looked for; None: not offered here.

        Override where the form needs choices. A choice that cannot be read is left out: the call has to be logged.
        """
        return NewContactOffer()

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        """People with this name; ``name`` is not blank."""
        raise UnsupportedOperation("name search")

    @abstractmethod
    def create_contact(self, draft: ContactDraft) -> Contact:
        """Creates a person or company; without a number where ``draft.phone.raw`` is empty."""

    # --- call logs ---------------------------------------------------------------------------------

    @abstractmethod
    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        """Writes a call. Reports ``entry.created(id)`` right after the first record exists."""

    @abstractmethod
    def get_call_log(self, ref: LogRef) -> LoggedCall:
        """Reads a call log. ``RecordNotFound`` when it was deleted in the CRM."""

    def get_call_logs(self, refs: Sequence[LogRef]) -> list[LoggedCall | ConnectorError]:
        """Reads several at once; one outcome per ref, in order.

        Override where the vendor reads by a list of ids, or where ``get_call_log`` fans out itself.
        """
        return fan_out_outcomes(self.get_call_log, refs)

    @abstractmethod
    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        """Changes what ``change`` gives and nothing else. ``change.current`` is the log as just read."""

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """Applies choices made after the call; None when there was nothing to change."""
        raise UnsupportedOperation("dispositions")

    def find_call_log(self, marker: LogMarker) -> Id | None:
        """The id of a call log this server wrote, searched for in the CRM; None: it is not there."""
        raise UnsupportedOperation("finding call logs")

    def complete_call_log(self, log_id: Id, entry: CallLogEntry) -> LogResult:
        """Makes up what may be missing of a log that ``find_call_log`` found: steps that follow the first record.

        Override where ``create_call_log`` has such steps; the default has none. What is there already stays.
        """
        return LogResult(log_id=log_id)

    # --- message logs ------------------------------------------------------------------------------

    @abstractmethod
    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        """Writes a conversation day with all its messages. Reports ``entry.created(id)`` as for calls."""

    @abstractmethod
    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """Adds all new messages in one read and one write, or replaces a shared conversation in one write."""

    def find_message_log(self, marker: LogMarker) -> Id | None:
        """As ``find_call_log``, for a conversation day."""
        raise UnsupportedOperation("finding message logs")

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        """All active users of the CRM account."""
        raise UnsupportedOperation("user list")

    def license_status(self) -> LicenseStatus:
        """Whether the user's licence for this connector is valid."""
        raise UnsupportedOperation("licence status")

    def account_data(self, key: str) -> Any:
        """Account-wide choices for forms, by a key of the manifest's ``account_data``; JSON as the client reads it."""
        raise UnsupportedOperation("account data")

    def server_logging_settings(self) -> Mapping[str, str]:
        """The manifest's ``serverSideLogging.additionalFields`` as stored, by ``const``; secrets as a placeholder."""
        raise UnsupportedOperation("server logging settings")

    def save_server_logging_settings(
        self, fields: Mapping[str, str], *, keep: Callable[[Credentials], None]
    ) -> tuple[Credentials | None, Notice]:
        """The credentials with these fields in them, and what to tell the user; None: refused, nothing changes.

        Called as ``refresh`` is, with the same ``keep``.
        """
        raise UnsupportedOperation("server logging settings")

    def setting_options(self) -> Mapping[str, Any]:
        """Choices for settings with ``dynamicOptions``: setting id -> ``[{"id", "name"}]``.

        Asked for whenever the extension reads the settings: answer from ``self.cache`` while that is fresh.
        """
        return {}

    def zone(self) -> tzinfo:
        """The zone in which times are shown to this user."""
        return zone_of(self.user.timezone)

    def connected_notice(self) -> Notice:
        """What the user is told after login."""
        return Notice(message=f"Connected to {self.manifest.display_name}.", ttl=1000)

    def handle_route(self, name: str, request: RouteRequest) -> RouteReply:
        """Answers a page or hook that the manifest declares under ``routes``; ``name`` is the one given there."""
        raise UnsupportedOperation(name)
