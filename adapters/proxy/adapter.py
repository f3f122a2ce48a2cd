"""Runs any ``definition.json`` through the contract; knows no particular CRM.

What cannot be said in a definition (several dependent requests, a refresh of its own, signatures, XML) needs an
``adapter.py``. ``docs/declarative-adapters.md`` is the reference of the format.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeVar

from adapters.contract import (
    AdapterContext,
    AdoptedLogin,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    DirectoryUser,
    Dispensable,
    Disposition,
    FormerLogin,
    HttpClient,
    Id,
    LicenseStatus,
    LogFormat,
    LoggedCall,
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    Manifest,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    OAuthCallback,
    PhoneNumber,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnsupportedOperation,
    UserProfile,
    dig,
    fan_out,
    is_deleted,
    log_written,
    parse_phone,
    precondition,
    readable,
    require,
    require_id,
    send_without_gone,
)
from adapters.proxy import variables
from adapters.proxy.contacts import contacts_of, contacts_with_number
from adapters.proxy.definition import Definition, Operation
from adapters.proxy.profile import (
    blank_fields,
    host_of,
    kept_profile,
    plain_host,
    profile_kept_in,
    profile_of,
    welcome_of,
)
from adapters.proxy.reading import moment, name_at, optional, place, seconds, table, text, written_text
from adapters.proxy.refusals import CHOICE
from adapters.proxy.schema import SIGN_IN
from adapters.proxy.sending import Sender

T = TypeVar("T")

#: All that was chosen in the form: the code of a refusal does not say which choice is gone.
_CHOICE = Dispensable(
    what=CHOICE,
    without=lambda own: {**own, **{name: {} for name in ("additionalSubmission", "dispositions") if own.get(name)}},
    noun="record chosen in the form",
)


class DeclarativeAdapter(CrmAdapter):
    """The operations of a definition; ``loading.for_definition`` makes the class for one."""

    definition: ClassVar[Definition]
    _welcome = ""

    maps_raw_request = True

    def __init__(self, *, http: HttpClient, context: AdapterContext) -> None:
        super().__init__(http=http, context=context)
        self._operations = self.definition.operations
        self._sender = self._sender_for(context.credentials)

    # --- seams of the HTTP client ------------------------------------------------------------------

    @classmethod
    def base_url(cls, context: AdapterContext) -> str:
        return context.manifest.base_url(secrets=context.secrets, hostname=host_of(context))

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """None for the client: an operation may have a login of its own, so each request carries its header."""
        return {}

    def explain(self, reply: Reply) -> ConnectorError | None:
        """The standard table's verdict in the CRM's own words, and refusals that come with a 2xx."""
        return self.definition.refusals.meaning(reply)

    def _sender_for(self, credentials: Credentials) -> Sender:
        common = variables.common(self.context, credentials, host_of(self.context))
        return Sender(self.http, self.definition, common, self._prepared_auth(credentials.access_token))

    def _prepared_auth(self, token: str) -> str:
        """The header's value where no template says otherwise: a bearer token, or the key as user name of Basic."""
        if not token:
            return ""
        if self.manifest.server.auth.type == "oauth":
            return f"{self.definition.auth.scheme or 'Bearer'} {token}"
        return "Basic " + base64.b64encode(f"{token}:".encode()).decode()

    def _operation(self, name: str) -> Operation:
        if name not in self._operations:
            raise UnsupportedOperation(reason=f"the definition has no {name}")
        return self._operations[name]

    # --- login and logout --------------------------------------------------------------------------

    def exchange_code(self, callback: OAuthCallback) -> Credentials:
        return super().exchange_code(replace(callback, hostname=plain_host(callback.hostname)))

    def login(self, form: LoginForm) -> Credentials:
        """The key that was typed, or the one the CRM gives for what was typed."""
        key = str(form.fields.get("apiKey") or "").strip()
        credentials = Credentials(access_token=key, hostname=plain_host(form.hostname))
        mapping = self._operation("getUserInfo").mapping
        if not self.definition.signs_in_with_form:
            if not key:
                raise CredentialsRejected("Please enter an API key.")
            return credentials
        requests = [self._operations[name] for name in SIGN_IN if name in self._operations]
        if blank := blank_fields(self.manifest, requests, form.fields):
            raise RequestRejected(f"Please fill in: {', '.join(blank)}.")
        credentials, answer, url = self._user_info(credentials, dict(form.fields))
        profile = profile_of(answer, mapping, url=url)
        return replace(credentials, extra=kept_profile(profile, welcome_of(answer, mapping)))

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        """Templates may name any of the facts (``user.platformAdditionalInfo``), so all are kept."""
        found = super().adopt(former, manifest=manifest, allowed=allowed)
        profile = replace(found.profile, extra=dict(former.facts))
        return replace(found, profile=profile, used=frozenset(former.facts))

    def user_profile(self) -> UserProfile:
        """Read at sign-in where that needs the form, else now."""
        return profile_kept_in(self.credentials) or self.refresh_user()

    def refresh_user(self) -> UserProfile:
        _, answer, url = self._user_info(self.credentials, {})
        mapping = self._operation("getUserInfo").mapping
        self._welcome = welcome_of(answer, mapping)
        return profile_of(answer, mapping, url=url)

    def _user_info(self, credentials: Credentials, fields: dict[str, Any]) -> tuple[Credentials, dict[str, Any], str]:
        """Signs in: the credentials, with the key that the CRM gave; the answer, and the address it came from.

        Where the definition has ``signIn``, its answer is known to the second request as ``signIn``.
        """
        hostname = host_of(self.context)
        own = variables.known(hostname=hostname, userEmail=fields.get("userEmail"), additionalInfo=fields)
        if "signIn" in self._operations:
            credentials, answer, _ = self._signed_in("signIn", credentials, own)
            own["signIn"] = answer["body"]
        return self._signed_in("getUserInfo", credentials, own)

    def _signed_in(
        self, name: str, credentials: Credentials, own: dict[str, Any]
    ) -> tuple[Credentials, dict[str, Any], str]:
        """Sends one request of the sign-in, with the key known so far."""
        operation = self._operation(name)
        reply = self._sender_for(credentials).send(operation, own)
        answer = {**own, "platform": self.manifest.name, "body": reply.body}
        if path := operation.mapping.get("overridingApiKeyPath"):
            credentials = replace(credentials, access_token=_key_at(answer, path))
        return credentials, answer, reply.url

    def connected_notice(self) -> Notice:
        welcome = self._welcome or self.credentials.extra.get("welcome")
        return Notice(message=str(welcome), ttl=1000) if welcome else super().connected_notice()

    def revoke(self) -> None:
        """The definition's own request, else the manifest's ``revoke_url``; without either there is nothing to do."""
        if "unAuthorize" in self._operations:
            self._sender.send(self._operations["unAuthorize"], {})
        elif self.manifest.server.auth.type == "oauth":
            token = self.credentials.refresh_token or self.credentials.access_token
            self.http.oauth(self.oauth_app(host_of(self.context))).revoke(token)

    def validate_session(self) -> bool:
        try:
            self._sender.send(self._operation("validateSession"), {})
        except CredentialsRejected:
            return False
        return True

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """One request for each notation of the number that is asked for, all together: mostly one."""
        offer = self.new_contact_offer()
        operation = self._operations.get("findContact")
        if operation is None:
            return ContactMatches(new_contact=offer)
        if operation.for_each_format:
            each = [{**variables.phone(phone), "phoneFormat": form} for form in phone.variants]
        else:  # of a Mexican or Argentine number the older or newer notation too
            twins = [parse_phone(twin, home_region=phone.home_region) for twin in phone.twins]
            each = [variables.phone(number) for number in (phone, *twins)]
        pages = fan_out(lambda own: self._sender.list(operation, own), each)
        rows = [row for page in pages for row in page.rows]
        matches = contacts_with_number(rows, operation.mapping.get("item", {}), phone)
        return replace(matches, new_contact=offer, notice=_cut_notice(any(page.is_cut for page in pages)))

    def new_contact_offer(self) -> NewContactOffer | None:
        return NewContactOffer() if "createContact" in self._operations else None

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        operation = self._operation("findContactWithName")
        page = self._sender.list(operation, {"name": name})
        found = contacts_of(page.rows, operation.mapping.get("item", {}))
        return replace(found, notice=_cut_notice(page.is_cut))

    def create_contact(self, draft: ContactDraft) -> Contact:
        operation = self._operation("createContact")
        answer = {"body": self._sender.send(operation, variables.new_contact(draft)).body}
        mapping = operation.mapping
        return Contact(
            id=require_id(answer, place(mapping.get("idPath", "body.id"))),
            name=name_at(answer, {"namePath": ["body.name"], **mapping}, draft.name),
            type=text(answer, mapping.get("typePath", "body.type"), draft.type or "Contact"),
            phone=draft.phone.e164 or draft.phone.raw,
        )

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        return self._create("createCallLog", variables.new_call(entry, self.user), entry.created)

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        """The note is read out of the body, unless the definition says that it stands apart."""
        operation = self._operation("getCallLog")
        body = self._sender.send(operation, variables.existing(ref, "existingCallLog")).body
        answer, mapping = {"body": body}, operation.mapping
        body_path = mapping.get("fullBodyPath", "body.note")
        note_path = mapping.get("notePath", body_path)
        is_apart = note_path != body_path or self.log_format is LogFormat.CUSTOM
        return LoggedCall(
            subject=optional(lambda: text(answer, mapping.get("subjectPath", "body.subject")), ""),
            body=_body_of_living(answer, body_path),
            note=text(answer, note_path) if is_apart else None,
            contact_name=optional(lambda: name_at(answer, mapping, key="contactNamePath"), ""),
            started_at=_at(mapping, "startTimePath", partial(moment, answer)),
            duration=_at(mapping, "durationPath", partial(seconds, answer, unit=mapping.get("durationUnit"))),
            dispositions={field: _choice(answer, path) for field, path in mapping.get("dispositions", {}).items()},
            raw=body,
        )

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        return self._change("updateCallLog", ref, variables.changed_call(ref, change)) or LogResult(log_id=ref.log_id)

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        own = {**variables.existing(ref, "existingCallLog"), "dispositions": dict(disposition.fields)}
        return self._change("upsertCallDisposition", ref, own)

    def find_call_log(self, marker: LogMarker) -> Id | None:
        return self._found("findCallLog", marker)

    def _create(self, name: str, own: dict[str, Any], created: Callable[[Id], None]) -> LogResult:
        operation = self._operation(name)
        reply, left_out = send_without_gone(lambda values: self._sender.send(operation, values), own, [_CHOICE])
        log_id = require_id({"body": reply.body}, place(operation.mapping.get("idPath", "body.id")))
        created(log_id)
        return log_written(log_id, "Logged", left_out, crm=self.manifest.display_name)

    def _change(self, name: str, ref: LogRef, own: dict[str, Any]) -> LogResult | None:
        """None, and no request, where nothing of the body is known."""
        operation = self._operation(name)
        if self._sender.changes_nothing(operation, own):
            return None

        def send(values: dict[str, Any]) -> None:
            if not self._sender.changes_nothing(operation, values):
                self._sender.send(operation, values)

        _, left_out = send_without_gone(send, own, [_CHOICE])
        return log_written(ref.log_id, "Updated", left_out, crm=self.manifest.display_name)

    def _found(self, name: str, marker: LogMarker) -> Id | None:
        operation = self._operation(name)
        mapping = operation.mapping
        try:
            reply = self._sender.send(operation, variables.marker(marker, self.user))
        except RecordNotFound:
            return None
        for row in table({"body": reply.body}, mapping["listPath"]):
            if is_deleted(row):
                continue
            if "markerPath" not in mapping or text(row, mapping["markerPath"]) == marker.marker:
                return require_id(row, place(mapping.get("idPath", "id")))
        return None

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        return self._create("createMessageLog", variables.new_conversation(entry, self.user), entry.created)

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """Composes on what stands in the CRM now, where the definition can read it."""
        body = change.body
        if body is None and "getMessageLog" in self._operations:
            operation = self._operations["getMessageLog"]
            with precondition(reads_the_record=True):
                reply = self._sender.send(operation, variables.existing(ref, "existingMessageLog"))
                path = operation.mapping.get("fullBodyPath", "body.note")
                present = _body_of_living({"body": reply.body}, path)
            body = change.append(present, change.messages)
        own = variables.more_messages(ref, change, body)
        return self._change("updateMessageLog", ref, own) or LogResult(log_id=ref.log_id)

    def find_message_log(self, marker: LogMarker) -> Id | None:
        return self._found("findMessageLog", marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        operation = self._operation("getUserList")
        mapping = operation.mapping

        def user_of(row: dict[str, Any]) -> DirectoryUser:
            return DirectoryUser(
                id=require_id(row, place(mapping.get("idPath", "id"))),
                name=optional(lambda: name_at(row, {"namePath": ["name"], **mapping}), ""),
                email=optional(lambda: text(row, mapping.get("emailPath", "email")), ""),
            )

        return tuple(readable(self._sender.list(operation, {}).rows, user_of)[0])

    def license_status(self) -> LicenseStatus:
        """Valid and ``Basic`` where the definition asks nobody: what the published server answers for one."""
        if "getLicenseStatus" not in self._operations:
            return LicenseStatus(is_valid=True, status="Basic")
        operation = self._operation("getLicenseStatus")
        answer = {"body": self._sender.send(operation, variables.known(userId=self.user.id)).body}
        mapping = operation.mapping
        return LicenseStatus(
            is_valid=require(answer, place(mapping.get("isLicenseValidPath", "body.isLicenseValid")), bool),
            status=text(answer, mapping.get("licenseStatusPath", "body.licenseStatus")),
            description=text(answer, mapping.get("licenseStatusDescriptionPath", "body.licenseStatusDescription")),
        )


def _key_at(answer: dict[str, Any], path: str) -> str:
    key = text(answer, path)
    if not key:
        raise CredentialsRejected(reason=f"the CRM gave no key at '{path}'")
    return key


def _body_of_living(answer: dict[str, Any], path: str) -> str:
    """The body of a record. Raises ``RecordNotFound`` where what holds it says that it was deleted."""
    parts = path.split(".")
    holders = (dig(answer, ".".join(parts[:end]), dict, {}) for end in range(1, len(parts)))
    if any(is_deleted(holder) for holder in holders):
        raise RecordNotFound("This record was deleted in the CRM.")
    return written_text(answer, path)


def _at(mapping: Mapping[str, Any], key: str, read: Callable[[str], T]) -> T | None:
    """What stands at the mapping's path; None where it names none, or what is there cannot be read."""
    return optional(lambda: read(mapping[key]), None) if key in mapping else None


def _choice(answer: dict[str, Any], path: str) -> Any:
    """The id chosen in a form field; None: nothing chosen."""
    return require(answer, place(path), object) if text(answer, path) else None


def _cut_notice(is_cut: bool) -> Notice | None:
    if not is_cut:
        return None
    return Notice(message="The CRM found more contacts than are shown; please narrow the search.", ttl=5000)
