"""Makes the adapter class for a folder that holds a ``definition.json``, or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from adapters.contract import CrmAdapter, Manifest
from adapters.proxy.adapter import DeclarativeAdapter
from adapters.proxy.definition import Definition, DefinitionError
from adapters.proxy.fit import misfits

#: Required method of the contract -> the operation without which it can do nothing.
_REQUIRED = {
    "find_contacts": "findContact",
    "create_contact": "createContact",
    "create_call_log": "createCallLog",
    "get_call_log": "getCallLog",
    "update_call_log": "updateCallLog",
    "create_message_log": "createMessageLog",
    "update_message_log": "updateMessageLog",
}
#: Optional method of the contract -> the operation that offers it.
_OPTIONAL = {
    "find_contacts_by_name": "findContactWithName",
    "set_disposition": "upsertCallDisposition",
    "find_call_log": "findCallLog",
    "find_message_log": "findMessageLog",
    "list_users": "getUserList",
    "validate_session": "validateSession",
}


def mistakes_in(folder: Path, manifest: Manifest) -> list[str]:
    """What is wrong with a folder's definition, by itself and beside its manifest; never raises."""
    try:
        definition = _read(folder)
    except DefinitionError as error:
        return error.mistakes
    return misfits(definition, manifest)


def for_definition(folder: Path) -> type[CrmAdapter]:
    """The adapter that a folder's definition describes. Raises ``DefinitionError`` naming every mistake."""
    definition = _read(folder)
    lacking = frozenset(method for method, operation in _REQUIRED.items() if operation not in definition.operations)
    withheld = {method for method, operation in _OPTIONAL.items() if operation not in definition.operations}
    if definition.signs_in_with_form:
        withheld.add("refresh_user")
    look_up = definition.operations.get("findContact")
    members = {
        "definition": definition,
        "log_format": definition.log_format,
        "lacking": lacking,
        "finds_extensions": look_up is not None and look_up.uses("isExtension"),
        # a method that the definition does not fill is the base class's, which says that the CRM does not offer it
        **{name: getattr(CrmAdapter, name) for name in withheld},
    }
    return cast("type[CrmAdapter]", type("Adapter", (DeclarativeAdapter,), members))


def _read(folder: Path) -> Definition:
    try:
        return Definition.parse((folder / "definition.json").read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError([f"definition.json cannot be read: {type(error).__name__}"]) from None
