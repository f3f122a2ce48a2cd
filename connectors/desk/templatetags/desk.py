"""Times, states and names as the desk shows them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adapters import registry
from audit.models import GONE, AuditEvent, CallLog, ConversationLog
from audit.states import LogState
from connectors.desk.meanings import meaning_of
from connectors.desk.names import name_of
from connectors.desk.timeline import words_of
from connectors.models import CrmUser

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """``2 h ago``, ``in 5 min``, the date after a week; the exact time appears on pointing at it."""
    if moment is None:
        return "never"
    passed = timezone.now() - moment
    far = abs(passed) >= timedelta(days=7)
    return _time(moment, shown=f"{timezone.localtime(moment):%d %b %Y}".lstrip("0") if far else in_words(passed))


@register.filter
def due(moment: datetime) -> SafeString | str:
    """``in 5 min``; ``now`` once the time has come."""
    return ago(moment) if moment > timezone.now() else "now"


@register.filter
def exact(moment: datetime | None) -> SafeString | str:
    """``2026-05-04 16:31:07 PDT``."""
    if moment is None:
        return "never"
    return _time(moment, shown=_exact(moment))


@register.filter
def clock(moment: datetime) -> SafeString:
    """``16:31``; the exact time appears on pointing at it."""
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local:%H:%M}",
    )


@register.filter
def crm(platform: str) -> str:
    """The CRM's name."""
    return registry.display_name(platform)


@register.filter
def agent_name(user: CrmUser | None) -> str:
    """What people call a connected user."""
    return name_of(user)


@register.filter
def day_of(moment: datetime) -> str:
    """``Monday, 4 May 2026``."""
    local = timezone.localtime(moment)
    return f"{local:%A}, {local.day} {local:%B %Y}"


@register.filter
def short(moment: datetime | None) -> str:
    """``4 May 16:31``, with the year where it is not this one."""
    if moment is None:
        return "at an unknown time"
    local = timezone.localtime(moment)
    year = "" if local.year == timezone.localdate().year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


@register.filter
def login_state(user: CrmUser) -> SafeString:
    """Whether the user is connected."""
    if not user.is_connected:
        return _state("bad" if user.last_error else "", user.last_error.capitalize() or "Signed out")
    return _state("bad", user.last_error.capitalize()) if user.last_error else _state("good", "Connected")


@register.filter
def call_in_words(log: CallLog) -> str:
    """``Incoming, 4 May 16:31``."""
    way = {"Inbound": "Incoming", "Outbound": "Outgoing"}.get(log.direction, "Call")
    return f"{way}, {short(log.started_at or log.created_at)}"


@register.filter
def small(words: str) -> str:
    """The same, within a sentence."""
    return words[:1].lower() + words[1:]


@register.filter
def log_state(log: CallLog | ConversationLog) -> SafeString:
    """The state in two words, with its colour."""
    marks = {LogState.LOGGED: "good", LogState.FAILED: "bad"}
    words = str(log.get_state_display())
    if log.state == LogState.FAILED:
        words = "deleted in the CRM" if log.last_error == GONE else "not in the CRM"
    return _state(marks.get(LogState(log.state), "wait"), words)


@register.filter
def action_in_words(event: AuditEvent) -> str:
    """``Look-up of a contact``."""
    return words_of(event.action)


@register.filter
def outcome_in_words(event: AuditEvent) -> str:
    """Whether it succeeded, and if not, why."""
    if event.outcome == "success":
        return "done"
    return meaning_of(event.error, crm=registry.display_name(event.platform) or "the CRM", agent="").happened


@register.filter
def happened(error: str, user: CrmUser) -> str:
    """What an error of the user's login means."""
    return meaning_of(error, crm=registry.display_name(user.platform), agent=name_of(user)).happened


def _state(mark: str, words: str) -> SafeString:
    return format_html('<span class="desk-state {}">{}</span>', mark, words)


def _time(moment: datetime, *, shown: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), _exact(moment), shown)


def _exact(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"


def in_words(passed: timedelta) -> str:
    """``just now``, ``5 min ago``, ``in 2 h``, ``3 days ago``."""
    seconds = abs(passed.total_seconds())
    if seconds < 45:
        return "just now" if passed >= timedelta() else "in a moment"
    if seconds < 90 * _MINUTE:
        length = f"{max(1, round(seconds / _MINUTE))} min"
    elif seconds < 36 * _HOUR:
        length = f"{round(seconds / _HOUR)} h"
    else:
        length = f"{round(seconds / _DAY)} days"
    return f"{length} ago" if passed >= timedelta() else f"in {length}"
