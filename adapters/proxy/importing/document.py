"""The definition in a connector document: what is needed, in the form it has here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from adapters.proxy import schema
from adapters.proxy.definition import check_variable
from adapters.proxy.importing.messages import with_whole_conversations
from adapters.proxy.importing.notes import Notes
from adapters.proxy.importing.texts import paths_in, without_unknown
from adapters.proxy.mistakes import Mistakes
from adapters.proxy.template import path_fault

_OPERATION_KEYS = ("method", "url", "headers", "query", "body", "auth", "forEach", "pagination", "responseMapping")
_AUTH_KEYS = ("scheme", "headerName", "credentialTemplate", "encode")
_DEFAULTS = ("defaultHeaders", "defaultQuery", *schema.REFUSAL_KEYS)


def definition_from(document: Mapping[str, Any], key: str, notes: Notes) -> dict[str, Any]:
    """The definition for the platform ``key``; what was left out or changed is added to ``notes``."""
    meta = _object(document.get("meta"))
    log_format = meta.get("logFormat")
    operations = _operations(_object(document.get("operations")), notes)
    operations = with_whole_conversations(operations, notes)
    _keep_sign_in_fields(operations)
    auth = _auth(_object(document.get("auth")), "auth", notes)
    defaults = {name: value for name, value in _object(document.get("requestDefaults")).items() if name in _DEFAULTS}
    defaults = {**defaults, **_headers(defaults, "defaultHeaders", "requestDefaults", notes)}
    definition: dict[str, Any] = {
        "meta": {"name": key, **({"logFormat": log_format} if log_format in schema.LOG_FORMATS else {})},
        "auth": auth,
        "requestDefaults": defaults,
        "operations": operations,
    }
    return _with_known_variables({name: value for name, value in definition.items() if value}, notes)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _auth(value: Mapping[str, Any], place: str, notes: Notes) -> dict[str, Any]:
    auth = {name: item for name, item in value.items() if name in _AUTH_KEYS and item not in (None, "")}
    template = auth.get("credentialTemplate")
    if isinstance(template, str) and not paths_in(template):
        auth["credentialTemplate"] = "{{secretKey}}"
        notes.add(f"{place}.credentialTemplate", "held a key itself: put it into the environment variable below")
    return auth


def _operations(given: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        place = f"operations.{name}"
        if name not in schema.VARIABLES:
            notes.add(place, "left out: there is no such operation here")
        elif isinstance(value, dict):
            found[name] = _operation(name, value, place, notes)
    for name in [name for name, (other, _) in schema.NEEDS.items() if name in found and other not in found]:
        if name == "updateCallLog":
            del found[name]
            notes.add(f"operations.{name}", f"left out: without operations.getCallLog {schema.NEEDS[name][1]}")
    return found


def _operation(name: str, value: Mapping[str, Any], place: str, notes: Notes) -> dict[str, Any]:
    operation = {key: item for key, item in value.items() if key in _OPERATION_KEYS and item is not None}
    method = str(operation.get("method") or "GET").upper()
    if "method" in operation:
        operation["method"] = method
    url, _, query = str(operation.get("url") or "").partition("#")[0].partition("?")
    operation["url"] = url
    given = _object(operation.pop("query", {}))
    parameters = {key: item for key, item in {**_parameters(query), **given}.items() if item is not None}
    for key in [key for key, item in parameters.items() if isinstance(item, dict | list | float)]:
        del parameters[key]
        notes.add(f"{place}.query.{key}", "left out: a parameter is a text, a whole number or a switch")
    if parameters:
        operation["query"] = parameters
    operation |= _headers(operation, "headers", place, notes)
    if method == "GET" and operation.pop("body", None):
        notes.add(f"{place}.body", "left out: a GET has none")
    if not operation.get("body", True):
        del operation["body"]
    if "auth" in operation:
        operation["auth"] = _auth(_object(operation["auth"]), f"{place}.auth", notes)
    mapping = _mapping(name, _object(operation.pop("responseMapping", {})), f"{place}.responseMapping", notes)
    return {**operation, **({"responseMapping": mapping} if mapping else {})}


def _parameters(query: str) -> dict[str, str]:
    """The parameters of an address whose values may be templates."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {unquote(name.replace("+", " ")): unquote(value.replace("+", " ")) for name, _, value in pairs}


def _headers(entry: Mapping[str, Any], key: str, place: str, notes: Notes) -> dict[str, Any]:
    if key not in entry:
        return {}
    found = {}
    for name, value in _object(entry[key]).items():
        mistakes = Mistakes()
        mistakes.header_name(name, name)
        is_other_type = name.lower() == "content-type" and "json" not in str(value).lower()
        if mistakes.found or is_other_type or value is None:
            notes.add(f"{place}.{key}.{name}", "left out: it belongs to the connection, or to a body that is no JSON")
        else:
            found[name] = value if isinstance(value, str) else str(value)
    return {key: found}


def _mapping(name: str, given: Mapping[str, Any], place: str, notes: Notes) -> dict[str, Any]:
    kinds = schema.MAPPINGS.get(name, {})
    found = {key: value for key, value in given.items() if key in kinds and value not in (None, "", {})}
    if "listPath" in kinds and "listPath" not in found:
        found["listPath"] = "body"  # where the reference server looks then
    if isinstance(found.get("item"), dict):
        item = found["item"]
        found["item"] = {key: path for key, path in item.items() if key in schema.ITEM_KEYS and path not in (None, "")}
    kept = found.get("platformAdditionalInfoPaths")
    for key, path in list(kept.items()) if isinstance(kept, dict) else ():
        parts = str(path).split(".")
        is_secret = parts[0] == "additionalInfo" and parts[-1].lower() in schema.SECRET_FIELDS
        if parts[0] == "apiKey" or is_secret or path == found.get("overridingApiKeyPath"):
            del kept[key]  # type: ignore[union-attr]
            notes.add(f"{place}.platformAdditionalInfoPaths.{key}", "left out: it would keep a secret in the open")
    return found


def _keep_sign_in_fields(operations: dict[str, Any]) -> None:
    """The reference server keeps what was typed at sign-in; here getUserInfo says what is kept."""
    if "getUserInfo" not in operations:
        return
    mapping = operations["getUserInfo"].setdefault("responseMapping", {})
    kept = mapping.setdefault("platformAdditionalInfoPaths", {})
    used = [path.split(".") for path in paths_in(operations)]
    for parts in used:
        if parts[:2] != ["user", "platformAdditionalInfo"] or len(parts) < 3 or parts[2] in kept:
            continue
        if parts[2].lower() not in schema.SECRET_FIELDS and parts[2] != "proxyId":
            kept[parts[2]] = f"additionalInfo.{parts[2]}"
    if not kept:
        del mapping["platformAdditionalInfoPaths"]


def _with_known_variables(definition: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """Without variables that no template here may name."""
    operations = definition.get("operations", {})
    kept = _object(_object(operations.get("getUserInfo", {}).get("responseMapping")).get("platformAdditionalInfoPaths"))
    user = {**(schema.MEMBERS["user"] or {}), "platformAdditionalInfo": dict.fromkeys(kept)}
    members = {**schema.MEMBERS, "user": user}
    is_composed = "logFormat" in definition["meta"]

    def known_in(name: str) -> Any:
        names = schema.COMMON_VARIABLES | schema.VARIABLES.get(name, frozenset())
        if not is_composed and name in schema.COMPOSED:
            names -= {"composedLogDetails"}

        def is_known(path: str) -> bool:
            mistakes = Mistakes()
            check_variable(path, names, members, name, mistakes)
            return not mistakes.found and not path_fault(path)

        return is_known

    for part in ("auth", "requestDefaults"):
        if part in definition:
            definition[part] = without_unknown(definition[part], part, known_in(""), notes)
    for name, operation in operations.items():
        mapping = operation.pop("responseMapping", None)
        operations[name] = without_unknown(operation, f"operations.{name}", known_in(name), notes)
        if mapping is not None:
            operations[name]["responseMapping"] = mapping
    return definition
