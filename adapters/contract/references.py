"""What a write refers to besides the record it makes or changes, and what becomes of it when some of that is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.contract.errors import ReferenceGone
from adapters.contract.types import Id, LogResult, Notice, NoticeLevel

Answer = TypeVar("Answer")
Body = dict[str, Any]

_TEXT_READ = 2000
#: How vendors say that something is not there (any more).
_GONE = re.compile(
    r"(?:not|n't|unable to|cannot) (?:be |a |an )?"
    r"(?:found|find|exist|locate|located|available|active|accessible|valid)"
    r"|non-?existent|no such|must exist|must be a valid|no longer|there is no|\bno \w+ (?:was )?found|foreign key"
    r"|deleted|removed|merged|archived|inactive|deactivated|disabled|unknown|invalid"
)
#: Codes are read as sentences: deal_not_found, DealNotFound.
_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


@dataclass(frozen=True, kw_only=True)
class Dispensable:
    """A reference that a write can do without."""

    #: As a person calls it ("deal"); equals ``what`` of the ``ReferenceGone`` that names it.
    what: str
    #: The body without it, or with something else in its place; an equal body where nothing of it was there.
    without: Callable[[Body], Body]
    #: How users are told of it, where not as ``what``, and what became of it.
    noun: str = ""
    fate: str = "was left out"


def without_keys(*keys: str) -> Callable[[Body], Body]:
    """For ``Dispensable.without``: the body without these members."""
    return lambda body: {key: value for key, value in body.items() if key not in keys}


def send_without_gone(
    send: Callable[[Body], Answer], body: Body, dispensable: Sequence[Dispensable]
) -> tuple[Answer, tuple[Dispensable, ...]]:
    """Sends a write; what it refers to and the CRM says is gone is left out, and the write is sent again.

    Again only after ``ReferenceGone``, which is the CRM's verdict: it wrote nothing. Where the CRM does not say what is
    gone, the references go one after the other, in the order given. ``send`` may be called with an empty body. Returns
    the answer and what was left out; raises the last ``ReferenceGone`` when nothing more can be left out.
    """
    left_out: list[Dispensable] = []
    while True:
        try:
            return send(body), tuple(left_out)
        except ReferenceGone as error:
            if error.maybe_applied:
                raise
            for item in dispensable:
                if item in left_out or error.what not in ("", item.what):
                    continue
                rest = item.without(body)
                if rest != body:
                    body = rest
                    left_out.append(item)
                    break
            else:
                raise


def log_written(
    log_id: Id, done: str, left_out: Sequence[Dispensable], *, crm: str, further: Notice | None = None
) -> LogResult:
    """The result of a write. The user is told that it is ``done``, what was left out of it, and a ``further`` notice.

    "Call logged. The deal no longer exists in <CRM> and was left out."
    """
    notice = further
    if left_out:
        sentences = [f"The {item.noun or item.what} no longer exists in {crm} and {item.fate}." for item in left_out]
        said = Notice(message=" ".join([f"{done}.", *sentences]), level=NoticeLevel.WARNING, ttl=5000)
        notice = said.followed_by(further)
    return LogResult(log_id=log_id, notice=notice, gone=tuple(item.what for item in left_out))


def contact_gone(crm: str, *, reason: str = "", status: int = 0) -> ReferenceGone:
    """The refusal of a log about a contact that is not in the CRM any more."""
    return ReferenceGone(
        f"The contact no longer exists in {crm}: it may have been deleted or merged. Search for the contact again.",
        what="contact",
        reason=reason,
        status=status,
    )


def reference_gone(what: str, crm: str, *, reason: str = "", status: int = 0) -> ReferenceGone:
    """The refusal of a write that refers to something gone; ``what`` "": the CRM does not say what."""
    if what == "contact":
        return contact_gone(crm, reason=reason, status=status)
    message = f"The {what or 'contact, or something chosen for this log,'} no longer exists in {crm}."
    return ReferenceGone(f"{message} Choose another one.", what=what, reason=reason, status=status)


def said_gone(text: str, names: Mapping[str, str]) -> str:
    """What a vendor's sentence says is gone: the value of that of ``names`` (in lower case) that stands first in it.

    Empty where it says nothing of the kind.
    """
    text = text[:_TEXT_READ]
    if not _GONE.search(_BETWEEN_WORDS.sub(" ", text).lower()):
        return ""
    text = text.lower()
    found = [(place, what) for name, what in names.items() if (place := text.find(name)) >= 0]
    return min(found)[1] if found else ""
