"""Definitions and values that try to get out: to other hosts and resources, into headers, markup and templates."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import (
    CallLogChange,
    ConnectorError,
    ContactRef,
    Credentials,
    CredentialsRejected,
    LoggedCall,
    LogRef,
    OutboundPolicy,
    RequestRejected,
    UnexpectedResponse,
    UserProfile,
    parse_phone,
)
from adapters.proxy.definition import Definition, DefinitionError
from adapters.proxy.fit import misfits
from adapters.proxy.importing.connector import NoConnector, imported
from adapters.proxy.mistakes import Mistakes
from adapters.proxy.node_parser import parse_body, parse_url
from adapters.proxy.template import Html, Renderer, Template
from tests.declarative import HOST, Crm, adapter_for, definition_with, manifest_with

PHONE = parse_phone("+16505550112")
FIND = {"url": "/people", "responseMapping": {"listPath": "body.items"}}


@pytest.fixture
def crm():
    with Crm().answering() as crm:
        crm.will_answer({"id": 1, "items": [], "note": ""})
        yield crm


def _finding(tmp_path, find, **options):
    return adapter_for(tmp_path, definition_with({"findContact": {**FIND, **find}}), **options)


# --- definitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://api.grove.example/x",
        "https://evil.example/x",
        "https://api.grove.example.evil.example/x",
        "https://api.grove.example@evil.example/x",
        "https://evil.example:443@api.grove.example/x",
        "https://user:pw@api.grove.example/x",
        "https://api.grove.example:8443/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https:///x",
        "https:/api.grove.example/x",
        "https:api.grove.example/x",
        "HTTPS:\\\\evil.example\\x",
        "//evil.example/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://api.grove.example/x",
        "https://api.grove.example/../x",
        "/a/%2e%2E/x",
        "/a/../x",
        "/a\r\nX: y",
        "/a b",
        "/a\x00",
        "/x#y",
        "https://evil.example#.grove.example/x",
        "https://evil.example?.grove.example/x",
    ],
)
def test_a_definition_that_leads_elsewhere_is_refused(url):
    document = definition_with({"findContact": {**FIND, "url": url}})
    try:
        found = misfits(Definition.read(document), manifest_with())
    except DefinitionError as error:
        found = error.mistakes
    assert any(line.startswith("operations.findContact.url") for line in found), found


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "cookie",
        "Content-Length",
        "Transfer-Encoding",
        *("Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect", "Set-Cookie", "Cookie2"),
        "Proxy-Authorization",
        "X\r\nY",
        "X:",
        "",
        "Ü",
    ],
)
@pytest.mark.parametrize("place", ["defaultHeaders", "headers", "headerName"])
def test_headers_that_are_not_a_definitions_to_set_are_refused(name, place):
    find, members = dict(FIND), {}
    if place == "headers":
        find["headers"] = {name: "x"}
    else:
        members = {"auth": {"headerName": name}} if place == "headerName" else {"requestDefaults": {place: {name: "x"}}}
    with pytest.raises(DefinitionError):
        Definition.read(definition_with({"findContact": find}, **members))


@pytest.mark.parametrize(
    "template",
    [
        "{{__class__}}",
        "{{user.__class__.__mro__}}",
        "{{name.__init__}}",
        "{{7*7}}}",
        "{{ name | safe }}",
        "{{name()}} {{",
        "{{name['a']}}}}",
        "{{{{name}}}}",
        "{{}}",
        "{{ }}",
        "{{a.b.c.d.e.f.g.h.i.j.k}}",
        "{{name/../x}}",
        "{{na\nme}}",
        "{{{name}}}",
        "{name}",
        "${ name }",
        "#{user.id}",
    ],
)
def test_a_template_is_a_look_up_and_nothing_else(template):
    with pytest.raises(DefinitionError):
        Definition.read(definition_with({"findContactWithName": {**FIND, "query": {"q": template}}}))


@pytest.mark.parametrize(
    "template", ["{% if 1 %}x{% endif %}", "${api}", "%(name)s", "{x}", '{"name": 1}', "<%= name %>"]
)
def test_other_template_languages_are_plain_text(tmp_path, crm, template):
    _finding(tmp_path, {"query": {"q": template}}).find_contacts(PHONE)
    assert parse_qs(urlsplit(crm.last.url).query) == {"q": [template]}


def test_attributes_and_methods_of_values_are_out_of_reach():
    values = {"text": "abc", "list": [1], "profile": UserProfile(id=1, name="x")}
    for path in ("text.upper", "text.0", "list.append", "list.-1", "profile.name", "list.1", "list.٠"):
        assert Renderer(values).json(Template.parse("<{{" + path + "}}>")) == "<>"


def test_huge_documents_are_refused_quickly():
    wide = {"operations": {f"op{n}": {} for n in range(5000)}}
    with pytest.raises(DefinitionError) as raised:
        Definition.read(wide)
    assert len(raised.value.mistakes) == 5001
    deep: dict = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(DefinitionError):
        Definition.read(deep)
    long = "x" * 400_000
    with pytest.raises(DefinitionError) as raised:
        Definition.parse(json.dumps({long: 1, "operations": {"getUserInfo": {"url": "/{{" + long + "}}", long: 1}}}))
    assert all(len(line) < 1500 for line in raised.value.mistakes)


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "../users/1",
        "1/../../admin",
        "1?x=1",
        "1#x",
        "a/b",
        "%2e%2e/x",
        "1\r\nHost: x",
        "\x00",
        "ä ",
        "\ud800",
        "//evil",
        ";x",
        "a\\b",
        "https://evil.example/",
    ],
)
def test_an_id_is_one_segment_of_the_path_whatever_it_contains(tmp_path, crm, value):
    get = {"url": "/calls/{{thirdPartyLogId}}/note"}
    adapter_for(tmp_path, definition_with({"getCallLog": get})).get_call_log(LogRef(log_id=value))
    url = urlsplit(crm.last.url)
    assert (url.netloc, url.query, url.fragment) == (HOST, "", "")
    segments = url.path.split("/")
    assert segments[:3] + segments[4:] == ["", "v1", "calls", "note"]
    assert unquote(segments[3]) == value.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("value", [".", "..", ""])
def test_an_id_that_leads_upwards_is_refused(tmp_path, crm, value):
    get = {"url": "/calls/{{thirdPartyLogId}}"}
    with pytest.raises(RequestRejected):
        adapter_for(tmp_path, definition_with({"getCallLog": get})).get_call_log(LogRef(log_id=value))
    assert crm.requests == []


@pytest.mark.parametrize(
    "hostname",
    [
        "evil.example",
        "evil.example/.grove.example",
        "evil.example#.grove.example",
        "evil.example?.grove.example",
        "evil.example:443",
        "user@evil.example",
        "grove.example",
        ".grove.example",
        "a..grove.example",
        "127.0.0.1",
        "169.254.169.254",
        "[::1]",
        "localhost",
        "a.grove.example.evil.example",
        "a.grove.example:8443",
        "a.grove.example@evil.example",
        "a.grove.example\r\nX: y",
        "a.grove.example\\.evil.example",
        "agrove.example",
        "ａ.grove.example",
        "",
    ],
)
@pytest.mark.parametrize("url", ["https://{{user.hostname}}/x", "/x"])
def test_a_host_that_a_user_types_stays_within_the_manifest(tmp_path, crm, hostname, url):
    one = _finding(
        tmp_path,
        {"url": url, "query": {}},
        credentials=Credentials(access_token="k", hostname=hostname),
        base_url="https://{hostname}/v1",
        hosts=["*.grove.example"],
    )
    with pytest.raises((RequestRejected, CredentialsRejected)):
        one.find_contacts(PHONE)
    assert crm.requests == []


def test_part_of_a_host_cannot_bring_its_own_domain(tmp_path, crm):
    for region, sent in (("eu", 1), ("evil.example/", 0), ("a@b", 0), ("eu.evil", 1), ("", 0), ("-", 0), ("a:1", 0)):
        crm.requests.clear()
        user = UserProfile(id=1, name="x", extra={"region": region})
        find = {"url": "https://{{user.platformAdditionalInfo.region}}.grove.example/x"}
        with contextlib.suppress(RequestRejected):
            _finding(tmp_path, find, user=user).find_contacts(PHONE)
        assert len(crm.requests) == sent, region
        assert all(urlsplit(one.url).netloc.endswith(".grove.example") for one in crm.requests)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.7", "169.254.169.254", "[::1]"])
def test_a_manifest_that_lists_a_private_address_does_not_open_it(tmp_path, host):
    policy = OutboundPolicy(connect_timeout=0.5)
    one = _finding(tmp_path, {}, base_url=f"https://{host}/v1", hosts=[host], policy=policy)
    with pytest.raises(RequestRejected, check=lambda error: "not a public one" in error.reason):
        one.find_contacts(PHONE)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "é", "\u2028", {"a": 1}, ["a"]])
@pytest.mark.parametrize("template", ["{{user.platformAdditionalInfo.x}}", "v={{user.platformAdditionalInfo.x}}"])
def test_nothing_gets_into_the_headers(tmp_path, crm, value, template):
    user = UserProfile(id=1, name="x", extra={"x": value})
    one = _finding(tmp_path, {"headers": {"X-Value": template}}, user=user)
    if isinstance(value, str) or not template.startswith("v="):
        with pytest.raises(RequestRejected):
            one.find_contacts(PHONE)
        assert crm.requests == []
    else:
        one.find_contacts(PHONE)
        assert json.loads(crm.last.headers["X-Value"][2:]) == value


@pytest.mark.parametrize("key", ["k\r\nX: y", "k\x00", "ключ"])
def test_nothing_gets_into_the_login_header(tmp_path, crm, key):
    auth = {"headerName": "X-Key", "credentialTemplate": "{{apiKey}}", "encode": "none"}
    one = adapter_for(tmp_path, definition_with({"findContact": FIND}, auth=auth), key=key)
    with pytest.raises(RequestRejected):
        one.find_contacts(PHONE)
    assert crm.requests == []


def test_an_object_is_no_query_value(tmp_path, crm):
    user = UserProfile(id=1, name="x", extra={"x": {"a": 1}, "y": [[1]]})
    for path in ("x", "y"):
        with pytest.raises(RequestRejected):
            _finding(
                tmp_path, {"query": {"q": "{{user.platformAdditionalInfo." + path + "}}"}}, user=user
            ).find_contacts(PHONE)
    assert crm.requests == []


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/next",
        "//evil.example/next",
        "http://api.grove.example/next",
        "https://api.grove.example:8443/next",
        "https://x@api.grove.example/next",
        "https://other.grove.example/next",
        "https://[bad/next",
    ],
)
def test_the_next_page_is_on_the_same_host(tmp_path, crm, link):
    crm.replies = [(200, {"items": [{"id": 1}], "next": link}, {})]
    one = _finding(tmp_path, {"pagination": {"type": "link", "nextPath": "body.next"}})
    with pytest.raises((UnexpectedResponse, RequestRejected)):
        one.find_contacts(PHONE)
    assert len(crm.requests) == 1


def test_pages_without_end_are_cut(tmp_path, crm):
    crm.replies = [(200, {"items": [{"id": 1}], "next": "/v1/people"}, {})]
    _finding(tmp_path, {"pagination": {"type": "link", "nextPath": "body.next"}}).find_contacts(PHONE)
    assert len(crm.requests) == 5


def test_a_small_template_cannot_make_a_huge_request(tmp_path, crm):
    text = "x" * 200_000
    body = {f"k{n}": "{{existingCallLogDetails}}" for n in range(50)} | {"y": "{{note}}" * 50}
    get = {"url": "/x"}
    update = {"method": "PUT", "url": "/x", "body": body}
    one = adapter_for(tmp_path, definition_with({"getCallLog": get, "updateCallLog": update}))
    with pytest.raises(RequestRejected, check=lambda error: error.reason == "the request is too large"):
        one.update_call_log(LogRef(log_id="1"), CallLogChange(note=text, current=LoggedCall(raw=text)))
    assert crm.requests == []


def test_errors_tell_no_values(tmp_path, crm):
    user = UserProfile(id=1, name="x", extra={"x": "Pia Ostrow\r\n+16505550112"})
    with pytest.raises(RequestRejected) as raised:
        _finding(tmp_path, {"headers": {"X": "{{user.platformAdditionalInfo.x}}"}}, user=user).find_contacts(PHONE)
    assert "Pia" not in f"{raised.value} {raised.value.reason}"


# --- anything at all -----------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["meta", "auth", "requestDefaults", "operations", "getUserInfo", "findContact", "createCallLog", "url", "query",
     "headers", "body", "responseMapping", "item", "listPath", "idPath", "pagination", "type", "param", "size", "$html",
     "$choose", "from", "else", "choices", "credentialTemplate", "encode", "method", "name", "defaultHeaders",
     "platformAdditionalInfoPaths", "namePath", "phonePaths", "forEach", "$text", "$number", "multiply", "divide",
     "add", "decimals", "in", "sizeParam", "nextPath", "signIn", "updateMessageLog", "durationUnit",
     "overridingApiKeyPath"]
) | st.text(max_size=5)  # fmt: skip
TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "{{phoneNumber}}",
        "{{",
        "}}",
        "{{a.b}}",
        "body.id",
        "GET",
        "https://",
        "https://{{x}}",
        "/x",
        "text/html",
        "cursor",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=40,
)
OPERATION = st.dictionaries(NAMES, JSON, max_size=6)
DOCUMENT = JSON | st.fixed_dictionaries(
    {"operations": st.dictionaries(NAMES, OPERATION | JSON, max_size=4)},
    optional={"meta": JSON, "auth": OPERATION | JSON, "requestDefaults": OPERATION | JSON},
)
ANY = st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False) | JSON


def _mistakes_of(document):
    try:
        return misfits(Definition.read(document), manifest_with())
    except DefinitionError as error:
        return error.mistakes or ["no mistake was named"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENT)
def test_the_parser_raises_nothing_but_its_own_error(document):
    found = _mistakes_of(document)
    assert all(": " in line and line.isprintable() for line in found)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    DOCUMENT | st.fixed_dictionaries({"proxyConfig": DOCUMENT, "manifest": JSON, "name": JSON, "displayName": JSON}),
    JSON,
)
def test_an_import_takes_any_json_or_says_that_it_is_none(document, manifest):
    with contextlib.suppress(NoConnector):
        found = imported(document, "grove", manifest=manifest)
        assert json.dumps([found.definition, found.manifest])
        assert all(": " in line for line in (*found.notes, *found.mistakes))


def _places(node, way=()):
    yield way
    for key, item in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _places(item, (*way, key))


CONNECTORS = [
    json.loads((Path(__file__).parent / "connectors" / f"{name}.json").read_text()) for name in ("orchard", "grove")
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(CONNECTORS), st.data())
def test_an_import_stands_whatever_one_member_of_a_connector_holds(connector, data):
    way = data.draw(st.sampled_from([way for way in _places(connector) if way]))
    record = copy.deepcopy(connector)
    place = record
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = data.draw(ANY)

    with contextlib.suppress(NoConnector):
        found = imported(record, "pears")
        assert json.dumps([found.definition, found.manifest])


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_the_parser_takes_any_text(text):
    with pytest.raises(DefinitionError):
        Definition.parse(text)


@given(ANY, st.sampled_from(["/a/{{x}}/b", "/a/p{{x}}q/b", "https://api.grove.example/a/{{x}}/b"]))
def test_a_value_never_leaves_its_path_segment(value, text):
    url = parse_url(text, "url", Mistakes())
    try:
        address = Renderer({"x": value}).url(url)
    except RequestRejected:
        return
    parts = urlsplit(f"https://{HOST}{address}" if address.startswith("/") else address)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", HOST, "", "")
    assert len(parts.path.split("/")) == 4
    assert parts.path.isascii()
    assert parts.path.split("/")[2] not in (".", "..", "")


@given(ANY, st.sampled_from(["https://{{x}}/b", "https://{{x}}.grove.example/b", "https://a{{x}}.grove.example/b"]))
def test_a_value_never_leaves_its_place_in_the_host(value, text):
    try:
        address = Renderer({"x": value}).url(parse_url(text, "url", Mistakes()))
    except RequestRejected:
        return
    parts = urlsplit(address)
    assert (parts.path, parts.query, parts.username, parts.port) == ("/b", "", None, None)
    assert parts.netloc.endswith(text.partition("}}")[2].removesuffix("/b"))


@given(ANY, st.sampled_from(["{{x}}", "a {{x}} b"]))
def test_a_header_is_one_printable_line(value, text):
    try:
        header = Renderer({"x": value}).header(Template.parse(text))
    except RequestRejected:
        return
    assert header is None or (header.isascii() and (header.isprintable() or header == ""))


@given(ANY)
def test_a_value_never_becomes_markup(value):
    rendered = Renderer({"x": value}).json(Html(Template.parse('<a title="{{x}}">{{x}}</a>')))
    assert rendered.count("<") == rendered.count(">") == 2
    assert rendered.count('"') == 2
    assert "'" not in rendered


@given(JSON, ANY)
def test_a_body_is_json_of_the_same_shape_and_ends(template, value):
    mistakes = Mistakes()
    node = parse_body(template, "body", mistakes)
    if mistakes.found:
        return
    try:
        rendered = Renderer({"phoneNumber": value, "a": {"b": value}}).json(node)
    except RequestRejected:
        return
    if isinstance(rendered, dict | list | str):
        json.dumps(rendered)


@given(st.dictionaries(st.sampled_from(["id", "items", "note", "next", "name", "phone"]), ANY, max_size=4) | ANY)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_of_any_shape_raises_nothing_foreign(tmp_path_factory, answer):
    operations = {
        "findContact": {**FIND, "pagination": {"type": "cursor", "param": "c", "nextPath": "body.next"}},
        "getCallLog": {"url": "/x"},
    }
    with Crm().answering() as crm:
        crm.will_answer(answer)
        one = adapter_for(tmp_path_factory.mktemp("any"), definition_with(operations))
        for call in (
            lambda: one.user_profile(),
            lambda: one.find_contacts(PHONE),
            lambda: one.get_call_log(LogRef(log_id="1", contact=ContactRef(id=1))),
        ):
            with contextlib.suppress(ConnectorError):
                call()
