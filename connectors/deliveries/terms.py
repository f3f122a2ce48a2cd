"""The words of the table of decisions: what is to be done, what is known, what happened, what becomes of it."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What is to be done in the CRM; the value is also the action of its audit events."""

    CREATE = "call_log.create"
    EDIT = "call_log.update"
    DISPOSITION = "call_log.disposition"
    TEXTS = "message_log.write"
    REVOKE = "session.revoke"
    #: A second look after a record was written again: an earlier attempt may have arrived late.
    LOOK_AGAIN = "log.look_again"


class Known(StrEnum):
    """What is known of the record when the attempt is over."""

    NOTHING = "not there"
    DOUBT = "may be there"
    THERE = "there"
    #: The record is there; whether this change is in it, nobody knows.
    THERE_DOUBT = "there, this may be in it"


class Event(StrEnum):
    """What happened. The values of ``ErrorKind`` in the adapter contract are among them."""

    DONE = "done"
    LIMIT = "limit"
    DOWN = "down"
    IN_DOUBT = "in_doubt"
    NOT_UNDERSTOOD = "not_understood"
    TOO_LONG = "too_long"
    GONE = "gone"
    LOGIN_OVER = "login_over"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    OWN_FAULT = "own_fault"
    MISCONFIGURED = "misconfigured"
    #: The CRM was not asked: it is known to be down, or at its share of our threads, or there was no time left.
    NOT_ASKED = "not_asked"
    #: The CRM was not asked: after a limit it wants to be left alone for a while.
    HELD = "held"
    #: The record was looked for and not found, too early for that to mean that it is not there.
    NOT_FOUND_YET = "not_found_yet"
    #: An earlier change of the same record has to be sent first.
    EARLIER_FIRST = "earlier_first"
    #: The stored change cannot be read with this server's keys or version.
    UNREADABLE = "unreadable"

    @property
    def is_done(self) -> bool:
        return self is Event.DONE

    @property
    def is_odd(self) -> bool:
        """Whether the answer was none of the CRM's own."""
        return self is Event.NOT_UNDERSTOOD

    @property
    def is_unreadable(self) -> bool:
        return self is Event.UNREADABLE

    @property
    def leaves_doubt(self) -> bool:
        """Whether a change that was sent may be in the CRM now."""
        return self in (Event.IN_DOUBT, Event.NOT_FOUND_YET)

    @property
    def is_about_the_change(self) -> bool:
        """Whether the CRM refused what was to be written, for what it is."""
        return self in (Event.TOO_LONG, Event.REFUSED)

    @property
    def if_only_read(self) -> Event:
        """What it means where nothing was sent that the CRM could have carried out."""
        return Event.DOWN if self is Event.IN_DOUBT else self


class Next(StrEnum):
    """What becomes of the change."""

    DONE = "done"
    AGAIN = "sent again later"
    SETTLE = "looked for later"
    LOGIN = "waits for the login"
    PERSON = "waits for support"
    FORGET = "forgotten"
    GIVE_UP = "given up, kept for support"
    SHORTEN = "sent again at once, shortened"
    ANEW = "sent again at once, as a new record"
    NEXT_PART = "sent again at once, as the day's next record"
    SPLIT = "sent again at once, in two parts"


class Told(StrEnum):
    """What the user is told, where one waits for the reply; the sentences are in ``notices``."""

    LOGGED = "logged"
    REASON = "the CRM's reason"
    UNREACHABLE = "saved: not reachable"
    BUSY = "saved: too many requests"
    UNCONFIRMED = "saved: not confirmed"
    ODD = "saved: answer not understood"
    LOGIN = "saved: connect again"
    SERVER_LOGIN = "saved: this server's credentials"
    OWN_FAULT = "saved: fault of this server"
    EARLIER = "saved: an earlier change first"
    SUPPORT = "saved: support has to look"
    TOO_LONG = "saved: too long for the CRM"
    TOO_LATE = "not sent in time"


class IfSent(StrEnum):
    """What "send now" would do with a change."""

    LEFT = "being sent at this moment"
    MARKED = "in the CRM already: only completed, and marked"
    LOOKED_FOR = "may be in the CRM: looked for first, written only if it is not there"
    BLIND = "may be in the CRM, which cannot be asked: counts as not there, and is written"
    LOGIN = "waits for the user's login"
    SENT = "sent"
