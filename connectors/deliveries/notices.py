"""What the user reads when a change is kept."""

from __future__ import annotations

from adapters import registry
from adapters.contract import Notice, NoticeLevel
from connectors.deliveries.outcome import Outcome
from connectors.deliveries.policy import Told
from connectors.models import CrmUser

#: Headline and reason; ``{they}``, ``{them}`` are what is kept.
_TEXTS: dict[Told, tuple[str, str]] = {
    Told.UNREACHABLE: ("{What} saved. {They} will be sent when {crm} is back.", "{crm} could not be reached."),
    Told.BUSY: (
        "{What} saved. {They} will be sent when {crm} is back.",
        "{crm} accepts no more requests at the moment.",
    ),
    Told.UNCONFIRMED: (
        "{What} saved. {They} will be sent when {crm} is back.",
        "{crm} did not confirm {them}; before anything is sent again we look whether {they} arrived.",
    ),
    Told.ODD: (
        "{What} saved. {They} will be sent when {crm} is back.",
        "{crm} could not be reached: what answered was not understood.",
    ),
    Told.LOGIN: (
        "{What} saved. {They} will be sent after you have connected again.",
        "Your login at {crm} has ended.",
    ),
    Told.SERVER_LOGIN: (
        "{What} saved. {They} will be sent later.",
        "This server is not set up rightly for {crm}; please tell your administrator.",
    ),
    Told.OWN_FAULT: (
        "{What} saved. {They} will be sent later.",
        "An error on this server kept {them} from being sent. Your administrator sees {them} too.",
    ),
    Told.EARLIER: (
        "{What} saved. {They} will be sent when {crm} is back.",
        "An earlier change has to be sent first.",
    ),
    Told.SUPPORT: (
        "{What} saved, but {they} may be in {crm} already. Please look there.",
        "{crm} did not confirm {them}, and cannot be asked. Your administrator sees {them} too.",
    ),
    Told.TOO_LONG: (
        "{What} saved, but too long for {crm}.",
        "{crm} refused {them} for the length, also without the long sections. Your administrator sees {them}.",
    ),
    Told.TOO_LATE: (
        "{What} could not be sent in time.",
        "{crm} did not take {them} for days. Your administrator sees {them}, and can send {them} again.",
    ),
}
#: Only the user can help.
_RAISED = frozenset({Told.LOGIN})
_WITH_REASON = dict.fromkeys((Told.ODD, Told.UNREACHABLE, Told.UNCONFIRMED, Told.SUPPORT), "It answered: {reason}.")
_COLLEAGUES = (
    "{What} saved. {They} will be sent after a colleague has connected again.",
    "A colleague tried to log {them} first, and {they} may be in {crm} already under that login.",
)


def kept_notice(user: CrmUser, what: str, outcome: Outcome) -> Notice:
    """Tells the user that a change is kept, why, and what becomes of it. ``what``: "Call log", "Messages", "Change".

    A login of the user's own that is over is raised instead: only the user can help.
    """
    crm = registry.display_name(user.platform)
    they, them = ("they", "them") if what == "Messages" else ("it", "it")
    words = {"What": what, "They": they.capitalize(), "they": they, "them": them, "crm": crm}
    headline, reason = _COLLEAGUES if outcome.is_colleagues else _TEXTS.get(outcome.told, _TEXTS[Told.EARLIER])
    error = outcome.error
    if error is not None and outcome.told in _RAISED and not outcome.is_colleagues:
        error.reason = headline.format(**words) + _reference(outcome)
        raise error
    details = [(error.sentence(crm) if error is not None else "") or reason.format(**words)]
    if error is not None and error.reason and (line := _WITH_REASON.get(outcome.told)):
        details.append(line.format(reason=error.reason.rstrip(".")))
    if outcome.reference:
        details.append(f"Reference: {outcome.reference}")
    return Notice(message=headline.format(**words), level=NoticeLevel.WARNING, ttl=5000, details=tuple(details))


def _reference(outcome: Outcome) -> str:
    return f" Reference: {outcome.reference}" if outcome.reference else ""
