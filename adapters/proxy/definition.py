"""A definition, read strictly: either it can be used as it stands, or every mistake in it is named with its path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import LogFormat
from adapters.proxy import schema
from adapters.proxy.mistakes import Mistakes
from adapters.proxy.node_parser import (
    MOST_DEPTH,
    deeper_than,
    header_map,
    parse_body,
    parse_template,
    parse_url,
    query_map,
)
from adapters.proxy.refusals import MEANINGS, Refusals
from adapters.proxy.response_parser import parse_mapping
from adapters.proxy.template import Choose, Html, Number, Template, Text, UrlTemplate, path_fault

#: Characters of a file.
_MOST_TEXT = 500_000
_MOST_PLACEHOLDERS = 200
_MOST_PAGES = 20
_KEPT = "user.platformAdditionalInfo"
#: What other template languages write.
_SINGLE_BRACES = re.compile(r"\{\s*([A-Za-z][A-Za-z0-9.]*)\s*\}", re.ASCII)

_Held = Mapping[str, schema.Members | None]


class DefinitionError(ValueError):
    """The definition cannot be used. ``mistakes``: all of them, each beginning with its path."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class AuthRule:
    """How the credential travels."""

    scheme: str = ""
    header: str = "Authorization"
    credential: Template | None = None
    in_base64: bool = True


@dataclass(frozen=True, kw_only=True)
class Pagination:
    """How further pages are asked for; ``next_path`` is where the answer names the next one."""

    type: str
    param: str = ""
    size_param: str = ""
    size: int = 0
    first: int = 1
    next_path: str = ""
    most_pages: int = 5
    #: Whether ``param`` and ``size_param`` are paths into the JSON body instead of names in the query.
    in_body: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One request and where its results are."""

    name: str
    method: str
    url: UrlTemplate
    headers: Mapping[str, Template] = field(default_factory=dict)
    #: Templates, or ``Text``, ``Number`` and ``Choose`` nodes.
    query: Mapping[str, Any] = field(default_factory=dict)
    #: Templates within plain JSON; None: no body is sent.
    body: Any = None
    auth: AuthRule | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    for_each_format: bool = False
    pagination: Pagination | None = None

    @property
    def is_read(self) -> bool | None:
        """True: even a POST may be repeated; None: as its method says."""
        return True if self.name in schema.READS else None

    def templates(self) -> Iterator[tuple[str, Template]]:
        """Every template of the request with its place."""
        where = f"operations.{self.name}"
        yield from ((f"{where}.url", part) for part in (self.url.host, self.url.path) if part)
        yield from _templates_in({"headers": self.headers, "query": self.query, "body": self.body}, where)
        yield from _templates_in(self.auth.credential if self.auth else None, f"{where}.auth.credentialTemplate")

    def variables(self) -> Iterator[tuple[str, str]]:
        """``(place, path)`` of every variable the request uses."""
        return ((place, path) for place, template in self.templates() for path in template.paths)

    def uses(self, name: str) -> bool:
        return any(path.split(".")[0] == name for _, path in self.variables())


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A CRM as data; ``name`` is its platform key, "" where the document does not repeat it."""

    name: str
    log_format: LogFormat
    auth: AuthRule
    headers: Mapping[str, Template]
    query: Mapping[str, Any]
    #: Where an answer says that it is a refusal, and why.
    refusals: Refusals
    operations: Mapping[str, Operation]

    @property
    def signs_in_with_form(self) -> bool:
        """Whether reading the user needs what was typed at sign-in, so that it can be done only then."""
        requests = [self.operations[name] for name in schema.SIGN_IN if name in self.operations]
        return any(one.uses("additionalInfo") or "overridingApiKeyPath" in one.mapping for one in requests)

    def shared_templates(self) -> Iterator[tuple[str, Template]]:
        """The templates that every request uses, with their places."""
        yield from _templates_in({"defaultHeaders": self.headers, "defaultQuery": self.query}, "requestDefaults")
        yield from _templates_in(self.auth.credential, "auth.credentialTemplate")

    def variables(self) -> Iterator[tuple[str, str]]:
        """``(place, path)`` of every variable of all requests."""
        yield from ((place, path) for place, template in self.shared_templates() for path in template.paths)
        for operation in self.operations.values():
            yield from operation.variables()

    @classmethod
    def parse(cls, text: str) -> Definition:
        """Raises ``DefinitionError``."""
        if len(text) > _MOST_TEXT:
            raise DefinitionError([f"the file has more than {_MOST_TEXT} characters"])
        try:
            document = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise DefinitionError([f"definition.json: not JSON: {error}"]) from None
        return cls.read(document)

    @classmethod
    def read(cls, document: Any) -> Definition:
        """The same for decoded JSON. Raises ``DefinitionError``."""
        mistakes = Mistakes()
        if deeper_than(document, MOST_DEPTH):
            raise DefinitionError([f"the document is nested more than {MOST_DEPTH} levels deep"])
        top = mistakes.object(
            document, "", ("$schema", "meta", "auth", "requestDefaults", "operations"), "the definition"
        )
        meta = mistakes.object(top.get("meta", {}), "meta", ("name", "logFormat"))
        log_format = mistakes.one_of(meta, "logFormat", "meta", schema.LOG_FORMATS, "custom")
        defaults = mistakes.object(
            top.get("requestDefaults", {}),
            "requestDefaults",
            ("defaultHeaders", "defaultQuery", *schema.REFUSAL_KEYS),
        )
        definition = cls(
            name=mistakes.text(meta, "name", "meta"),
            log_format=LogFormat(log_format),
            auth=_auth(top.get("auth", {}), "auth", mistakes),
            headers=header_map(defaults, "defaultHeaders", "requestDefaults", mistakes),
            query=query_map(defaults, "defaultQuery", "requestDefaults", mistakes),
            refusals=_refusals(defaults, "requestDefaults", mistakes),
            operations=_operations(top.get("operations"), mistakes),
        )
        _check_together(definition, mistakes)
        if mistakes.found:
            raise DefinitionError(mistakes.found)
        return definition


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refusals(entry: Mapping[str, Any], path: str, mistakes: Mistakes) -> Refusals:
    paths = {
        key: mistakes.answer_path(entry, key, path, schema.ANSWER_ROOTS)
        for key in ("errorMessagePath", "successPath", "errorPath", "errorCodePath")
    }
    codes: dict[str, str] = {}
    for key in MEANINGS:
        listed = entry.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(code, str | int) and code is not True for code in listed):
            mistakes.add(f"{path}.{key}", "must be a list of codes")
        elif listed and not paths["errorCodePath"]:
            mistakes.add(f"{path}.{key}", f"needs {path}.errorCodePath: where an answer has its code")
        else:
            codes |= {str(code): key for code in listed}
    return Refusals(
        message_path=paths["errorMessagePath"],
        success_path=paths["successPath"],
        error_path=paths["errorPath"],
        code_path=paths["errorCodePath"],
        codes=codes,
    )


def _auth(value: Any, path: str, mistakes: Mistakes) -> AuthRule:
    rule = mistakes.object(value, path, ("scheme", "headerName", "credentialTemplate", "encode"))
    header = mistakes.header_name(mistakes.text(rule, "headerName", path, "Authorization"), f"{path}.headerName")
    scheme = mistakes.text(rule, "scheme", path)
    if scheme and not mistakes.is_token(scheme):
        mistakes.add(f"{path}.scheme", "must be one word")
    template = mistakes.text(rule, "credentialTemplate", path)
    credential = parse_template(template, f"{path}.credentialTemplate", mistakes) if template else None
    if credential and not credential.paths:
        mistakes.add(
            f"{path}.credentialTemplate",
            "has no variable; a key is not written here: "
            "name its environment variable in manifest.json (server.secrets) and use {{secrets.NAME}}",
        )
    encode = mistakes.one_of(rule, "encode", path, ("base64", "none"), "base64")
    return AuthRule(scheme=scheme, header=header, credential=credential, in_base64=encode == "base64")


def _operations(value: Any, mistakes: Mistakes) -> dict[str, Operation]:
    if value is None:
        mistakes.add("operations", "is missing")
        return {}
    entries = mistakes.object(value, "operations", tuple(schema.VARIABLES))
    found = {name: _operation(name, entry, mistakes) for name, entry in entries.items() if name in schema.VARIABLES}
    if "getUserInfo" not in entries:
        mistakes.add("operations.getUserInfo", "is missing: nobody could sign in")
    return found


def _operation(name: str, value: Any, mistakes: Mistakes) -> Operation:
    path = f"operations.{name}"
    keys = ["method", "url", "headers", "query", "body", "auth", "responseMapping"]
    keys += ["forEach"] if name == "findContact" else []
    keys += ["pagination"] if name in schema.PAGED else []
    entry = mistakes.object(value, path, tuple(keys))
    method = mistakes.text(entry, "method", path, "GET").upper()
    if method not in schema.METHODS:
        mistakes.add(f"{path}.method", f"must be one of {', '.join(schema.METHODS)}")
    elif method == "GET" and name in schema.WRITES:
        mistakes.add(f"{path}.method", "must be POST, PUT, PATCH or DELETE: a GET, the default, may be sent twice")
    elif method == "GET" and "body" in entry:
        mistakes.add(f"{path}.body", "is not sent with GET")
    if "url" not in entry:
        mistakes.add(f"{path}.url", "is missing")
    body = _body(entry.get("body"), f"{path}.body", mistakes)
    pagination = _pagination(entry["pagination"], f"{path}.pagination", mistakes) if "pagination" in entry else None
    if pagination and pagination.in_body and (method == "GET" or not isinstance(body, dict)):
        mistakes.add(f"{path}.pagination.in", "needs a body that is an object, and another method than GET")
    if "forEach" in entry and entry["forEach"] != "phoneFormats":
        mistakes.add(f"{path}.forEach", "must be 'phoneFormats'")
    return Operation(
        name=name,
        method=method,
        url=parse_url(mistakes.text(entry, "url", path), f"{path}.url", mistakes),
        headers=header_map(entry, "headers", path, mistakes),
        query=query_map(entry, "query", path, mistakes),
        body=body,
        auth=_auth(entry["auth"], f"{path}.auth", mistakes) if "auth" in entry else None,
        mapping=parse_mapping(name, entry, path, mistakes),
        for_each_format="forEach" in entry,
        pagination=pagination,
    )


def _body(value: Any, path: str, mistakes: Mistakes) -> Any:
    body = None if value is None else parse_body(value, path, mistakes)
    is_text = (isinstance(body, Template) and not body.is_single) or isinstance(body, Html | Text | Number)
    if is_text or isinstance(body, bool | int | float):
        mistakes.add(path, "must be an object or a list: it is sent as JSON")
    return body


def _pagination(value: Any, path: str, mistakes: Mistakes) -> Pagination:
    keys = ("type", "in", "param", "sizeParam", "size", "first", "nextPath", "maxPages")
    entry = mistakes.object(value, path, keys)
    kind = mistakes.one_of(entry, "type", path, schema.PAGINATION_TYPES, "page")
    pagination = Pagination(
        type=kind,
        param=mistakes.text(entry, "param", path),
        size_param=mistakes.text(entry, "sizeParam", path),
        size=mistakes.whole(entry, "size", path, 0, least=1, most=10_000),
        first=mistakes.whole(entry, "first", path, 0 if kind == "offset" else 1, least=0, most=1),
        next_path=mistakes.answer_path(entry, "nextPath", path, schema.ANSWER_ROOTS),
        most_pages=mistakes.whole(entry, "maxPages", path, 5, least=1, most=_MOST_PAGES),
        in_body=mistakes.one_of(entry, "in", path, ("query", "body"), "query") == "body",
    )
    for key in ("param", "sizeParam") if pagination.in_body else ():
        if fault := path_fault(str(entry.get(key) or "x")):
            mistakes.add(f"{path}.{key}", fault)
    if pagination.in_body and kind == "link":
        mistakes.add(f"{path}.in", "has no meaning for pagination by link")
    if "type" not in entry:
        mistakes.add(f"{path}.type", "is missing")
    needed = {"page": ("param", "size"), "offset": ("param", "size"), "cursor": ("param", "nextPath"), "link": ()}
    for key in needed[kind]:
        if key not in entry:
            mistakes.add(f"{path}.{key}", f"is missing: pagination by {kind} needs it")
    return pagination


def _templates_in(node: Any, place: str) -> Iterator[tuple[str, Template]]:
    """Every template in a body, or in an object of templates, with its place."""
    match node:
        case Template():
            yield place, node
        case Html() | Text() | Number() | Choose():
            yield f"{place}.{node.key}", node.template
        case Mapping():
            for key, item in node.items():
                yield from _templates_in(item, f"{place}.{key}")
        case list():
            for index, item in enumerate(node):
                yield from _templates_in(item, f"{place}.{index}")


def _check_together(definition: Definition, mistakes: Mistakes) -> None:
    """What only shows when the parts are seen side by side."""
    kept = definition.operations["getUserInfo"].mapping if "getUserInfo" in definition.operations else {}
    kept = kept.get("platformAdditionalInfoPaths", {})
    user = {**(schema.MEMBERS["user"] or {}), "platformAdditionalInfo": dict.fromkeys(kept)}
    members = {**schema.MEMBERS, "user": user}
    for place, template in definition.shared_templates():
        _check_variables(template, schema.COMMON_VARIABLES, members, place, mistakes)
        _check_braces(template, schema.COMMON_VARIABLES, place, mistakes)
    for name, operation in definition.operations.items():
        where = f"operations.{name}"
        known = schema.COMMON_VARIABLES | schema.VARIABLES[name]
        for place, template in operation.templates():
            _check_variables(template, known, members, place, mistakes)
            if place != f"{where}.url":  # where no brace may stand alone
                _check_braces(template, known, place, mistakes)
        for place, path in operation.variables() if definition.log_format is LogFormat.CUSTOM else ():
            if path == "composedLogDetails" and name in schema.COMPOSED:
                mistakes.add(place, "there is no composedLogDetails without meta.logFormat")
        if name == "updateMessageLog":
            _check_appending(operation, mistakes)
        if len(list(operation.variables())) > _MOST_PLACEHOLDERS:
            mistakes.add(where, f"has more than {_MOST_PLACEHOLDERS} placeholders")
        if name in schema.NEEDS and schema.NEEDS[name][0] not in definition.operations:
            other, why = schema.NEEDS[name]
            mistakes.add(where, f"needs operations.{other}: {why}")
        if operation.for_each_format != operation.uses("phoneFormat"):
            mistakes.add(where, '"forEach": "phoneFormats" and {{phoneFormat}} belong together')
    _check_sign_in(definition, mistakes)
    update = definition.operations.get("updateMessageLog")
    if update and update.uses("composedLogDetails") and "getMessageLog" not in definition.operations:
        mistakes.add("operations.updateMessageLog", "needs operations.getMessageLog to compose on what stands there")


def _check_appending(operation: Operation, mistakes: Mistakes) -> None:
    """A PUT or PATCH of the new messages' text alone would replace what stands in the log."""
    if operation.method not in ("PUT", "PATCH") or operation.uses("composedLogDetails"):
        return
    for place, path in operation.variables():
        root, *rest = path.split(".")
        if (root == "message" and rest in ([], ["subject"])) or (root == "messages" and rest[1:] in ([], ["subject"])):
            mistakes.add(
                place,
                f"'{path}' would take the place of what stands in the log, unread: "
                "write '{{composedLogDetails}}', which holds that and the new messages",
            )


def _check_sign_in(definition: Definition, mistakes: Mistakes) -> None:
    """What was answered to the first request may be used by the second, but no key of it be kept in the open."""
    first, user_info = definition.operations.get("signIn"), definition.operations.get("getUserInfo")
    if user_info is None:
        return
    at = "operations.getUserInfo"
    paths = [(f"{at}.responseMapping.{place}", path) for place, path in _paths_in(user_info.mapping)]
    for place, path in (*user_info.variables(), *paths):
        if path.split(".")[0] == "signIn" and first is None:
            mistakes.add(place, "there is no operations.signIn whose answer could be read")
    if first is None:
        return
    key = str(first.mapping.get("overridingApiKeyPath", "")).removeprefix("body.")
    for name, path in user_info.mapping.get("platformAdditionalInfoPaths", {}).items():
        if path == "signIn" or (key and path == f"signIn.{key}"):
            mistakes.add(f"{at}.responseMapping.platformAdditionalInfoPaths.{name}", "would keep the key in the open")


def _paths_in(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", path) for name, path in value.items() if isinstance(path, str))
        elif isinstance(value, list):
            yield from ((key, path) for path in value if isinstance(path, str))
        elif isinstance(value, str):
            yield key, value


def _check_variables(template: Template, known: frozenset[str], members: _Held, place: str, mistakes: Mistakes) -> None:
    for path in template.paths:
        check_variable(path, known, members, place, mistakes)


def _check_braces(template: Template, known: frozenset[str], place: str, mistakes: Mistakes) -> None:
    for name in (name for literal in template.parts[::2] for name in _SINGLE_BRACES.findall(literal)):
        if name.split(".")[0] in known:
            mistakes.add(place, f"'{{{name}}}' is plain text; a variable has two braces: '{{{{{name}}}}}'")


def check_variable(path: str, known: frozenset[str], members: _Held, place: str, mistakes: Mistakes) -> None:
    """A name that can never have a value would be left out in silence."""
    root, *rest = path.split(".")
    if root not in known:
        mistakes.add(place, f"there is no variable '{root}' here", like=(root, known))
        return
    held, outer = members.get(root, {}), root
    for part in rest:
        if held is None:
            return
        if schema.ELEMENT in held and not (part.isascii() and part.isdigit()):
            mistakes.add(place, f"'{path}': '{outer}' is a list, whose elements go by number: '{outer}.0'")
            return
        if schema.ELEMENT not in held and part not in held:
            names = ", ".join(held)
            there = f"there is {names}" if held else "it is a single value"
            there = f"getUserInfo keeps {names or 'nothing'}" if outer == _KEPT else there
            mistakes.add(place, f"'{path}': '{outer}' has no '{part}'; {there}")
            return
        held, outer = held[schema.ELEMENT if schema.ELEMENT in held else part], f"{outer}.{part}"
