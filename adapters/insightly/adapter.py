"""The Insightly adapter: each operation as requests to API v3.1."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

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
    Id,
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
    PhoneNumber,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
    UserProfile,
    dig,
    fan_out_outcomes,
    id_of,
    is_deleted,
    log_written,
    natural_name,
    precondition,
    readable,
    require_id,
    rows,
    send_without_gone,
    without_keys,
)
from adapters.insightly import events, hosts, links, people, replies
from adapters.insightly.lookup import CREATED_MAX_AGE, Lookup, created_key, name_key
from adapters.insightly.people import KINDS, Kind
from adapters.insightly.zones import iana_name

#: The vendor's largest page.
PAGE = 500
_USER_PAGES = 20
_FIND_PAGES = 4


_OWNER = Dispensable(what="owner", noun="assigned user", without=without_keys("OWNER_USER_ID"))


class Adapter(CrmAdapter):
    """Contacts and leads are the people; call and message logs are events linked to them, in plain text."""

    log_format = LogFormat.PLAIN

    # --- seams of the HTTP client ------------------------------------------------------------------

    @classmethod
    def base_url(cls, context: AdapterContext) -> str:
        """The API of the pod that the user's key belongs to, as entered at login and checked again here."""
        api_url = dig(context.credentials.extra, "apiUrl", str, "")
        version = context.secrets.get("INSIGHTLY_API_VERSION", "")
        return f"{hosts.api_origin(api_url)}/{version}" if api_url else super().base_url(context)

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """The key as user name with an empty password."""
        key = context.credentials.access_token
        return {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"} if key else {}

    def explain(self, reply: Reply) -> ConnectorError | None:
        return replies.explain(reply)

    def is_own(self, reply: Reply) -> bool:
        return replies.is_own(reply)

    # --- login and logout --------------------------------------------------------------------------

    def login(self, form: LoginForm) -> Credentials:
        """The key and where it is good; whether it is, shows when ``user_profile`` is read."""
        key = str(form.fields.get("apiKey") or "").strip()
        if not key:
            raise RequestRejected("Enter the API key shown in your Insightly user settings.")
        return Credentials(access_token=key, extra={"apiUrl": hosts.api_origin(str(form.fields.get("apiUrl") or ""))})

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        """The key belongs to a pod, which the facts name."""
        api_url = hosts.api_origin(dig(former.facts, "apiUrl", str, ""))
        api_host = urlsplit(api_url).hostname or ""
        return AdoptedLogin(
            profile=UserProfile(
                id=id_of(former.user_id),
                name="",
                timezone=former.timezone,
                hostname=hosts.page_host(former.hostname) or hosts.pages_of(api_host),
                identity_host=api_host,
                extra={"apiUrl": api_url},
            ),
            credentials=Credentials(access_token=former.credentials.access_token, extra={"apiUrl": api_url}),
            used=frozenset({"apiUrl", "apiKey"}),  # the key is the access token
        )

    def user_profile(self) -> UserProfile:
        """``GET /Users/Me``. Identity rests on the API host, which the key proves; the page host is a claim."""
        user = self.http.get("Users/Me")
        api_url = dig(self.credentials.extra, "apiUrl", str, "")
        api_host = urlsplit(api_url).hostname or ""
        instance = dig(user, "INSTANCE_ID", int, 0)
        return UserProfile(
            id=require_id(user, "USER_ID"),
            name=people.name_of(user),
            timezone=iana_name(dig(user, "TIMEZONE_ID", str, "")),
            hostname=hosts.page_host(self.user.hostname) or hosts.pages_of(api_host),
            identity_host=api_host,
            account_id=str(instance) if instance else "",
            email=dig(user, "EMAIL_ADDRESS", str, ""),
            extra={"apiUrl": api_url},
        )

    def revoke(self) -> None:
        """Nothing to do: keys belong to their owner, and the API has no request to end one."""

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """Every notation in every phone field, compared whole by the vendor: E.164 is among them by default."""
        numbers = phone.variants if phone.is_valid else tuple(dict.fromkeys((phone.raw, phone.national)))
        lookup = self._lookup()
        contacts = lookup.contacts(lookup.search_numbers(phone, numbers, self._phone_fields()))
        return ContactMatches(
            contacts=contacts,
            new_contact=NewContactOffer(),
            notice=lookup.notice,
            dropped=tuple(lookup.dropped),
            by_ending=tuple(lookup.by_ending),
        )

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        lookup = self._lookup()
        wanted = " ".join(name.split())
        hits = lookup.search_names(people.name_searches(wanted), wanted)
        contacts = lookup.contacts(hits)
        return ContactMatches(contacts=contacts, notice=lookup.notice, dropped=tuple(lookup.dropped))

    def create_contact(self, draft: ContactDraft) -> Contact:
        kind = people.kind_of(draft.type)
        if kind is None:
            raise RequestRejected("Choose whether to create a contact or a lead.")
        phone = draft.phone.e164 or draft.phone.raw
        record = self.http.post(kind.path, json=people.new_person(kind, draft.name, phone))
        new_id = require_id(record, kind.id_field)
        if phone:
            key = created_key(draft.phone)
            created = self.cache.get(key, max_age=CREATED_MAX_AGE) or []
            self.cache.put(key, [*created, [kind.type, new_id]])
        return replace(
            people.contact(kind, record, phone=phone, choices={}),
            name=people.name_of(record) or natural_name(draft.name),
        )

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        event = events.new_event(
            title=entry.subject,
            details=entry.body,
            started_at=entry.started_at,
            ended_at=events.end_of(entry.started_at, entry.duration),
            assignee=entry.assignee,
        )
        return self._write_new(event, entry, done="Call logged")

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        [outcome] = self.get_call_logs([ref])
        if isinstance(outcome, ConnectorError):
            raise outcome
        return outcome

    def get_call_logs(self, refs: Sequence[LogRef]) -> list[LoggedCall | ConnectorError]:
        """Events and the people they were logged for in one round; a second one only for people linked since."""
        targets = [("Events", ref.log_id) for ref in refs]
        known = [_record_of(people.kind_of(ref.contact.type), ref.contact.id) for ref in refs if ref.contact]
        records = self._read_all([*targets, *(target for target in known if target)])
        linked = [links.person(records[target]) for target in targets]
        records |= self._read_all(
            [target for person in linked if person and (target := _record_of(*person)) and target not in records]
        )
        return [_logged_call(ref, records) for ref in refs]

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        with precondition(reads_the_record=True):
            current = change.current or self.get_call_log(ref)
        left_out = self._write_change(ref, events.changes(change, current))
        return log_written(links.number(ref.log_id), "Call log updated", left_out, crm="Insightly")

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """Adds the new link of a kind before it removes the old ones: a failure leaves too much, not too little."""
        choices = links.chosen(disposition.fields)
        if not choices:
            return None
        with precondition(reads_the_record=True):
            event = self._event(ref)
        moves = links.moves(event, choices)
        outcomes = fan_out_outcomes(lambda move: self._carry_out(ref, move), moves)
        failed = [
            (move.object_name, outcome)
            for move, outcome in zip(moves, outcomes, strict=True)
            if isinstance(outcome, ConnectorError)
        ]
        serious = [error for _, error in failed if not links.is_gone(error)]
        if serious and (len(failed) == len(moves) or isinstance(serious[0], CredentialsRejected)):
            raise serious[0]
        self._forget([move.add for move in moves if move.add], failed)
        return links.written(links.number(ref.log_id), "Call log updated", failed)

    def find_call_log(self, marker: LogMarker) -> Id | None:
        return self._find(marker)

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        event = events.new_event(
            title=entry.subject,
            details=entry.body,
            started_at=entry.started_at,
            ended_at=entry.ended_at,
            assignee=entry.assignee,
        )
        return self._write_new(event, entry, done="Message logged")

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """One read and one write; links only where a choice is new, or an earlier attempt could not make them."""
        if change.is_shared:
            body = {} if change.body is None else {"DETAILS": change.body, "END_DATE_UTC": events.utc(change.ended_at)}
            self._write_change(ref, body)
            return LogResult(log_id=links.number(ref.log_id))
        with precondition(reads_the_record=True):
            event = self._event(ref)
        self._write_change(ref, events.with_messages(change, event))
        contact = change.contact
        wanted = links.wanted_links("" if links.person(event) else contact.type, contact.id, change.submission)
        log_id = links.number(ref.log_id)
        return links.written(log_id, "Message logged", self._add_links(log_id, links.missing_links(event, wanted)))

    def find_message_log(self, marker: LogMarker) -> Id | None:
        return self._find(marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        """Needs the key of an Insightly administrator."""

        def user_of(row: dict[str, Any]) -> DirectoryUser:
            name = people.name_of(row)
            return DirectoryUser(id=require_id(row, "USER_ID"), name=name, email=dig(row, "EMAIL_ADDRESS", str, ""))

        active = [row for row in self._pages("Users", {}, most=_USER_PAGES) if dig(row, "ACTIVE", bool, True)]
        return tuple(readable(active, user_of)[0])

    # --- requests ----------------------------------------------------------------------------------

    def _lookup(self) -> Lookup:
        return Lookup(http=self.http, cache=self.cache, user_id=self.user.id)

    def _phone_fields(self) -> list[tuple[Kind, str, bool]]:
        """``(kind, field, is_extra)`` in the order of the results; the settings name further fields by commas."""
        found: dict[tuple[Kind, str], bool] = {}
        for kind in KINDS:
            found |= {(kind, name): False for name in kind.phone_fields}
            extra = (name.strip() for name in self.options.text(kind.extra_fields).split(","))
            found |= {(kind, name): True for name in extra if name and name not in kind.phone_fields}
        return [(kind, name, is_extra) for (kind, name), is_extra in found.items()]

    def _write_new(self, event: Mapping[str, Any], entry: CallLogEntry | MessageLogEntry, *, done: str) -> LogResult:
        """Writes an event with its links in one request, then whatever of them the vendor left out."""
        contact = entry.contact
        wanted = links.wanted_links(contact.type, contact.id, entry.submission)

        def send(values: dict[str, Any]) -> Any:
            try:
                return self.http.post("Events", json={**values, "LINKS": wanted} if wanted else values)
            except (RequestRejected, RecordNotFound) as error:
                # Refused whole, perhaps for one link to a record that is gone: the call must not be lost for it.
                if not wanted or error.status not in (400, 404):
                    raise
                return self.http.post("Events", json=values)

        record, left_out = send_without_gone(send, dict(event), [_OWNER])
        log_id = require_id(record, "EVENT_ID")
        entry.created(log_id)
        failed = self._complete_links(log_id, record, wanted)
        if people.kind_of(contact.type) is None:
            unknown = RequestRejected("It is not known whether this is a contact or a lead. Link it in Insightly.")
            failed = [("Person", unknown), *failed]
        return links.written(log_id, done, failed, left_out)

    def _complete_links(
        self, log_id: Id, record: Any, wanted: Sequence[links.Link]
    ) -> list[tuple[str, ConnectorError]]:
        if wanted and not isinstance(dig(record, "LINKS", object, None), list):  # the answer may come without them
            try:
                record = self.http.get(f"Events/{log_id}")
            except ConnectorError as error:
                return [("Links", error)]
        return self._add_links(log_id, links.missing_links(record, wanted))

    def _add_links(self, log_id: Id, missing: Sequence[links.Link]) -> list[tuple[str, ConnectorError]]:
        """Adds links one by one; those that failed, by object name."""
        path = f"Events/{log_id}/Links"
        outcomes = fan_out_outcomes(lambda link: self.http.post(path, json=link), missing)
        failed = [
            (link["LINK_OBJECT_NAME"], outcome)
            for link, outcome in zip(missing, outcomes, strict=True)
            if isinstance(outcome, ConnectorError)
        ]
        self._forget(missing, failed)
        return failed

    def _forget(self, wanted: Sequence[links.Link], failed: Sequence[tuple[str, ConnectorError]]) -> None:
        """Drops the kept names of linked records that are gone, so that they are offered no more."""
        gone = {name for name, error in failed if links.is_gone(error)}
        for link in wanted:
            if link["LINK_OBJECT_NAME"] in gone:
                self.cache.forget(name_key(self.user.id, (link["LINK_OBJECT_NAME"], link["LINK_OBJECT_ID"])))

    def _carry_out(self, ref: LogRef, move: links.Move) -> None:
        path = f"Events/{links.number(ref.log_id)}/Links"
        if move.add:
            self.http.post(path, json=move.add)
        for link_id in move.remove:
            try:
                self.http.delete(f"{path}/{quote(str(link_id), safe='')}")
            except RecordNotFound:  # somebody else removed it
                continue

    def _write_change(self, ref: LogRef, body: Mapping[str, Any]) -> tuple[Dispensable, ...]:
        """What was left out of the change because it is gone."""
        log_id = links.number(ref.log_id)

        def send(values: dict[str, Any]) -> None:
            if values and is_deleted(self.http.put("Events", json={"EVENT_ID": log_id, **values})):
                raise RecordNotFound("This record no longer exists in Insightly.")

        return send_without_gone(send, dict(body), [_OWNER])[1]

    def _event(self, ref: LogRef) -> Any:
        return events.verified(self.http.get(f"Events/{links.number(ref.log_id)}"), ref)

    def _read_all(self, targets: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Any]:
        """Records by collection and id, each read once, all together; an error stands for one that cannot be read."""
        wanted = list(dict.fromkeys(targets))
        outcomes = fan_out_outcomes(lambda target: self.http.get(f"{target[0]}/{quote(target[1], safe='')}"), wanted)
        return dict(zip(wanted, outcomes, strict=True))

    def _find(self, marker: LogMarker) -> Id | None:
        """Events have no field for a marker of ours: title, second, owner and person identify the log."""
        if marker.started_at is None or not marker.subject:
            return None
        params = {"field_name": "TITLE", "field_value": marker.subject[: events.TITLE_LENGTH], "brief": "false"}
        found = list(self._pages("Events/Search", params, most=_FIND_PAGES))
        assigned = [marker.assignee.user_id] if marker.assignee else []
        for owner in (*assigned, self.user.id):  # an assignee who is gone was left out
            alike = (require_id(row, "EVENT_ID") for row in found if events.is_log_of(row, marker, owner))
            if (mine := next((log_id for log_id in alike if not marker.is_anothers(log_id)), None)) is not None:
                return mine
        return None

    def _pages(self, path: str, params: Mapping[str, str], *, most: int) -> Iterator[dict[str, Any]]:
        for page in range(most):
            found = rows(self.http.get(path, params={**params, "top": PAGE, "skip": page * PAGE}), "")
            yield from found
            if len(found) < PAGE:
                return


def _record_of(kind: Kind | None, person_id: Id) -> tuple[str, str] | None:
    return (kind.path, str(person_id)) if kind else None


def _logged_call(ref: LogRef, records: Mapping[tuple[str, str], Any]) -> LoggedCall | ConnectorError:
    """The log with its person's name: the linked person's, else that of whom it was logged for, else none."""
    event = records["Events", ref.log_id]
    if isinstance(event, ConnectorError):
        return event
    try:
        events.verified(event, ref)
    except (UnexpectedResponse, RecordNotFound) as error:
        return error
    person = links.person(event)
    if person is None and ref.contact and (kind := people.kind_of(ref.contact.type)):
        person = kind, ref.contact.id
    found = records.get(_record_of(*person) or ("", "")) if person else None
    return events.logged_call(event, people.name_of(found) if isinstance(found, dict) else "")
