"""Encrypts every stored secret anew with the first of CREDENTIAL_KEYS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models

from audit.fields import EncryptedTextField, Sealed, Undecipherable, unseal
from audit.recorder import audited

_PAGE = 500
#: How often a value that changes under our hands is read again before it is left for the next run.
_TRIES = 5

Progress = Callable[[str, int, int], None]


@dataclass
class Rotation:
    """What happened to the values of one column."""

    column: str
    rotated: int = 0
    current: int = 0
    #: Made with a key that is not listed any more, or altered.
    unreadable: int = 0
    #: Written by others each time it was read.
    contended: int = 0

    @property
    def is_complete(self) -> bool:
        return not self.unreadable and not self.contended


def encrypted_columns() -> list[tuple[type[models.Model], EncryptedTextField]]:
    """Every encrypted column of every installed model."""
    return [
        (model, field)
        for model in apps.get_models()
        if model._meta.managed and not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def rotate_keys(*, dry_run: bool = False, progress: Progress = lambda column, done, total: None) -> list[Rotation]:
    """Rotates, or only counts. ``progress``: called with column, values seen, values in all.

    May be stopped and run again at any time: every value is its own conditional update, which happens only while the
    column still holds what was read. A login or a token refresh in between therefore stands, and is read again.
    """
    if dry_run:
        return _rotate(dry_run=True, progress=progress)
    with audited("credential_keys.rotate", actor="operator", subject=next(iter(settings.CREDENTIAL_KEYS))) as event:
        found = _rotate(dry_run=False, progress=progress)
        event.detail = {
            item.column: {"rotated": item.rotated, "current": item.current, "unreadable": item.unreadable}
            for item in found
        }
        if not all(item.is_complete for item in found):
            event.error = "Incomplete"
    return found


def _rotate(*, dry_run: bool, progress: Progress) -> list[Rotation]:
    found = []
    for model, field in encrypted_columns():
        rotation = Rotation(column=f"{model._meta.label}.{field.attname}")
        total = model._base_manager.count()
        for done, (pk, value) in enumerate(_values(model, field), 1):
            _rotate_value(model, field, pk, value, rotation, dry_run=dry_run)
            progress(rotation.column, done, total)
        found.append(rotation)
    return found


def _values(model: type[models.Model], field: EncryptedTextField) -> Iterator[tuple[Any, Sealed | None]]:
    """Primary key and sealed value of every row, a page at a time."""
    rows = model._base_manager.order_by("pk")
    page = list(rows.values_list("pk", field.attname)[:_PAGE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1][0]).values_list("pk", field.attname)[:_PAGE])


def _rotate_value(
    model: type[models.Model],
    field: EncryptedTextField,
    pk: Any,
    value: Sealed | None,
    rotation: Rotation,
    *,
    dry_run: bool,
) -> None:
    row = model(pk=pk)
    rows = model._base_manager.filter(pk=pk)
    for _ in range(_TRIES):
        if not value:
            return
        try:
            text = unseal(value, place=field.place(row))
        except Undecipherable:
            rotation.unreadable += 1
            return
        if value.split(".")[1] == next(iter(settings.CREDENTIAL_KEYS)):
            rotation.current += 1
            return
        if dry_run or rows.filter(**{field.attname: value}).update(**{field.attname: field.seal(row, text)}):
            rotation.rotated += 1
            return
        value = rows.values_list(field.attname, flat=True).first()
    rotation.contended += 1
