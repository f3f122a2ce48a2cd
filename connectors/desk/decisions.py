"""What support can decide, each with a page that says beforehand what will happen, and how often.

A decision sorts what it is asked about by *effects*: "37 will be sent", "4 are in the CRM already and will only be
marked". The same sorting is done again for each thing when it is carried out, so that the counts of the answer are
those of what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.http import HttpRequest

from audit.recorder import record


@dataclass(frozen=True, kw_only=True)
class Effect:
    """``{n}`` is the number; ``{is}``, ``{s}`` and the like follow it. ``acts``: whether anything is done.

    ``{s}`` ends a noun (1 contact, 2 contacts), ``{es}`` a verb (1 waits, 2 wait).
    """

    will: str
    done: str
    acts: bool = True

    def before(self, number: int) -> str:
        return _inflected(self.will, number)

    def after(self, number: int) -> str:
        return _inflected(self.done, number)


def _inflected(text: str, number: int) -> str:
    one = {"is": "is", "has": "has", "s": "", "es": "s", "it": "it", "was": "was", "its": "its"}
    many = {"is": "are", "has": "have", "s": "s", "es": "", "it": "they", "was": "were", "its": "their"}
    return text.format(n=number, **(one if number == 1 else many))


#: Of what was there when the page was shown, and is not any more.
GONE = Effect(
    will="{n} {is} settled already",
    done="{n} {was} settled meanwhile: sent, or decided about by somebody else",
    acts=False,
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing on the page: what it is, whose, in which CRM, and what will happen to it."""

    what: str
    who: str
    crm: str
    becomes: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """``rows``: what can be decided about. ``sort``: the effect on a row by its name. ``carry_out``: the same, done.

    ``describe``: what a row is, and whose. ``logged_on``: the objects in whose history it is shown.
    """

    key: str
    label: str
    explains: str
    permission: str
    #: Of the event in the audit trail.
    action: str
    effects: dict[str, Effect]
    rows: Callable[[], models.QuerySet[Any]]
    sort: Callable[[Any], str]
    carry_out: Callable[[Any, str], str]
    describe: Callable[[Any], tuple[str, str]]
    logged_on: Callable[[Any], Iterable[models.Model]]
    about: Callable[[Any], dict[str, str]]
    is_grave: bool = False

    def effect(self, name: str) -> Effect:
        return self.effects.get(name, GONE)

    def sentences(self, counts: dict[str, int], *, done: bool = False) -> list[str]:
        """The counts as sentences, what acts first."""
        known = [*self.effects, *(name for name in counts if name not in self.effects)]
        names = sorted((name for name in known if counts.get(name)), key=lambda name: not self.effect(name).acts)
        texts = [
            self.effect(name).after(counts[name]) if done else self.effect(name).before(counts[name]) for name in names
        ]
        return [f"{text[:1].upper()}{text[1:]}." for text in texts]


def actor_of(request: HttpRequest) -> str:
    return f"staff:{request.user.get_username()}"


def note_decision(request: HttpRequest, action: str, decision: str, rows: Iterable[models.Model], **event: Any) -> None:
    """Records a decision in the audit trail, and in the history of the objects that it is about."""
    record(action, actor=actor_of(request), **event)
    for row in rows:
        LogEntry.objects.create(
            user_id=int(request.user.pk or 0),
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=str(row)[:200],
            action_flag=CHANGE,
            change_message=decision,
        )
