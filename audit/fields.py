"""An encrypted text column: AES-256-GCM, bound to its table, column and row."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

_NONCE = 12  # bytes; NIST SP 800-38D recommends 96 bits


class Undecipherable(ValueError):
    """The stored text was made with another key, for another row, or altered."""


class Sealed(str):
    """An encrypted value as it stands in the column: ``v1.<key id>.<base64 of nonce and ciphertext>``."""

    __slots__ = ()


def seal(text: str, *, place: str) -> Sealed:
    """Encrypts with the first key. ``place`` (``table.column.row id``) must be the same when it is opened."""
    if not text:
        return Sealed("")
    key_id, key = next(iter(settings.CREDENTIAL_KEYS.items()))
    nonce = os.urandom(_NONCE)
    secret = AESGCM(key).encrypt(nonce, text.encode(), place.encode())
    return Sealed(f"v1.{key_id}.{base64.urlsafe_b64encode(nonce + secret).decode()}")


def unseal(sealed: str, *, place: str) -> str:
    """Decrypts with the key the text names. Raises ``Undecipherable``."""
    if not sealed:
        return ""
    try:
        version, key_id, encoded = sealed.split(".")
        data = base64.urlsafe_b64decode(encoded)
        if version != "v1":
            raise ValueError
        return AESGCM(settings.CREDENTIAL_KEYS[key_id]).decrypt(data[:_NONCE], data[_NONCE:], place.encode()).decode()
    except (ValueError, KeyError, binascii.Error, InvalidTag):
        raise Undecipherable("a stored secret cannot be read with the configured CREDENTIAL_KEYS") from None


class EncryptedTextField(models.TextField):
    """Text that is encrypted on its way into the database and decrypted when the attribute is read.

    The row needs its primary key before it is saved (a UUID default), because the key is part of what is authenticated.
    """

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, _Decrypting(self))

    def place(self, instance: models.Model) -> str:
        return f"{instance._meta.db_table}.{self.column}.{instance.pk}"

    def seal(self, instance: models.Model, text: str) -> Sealed:
        """The encrypted form for this row, for use in a conditional ``update()``."""
        return seal(text, place=self.place(instance))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else Sealed(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            return value
        sealed = self.seal(model_instance, value)
        model_instance.__dict__[self.attname] = sealed
        return sealed

    def get_prep_value(self, value: Any) -> Any:
        if value in (None, "") or isinstance(value, Sealed):
            return value
        raise TypeError(f"{self.name} must be sealed for its row before it is written")


class _Decrypting:
    """Reads the attribute in clear; keeps it sealed in memory until then."""

    def __init__(self, field: EncryptedTextField) -> None:
        self.field = field

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        value = instance.__dict__[self.field.attname]
        return unseal(value, place=self.field.place(instance)) if isinstance(value, Sealed) else value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value
