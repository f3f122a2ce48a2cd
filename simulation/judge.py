"""Compares what is in the CRM with what the windows were told. Nothing here asks how production came to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from audit.models import CallLog
from connectors.deliveries.models import Delivery
from connectors.models import CrmUser
from simulation.adapter_variants import SECOND_STEP
from simulation.crm import crm
from simulation.expectation import Expectation, Told
from simulation.people import EVERYBODY, PLATFORM
from simulation.windows import subject_of, text_of
from simulation.world import world

About = tuple[str, str]
Rows = Sequence[dict[str, Any]]
#: How long the same new contact counts as the same click, see ``contact_creations``.
_SAME_CLICK = 30.0


def findings(expected: Expectation) -> list[str]:
    """What must not be; empty where all is well. Called when everything was sent that can be."""
    return [
        *expected.surprises,
        *(line for about in expected.subjects("log") for line in _call(expected, about)),
        *(line for about in expected.subjects("texts") for line in _day(expected, about)),
        *(line for about in expected.subjects("contact") for line in _contact(expected, about)),
        *(line for about in expected.subjects("setting") for line in _settings(expected, about)),
        *_refusals(expected),
        *_elsewhere(expected),
        *_people(expected),
        *(f"left over: {delivery} {delivery.state} {delivery.last_error}" for delivery in Delivery.objects.all()),
        *(["the schedule does not end"] if world.counts["endless"] else []),
    ]


def _rows(about: About, kind: str) -> Rows:
    tenant, subject = about
    return [row for row in crm.records(tenant) if row["kind"] == kind and subject_of(row["external_id"]) == subject]


def _are_of_colleagues(expected: Expectation, rows: Rows) -> bool:
    """After a restored back-up nobody knows any more who has written a record since: it is looked for as one's own."""
    return expected.restored is not None and len({row["owner_id"] for row in rows}) > 1


def _are_seen_by_nobody(expected: Expectation, rows: Rows) -> bool:
    """After a restored back-up texts may stand under another date, or in a record that nobody can be asked for."""
    dates = {row["external_id"].partition(" (")[0] for row in rows}
    return expected.restored is not None and (len(dates) > 1 or not crm.can_be_asked)


def _went_on_unknown(expected: Expectation, rows: Rows) -> bool:
    """Whether texts may stand in a further record of their day that the restored back-up knows nothing of."""
    return expected.restored is not None and any(" (" in row["external_id"] for row in rows)


# --- calls -------------------------------------------------------------------------------------------------


def _call(expected: Expectation, about: About) -> Iterator[str]:
    tenant, session = about
    found = _rows(about, "call")
    if len(found) > 1 and not _are_of_colleagues(expected, found):
        yield f"{session} doubled: {[row['id'] for row in found]}"
    deleted = expected.deleted.get(about, 0.0)
    logs = [told for told in expected.accepted("log", about) if not _is_refused(told, expected)]
    if any(told.began > deleted and not (deleted and told.was_known) for told in logs) and not found:
        states = list(CallLog.objects.filter(session_id=session).values_list("state", flat=True))
        yield f"{session} lost: accepted, not in the CRM; row {states}"
    if deleted:
        return
    ids = [row["id"] for row in found]
    is_forgotten = expected.restored is not None and not logs  # logged since the back-up, and nobody has asked again
    for log in CallLog.objects.filter(session_id=session, owner__in=_owners(tenant)):
        if log.is_logged != (log.crm_log_id in ids) or (len(ids) == 1 and not log.is_logged and not is_forgotten):
            yield f"{session}: the row says {log.state} {log.crm_log_id!r}, the CRM has {ids}"
    if len(found) == 1:
        yield from _note(expected, about, logs)
        yield from _changes(expected, about, "edit", found[0]["body"] or "", "body")
        if crm.has_dispositions:
            yield from _changes(expected, about, "dispose", found[0]["address"] or "", "address")
        is_marked = world.counts["support marks as logged"] > 0  # then nothing more is sent of it
        is_whole = found[0]["department"] == SECOND_STEP
        if crm.has_second_step and logs and not (crm.judged or is_marked or is_whole):
            yield f"{session} is not whole"


def _owners(tenant: str) -> list[str]:
    alone = CrmUser.objects.filter(crm_user_id=tenant).values_list("pk", flat=True)
    return [f"account::{tenant}", *(f"user:{key}" for key in alone)]


def _is_refused(told: Told, expected: Expectation) -> bool:
    """Whether the log, kept or under way by then, was refused to somebody who waited for it later."""
    return any(later.refused and later.ended >= told.began for later in expected.of("log", told.about))


def _note(expected: Expectation, about: About, logs: Sequence[Told]) -> Iterator[str]:
    """The note of the log that was accepted last was written, where it is certain which one that is.

    After a restored back-up the record may be found with the note that it had before.
    """
    if expected.restored:
        return
    for told in logs:
        others = [other for other in expected.of("log", about) if other.text != told.text]
        is_last = all(other.ended < told.began for other in others)
        if is_last and not told.was_known and not any(told.text in body for body in _versions(about, "body")):
            yield f"note {told.text} of {about[1]} lost"


def _versions(about: About, member: str) -> list[str]:
    """What was ever written into this member of a call's record."""
    return [str(write.body.get(member) or "") for write in crm.applied if _is_of(write.record, about)]


def _came_after_the_back_up(expected: Expectation, last: list[Told]) -> bool:
    """Whether changes may have been on their way when the database was replaced by one that does not know them."""
    restored = expected.restored
    is_late = bool(crm.delivered["carried out late"])
    return restored is not None and is_late and any(told.began < restored.restored for told in last)


def _changes(expected: Expectation, about: About, kind: str, final: str, member: str) -> Iterator[str]:
    """Each accepted change was carried out, and none was undone by one that was accepted before it."""
    session = about[1]
    refused = max((told.ended for told in expected.of("log", about) if told.refused), default=0.0)
    changes = [told for told in expected.of(kind, about) if told.began > refused]  # others were of no log
    accepted = [told for told in expected.accepted(kind, about) if told in changes]
    versions = _versions(about, member)
    for told in accepted:
        is_there = told.text in final or any(told.text in version for version in versions)
        if not is_there and told.text not in expected.given_up:
            yield f"{kind} {told.text} of {session} lost"
    if not accepted:
        return
    # A log that comes once more with another note becomes an edit.
    notes = list(expected.of("log", about)) if kind == "edit" else []
    last = [told for told in (*changes, *notes) if told.text in final]
    if not last:
        yield f"{kind} of {session}: none of {[told.text for told in accepted]} is there in the end"
        return
    # Also one that only the back-up knows nothing of: it was carried out.
    done = [told for told in changes if told.accepted and any(told.text in version for version in versions)]
    is_undone = last and all(any(_before(told, later) for later in (*accepted, *done)) for told in last)
    if is_undone and not _came_after_the_back_up(expected, last):
        yield f"{kind} of {session}: {last[0].text} undid what came after it"


def _is_of(record: str, about: About) -> bool:
    return any(row["id"] == record for row in _rows(about, "call"))


def _before(first: Told, second: Told) -> bool:
    return first.text != second.text and first.ended < second.began


# --- texts, contacts, settings -------------------------------------------------------------------------------


def _day(expected: Expectation, about: About) -> Iterator[str]:
    day = about[1]
    records = _rows(about, "conversation")
    whole = "\n".join(row["body"] or "" for row in records)
    markers = Counter(row["external_id"] for row in records)
    is_known = _are_of_colleagues(expected, records) or _are_seen_by_nobody(expected, records)
    if not is_known and (doubled := [marker for marker, count in markers.items() if count > 1]):
        yield f"records of {doubled} doubled"
    deleted = expected.deleted.get(about, 0.0)
    others = list(expected.of("texts", about))
    accepted = {
        number
        for told in expected.accepted("texts", about)
        for number in (told.new if deleted else told.text).split()  # what was known before may have been deleted
        if told.began > deleted and not any(_was_refused(number, told, other) for other in others)
    }
    for number in sorted({number for told in expected.of("texts", about) for number in told.text.split()}):
        count = whole.count(text_of(day, int(number)))
        if count > 1 and not is_known and not _went_on_unknown(expected, records):
            yield f"text {number} of {day} stands there {count} times"
        if not count and number in accepted:
            yield f"text {number} of {day} lost"


def _was_refused(number: str, told: Told, other: Told) -> bool:
    """Whether somebody else was told that this text is refused: one that was theirs may be so while ``told`` waits.

    They were to be told by a process that was killed, perhaps.
    """
    is_own = number in told.new.split()
    since = told.ended if is_own else told.began
    is_refused = other.refused or (other.was_killed and not is_own and other.subject in crm.judged)
    return is_refused and number in other.text.split() and other.ended >= since


def _contact(expected: Expectation, about: About) -> Iterator[str]:
    tenant, name = about
    count = len(crm.store.contacts(tenant, name=name))
    asked = list(expected.of("contact", about))
    done = any(told.accepted and not expected.is_forgotten(told) for told in asked)
    made = [write.at for write in crm.applied if write.path == "/api/contacts"]
    # The same contact asked for long after it was made is another one, unless nobody knows whether it was made.
    clicks = 1 + sum(
        _when_read(told) > made[0] + _SAME_CLICK - 15
        and any(_may_have_made_it(other, told) for other in asked if other is not told)
        for told in asked
        if made
    )
    if count > clicks and expected.restored is None:
        yield f"{name} stands there {count} times, asked for {clicks} times"
    if done and not count:
        yield f"{name} lost"


def _may_have_made_it(other: Told, told: Told) -> bool:
    return other.began < _when_read(told) and (other.accepted or other.was_killed)


def _when_read(told: Told) -> float:
    """By when a request was read at the latest: a machine may have slept before."""
    return told.ended if world.counts["a process is suspended"] else told.began


def _settings(expected: Expectation, about: About) -> Iterator[str]:
    person = next(person for person in EVERYBODY if person.key == about[1])
    own = CrmUser.objects.get(wire_id=f"{person.known.id}-{PLATFORM}").settings
    for told in expected.accepted("setting", about):
        if told.text not in own:
            yield f"setting {told.text} of {person.key} lost"


# --- everything ----------------------------------------------------------------------------------------------


def _refusals(expected: Expectation) -> Iterator[str]:
    """What a user was told that the CRM does not take, though it has taken everything."""
    logins_ended = crm.has_ended_logins or any(told.kind in ("logout", "move") for told in expected.requests)
    may_refuse = crm.judged or crm.too_long or crm.delivered["client refused"] or not crm.can_be_asked
    if logins_ended or may_refuse or expected.restored:
        return
    for told in expected.requests:
        is_gone = expected.deleted and told.kind != "texts"  # a day goes on in a new record
        if told.refused and not is_gone:
            yield f"{told.kind} {told.text} of {told.subject} was refused without a cause: {told.error}"


def _elsewhere(expected: Expectation) -> Iterator[str]:
    """Records, and notes, where nobody asked for them: in another company."""
    asked = {told.about for told in expected.requests if told.kind in ("log", "texts")}
    noted = {(told.tenant, told.text) for told in expected.requests if told.kind in ("log", "edit")}
    tenants = {user["tenant"] for user in crm.store.logins()} | {"acme", "beta"}
    for tenant in sorted(tenants):
        for row in crm.records(tenant):
            if (tenant, subject_of(row["external_id"])) not in asked:
                yield f"{row['id']} stands in {tenant}, where nobody has logged {subject_of(row['external_id'])}"
            for text in {text for _, text in noted if text in (row["body"] or "")}:
                if (tenant, text) not in noted:
                    yield f"{row['id']} of {tenant} holds {text}, which belongs to another company"


def _people(expected: Expectation) -> Iterator[str]:
    rows = {row["id"]: row for row in crm.records(None)}
    for record, texts in expected.by_people.items():
        for text in texts:
            if record in rows and text not in (rows[record]["body"] or ""):
                yield f"what a person wrote into {record} is gone"
