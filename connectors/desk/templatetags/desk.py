"""Times, states and names as the desk shows them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from adapters import registry

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
