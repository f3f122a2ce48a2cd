"""Logs of messages: a connector document sends the newest message only, which here would replace the day's log."""

from __future__ import annotations

from typing import Any

from adapters.proxy.importing.notes import Notes
from adapters.proxy.importing.texts import paths_in, with_paths

_TEXT, _WHOLE = "message.subject", "composedLogDetails"


def with_whole_conversations(operations: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """The operations with the day's whole text in place of one message's, and with the request that reads it first."""
    if "createMessageLog" not in operations:
        return {name: value for name, value in operations.items() if name != "updateMessageLog"}
    found = dict(operations)
    if "updateMessageLog" not in found and not _as_calls_are_edited(found, notes):
        del found["createMessageLog"]
        notes.add(
            "operations.createMessageLog",
            "left out: without operations.updateMessageLog a day's further texts are lost",
        )
        return found
    update = found["updateMessageLog"]
    is_appending = update.get("method") == "POST"
    for name in ("createMessageLog", *(() if is_appending else ("updateMessageLog",))):
        if _TEXT in paths_in(found[name].get("body")):
            body = with_paths(found[name]["body"], lambda path: _WHOLE if path == _TEXT else path)
            found[name] = {**found[name], "body": body}
            notes.add(f"operations.{name}.body", f"{{{{{_TEXT}}}}} became {{{{{_WHOLE}}}}}: the texts of the whole day")
    if _WHOLE in paths_in(found["updateMessageLog"].get("body")) and "getMessageLog" not in found:
        _add_reading(found, notes)
    return found


def _as_calls_are_edited(found: dict[str, Any], notes: Notes) -> bool:
    """Adds an update like that of calls, where logs of messages are made at the same address as those of calls."""
    create_call, update_call = found.get("createCallLog", {}), found.get("updateCallLog", {})
    if not update_call or create_call.get("url") != found["createMessageLog"].get("url"):
        return False
    place = _place_of_text(found["createMessageLog"].get("body"))
    if not place or not isinstance(update_call.get("body"), dict):
        return False
    found["updateMessageLog"] = {
        "method": update_call.get("method", "PATCH"),
        "url": update_call["url"],
        "body": _nested(place, f"{{{{{_WHOLE}}}}}"),
    }
    notes.add("operations.updateMessageLog", "added after the example of updateCallLog: see whether it is right")
    return True


def _add_reading(found: dict[str, Any], notes: Notes) -> None:
    update, read_call = found["updateMessageLog"], found.get("getCallLog", {})
    mapping = read_call.get("responseMapping", {})
    if read_call.get("url") == update["url"] and mapping.get("fullBodyPath"):
        path = str(mapping["fullBodyPath"])
    else:
        where = str(found["createMessageLog"].get("responseMapping", {}).get("idPath", "body.id")).rpartition(".")[0]
        path = ".".join([where or "body", *_place_of_text(update.get("body"), _WHOLE)[-1:]])
    found["getMessageLog"] = {"url": update["url"], "responseMapping": {"fullBodyPath": path}}
    notes.add("operations.getMessageLog", f"added: it reads '{path}' before a text is added; see whether it is right")


def _place_of_text(node: Any, wanted: str = _TEXT) -> list[str]:
    """The names that lead to the member that holds the text; empty where there is none."""
    for key, item in node.items() if isinstance(node, dict) else ():
        if isinstance(item, str) and wanted in paths_in(item):
            return [key]
        if isinstance(item, dict) and (rest := _place_of_text(item, wanted)):
            return [key, *rest]
    return []


def _nested(names: list[str], value: Any) -> Any:
    for name in reversed(names):
        value = {name: value}
    return value
