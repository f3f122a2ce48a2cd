"""Errors as sentences: what happened, and what to do about it, by the name that events and rows keep."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.models import HANDED_BACK, HANDED_BACK_AND_TOLD

_SENTENCE = re.compile(r"(?:^|(?<=[.!?] ))\w")


@dataclass(frozen=True)
class Meaning:
    """``happened`` is a clause; ``to_do`` is for whoever reads it. ``{crm}`` and ``{agent}`` are filled in.

    ``passes``: it may succeed later without anybody doing anything; ``to_do`` is for where nobody tries again.
    """

    happened: str
    to_do: str
    passes: bool = False


BY_ITSELF = "Nothing has to be done: it is sent again by itself."
_AGAIN = "{agent} can log it again; where it is kept, it can be sent now."
_CONNECT = "Ask {agent} to connect {crm} again in the extension; what waits is sent then."
_OPERATOR = "Tell the operator of this server; the server's log has the reference of the request."
_OWN = Meaning("an error on this server kept it from being sent", f"{_AGAIN} {_OPERATOR}", passes=True)

_MEANINGS = {
    "AccessDenied": Meaning(
        "{crm} says that the account of {agent} may not do this",
        "An administrator of {crm} has to give {agent} the permission; then the call is logged again, or sent now.",
    ),
    "AdapterMissing": Meaning("{crm} is not available on this server", f"Its adapter is not enabled. {_OPERATOR}"),
    "AddressNotPublic": Meaning(
        "the name of {crm}'s host led to no public address, so nothing was sent",
        f"{_AGAIN} If it goes on, the name server or proxy of this server has to be looked at.",
        passes=True,
    ),
    "AlreadyLogged": Meaning("the call was logged already, or was just being written", "Nothing has to be done."),
    "BodyTooLong": Meaning("the text was too long for {crm}", "Shorten the note, and log it again."),
    "CredentialsRejected": Meaning("{crm} did not accept the login of {agent}", _CONNECT),
    "CrmBusy": Meaning("too many requests waited for {crm} already, so it was not asked", _AGAIN, passes=True),
    "CrmUnavailable": Meaning("{crm} could not be reached", _AGAIN, passes=True),
    "LeaseLost": Meaning("the attempt took too long, and another process took over", "Nothing has to be done."),
    "LoginUnreadable": Meaning(
        "the stored login of {agent} cannot be read with the keys of this server",
        f"A key is missing from CREDENTIAL_KEYS. {_OPERATOR} Connecting again helps too.",
    ),
    "MessageNotStored": _OWN,
    "OwnFault": _OWN,
    "RateLimited": Meaning("{crm} took no more requests for a while", _AGAIN, passes=True),
    "RecordNotFound": Meaning(
        "the record is not in {crm} any more",
        "It was deleted or merged there. {agent} can log the call again from the extension.",
    ),
    "ReferenceGone": Meaning(
        "something that the log refers to is not in {crm} any more",
        "Usually the contact was deleted or merged: search for the contact again, and log the call for that one.",
    ),
    "RequestRejected": Meaning(
        "{crm} refused it",
        "{crm}'s own words say why: usually a field that must be filled in, or a choice that does not exist any more. "
        "{agent} mends it in the form, and logs again.",
    ),
    "ServerMisconfigured": Meaning(
        "{crm} does not accept this server's own credentials",
        f"No login of a user is at fault. Client id and secret of {{crm}} have to be corrected. {_OPERATOR}",
    ),
    "SessionEnded": Meaning("the login of {agent} at {crm} has ended", _CONNECT),
    "Undecipherable": Meaning(
        "what was kept cannot be read with the keys of this server",
        f"A key is missing from CREDENTIAL_KEYS; it is tried again when it is back. {_OPERATOR}",
    ),
    "UnexpectedResponse": Meaning(
        "the answer was not understood: not {crm} itself answered, or not as it is documented",
        f"{_AGAIN} If it goes on, a proxy or firewall may stand before {{crm}}.",
        passes=True,
    ),
    "UnreadableChange": Meaning("what was kept was written by another version of this server", _OPERATOR),
    "UnsupportedOperation": Meaning("{crm} does not offer this", "Look in {crm}, and decide by hand."),
    "earlier_first": Meaning("an earlier change of the same record has to be sent first", _AGAIN, passes=True),
    "erased": Meaning("its text was erased, as the person it is about had asked", "Nothing has to be done."),
    "given up": Meaning("it was given up by support", _AGAIN),
    "gone": Meaning("the record was deleted in {crm}", "{agent} can log the call again from the extension."),
    HANDED_BACK: Meaning(
        "support handed it back to {agent}, whose extension says so the next time it asks",
        "{agent} logs the call again from the extension; the note waits there as a draft.",
    ),
    HANDED_BACK_AND_TOLD: Meaning(
        "support handed it back to {agent}, who has been told so",
        "{agent} logs the call again from the extension; the note waits there as a draft.",
    ),
    "login refused": Meaning("{crm} did not accept the login of {agent}", _CONNECT),
    "not_asked": Meaning("{crm} was known to be down, and was not asked", _AGAIN, passes=True),
    "not_found_yet": Meaning(
        "the record was looked for in {crm} and not found, too early for that to mean that it is not there",
        "Look in {crm}, and decide by hand.",
        passes=True,
    ),
    "overtaken": Meaning(
        "a newer change of the same log was sent while this one could not be read",
        "Look in {crm}: where this one is still wanted, send it; else give it up.",
    ),
    "session ended": Meaning("the login of {agent} at {crm} has ended", _CONNECT),
}


def meaning_of(name: str, *, crm: str, agent: str) -> Meaning:
    """Of an error's name; one that is not known is a fault of this server."""
    found = _MEANINGS.get(name, _OWN)
    words = {"crm": crm, "agent": agent or "the agent"}
    to_do = _SENTENCE.sub(lambda start: start[0].upper(), found.to_do.format(**words))
    return Meaning(found.happened.format(**words), to_do, found.passes)
