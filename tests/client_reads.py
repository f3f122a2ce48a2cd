"""What the extension reads of a reply without a guard: a missing field there leaves its user without a word."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests

LEVELS = ("success", "warning", "error")


def assert_readable(method: str, target: str, reply: requests.Response) -> Any:
    """The reply's body, once everything is there that the client reads of this endpoint's replies."""
    path = urlsplit(target).path
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert not 300 <= reply.status_code < 400, "a redirect breaks a preflight"
    is_json = reply.headers["Content-Type"].startswith("application/json")
    if not reply.ok and reply.status_code != 401 and path != "/apiKeyLogin":
        assert not is_json, "only a text is shown of an error"
        assert reply.text
        assert "<" not in reply.text
        return reply.text
    body = reply.json() if is_json else reply.text
    if reply.status_code == 401:
        assert body["errorCode"] == "CRM_SESSION_REVOKED"
    elif path == "/apiKeyLogin":
        assert bool(body.get("jwtToken")) is reply.ok, "any 2xx counts as a login"
    elif check := _READS.get((method, path)):
        check(body)
    if isinstance(body, dict) and path != "/callLog/cacheNote" and body.get("returnMessage") is not None:
        _message(body["returnMessage"])
    return body


def _message(message: dict[str, Any]) -> None:
    assert message["message"]
    assert message["messageType"] in LEVELS, "others are dropped silently"
    assert isinstance(message["ttl"], int)
    for part in message.get("details", []):
        assert part["title"]
        assert all(item["text"] and item["type"] == "text" and "id" in item for item in part["items"])


def _outcome(body: dict[str, Any]) -> None:
    assert isinstance(body["successful"], bool)
    assert "returnMessage" in body


def _info(info: dict[str, Any]) -> None:
    for value in info.values():
        assert value is not None, "null is spread, or its length is read"
        assert value != [], "an empty list fails on a switch of contacts"


def _contacts(body: dict[str, Any]) -> None:
    _outcome(body)
    assert isinstance(body["contact"], list)
    for contact in body["contact"]:
        assert contact["id"] not in (None, "")
        assert isinstance(contact["name"], str)
        assert isinstance(contact["additionalInfo"], dict)
        _info(contact["additionalInfo"])
    if not body["contact"]:
        _message(body["returnMessage"])


def _created(body: dict[str, Any]) -> None:
    _outcome(body)
    assert isinstance(body["contact"], dict), "its id is read before anything else"
    assert bool(body["contact"].get("id")) is body["successful"]
    _info(body["contact"].get("additionalInfo", {}))


def _matched(body: dict[str, Any]) -> None:
    _outcome(body)
    for row in body["logs"]:
        assert isinstance(row["sessionId"], str)
        assert isinstance(row["matched"], bool)
        assert ("logId" in row) is row["matched"]
        if "logData" in row:
            assert isinstance(row["logData"]["note"], str)
            assert isinstance(row["logData"]["subject"], str)
            assert isinstance(row["logData"]["dispositions"], dict)


def _messages(body: dict[str, Any]) -> None:
    _outcome(body)
    assert isinstance(body["logIds"], list)


def _told(body: dict[str, Any]) -> None:
    _outcome(body)
    _message(body["returnMessage"])


def _license(body: dict[str, Any]) -> None:
    assert isinstance(body["isLicenseValid"], bool)
    assert isinstance(body["licenseStatus"], str)
    assert isinstance(body["licenseStatusDescription"], str)


def _validated(body: dict[str, Any]) -> None:
    assert isinstance(body["successful"], bool)


def _settings(body: dict[str, Any]) -> None:
    assert all(isinstance(entry, dict) for entry in body.values())


def _call_down(body: dict[str, Any]) -> None:
    """Another shape, or a failure, shows an empty list."""
    assert body["successful"] is True
    for item in body["items"]:
        assert item["id"]
        assert item["status"] in ("called", "scheduled", "not called")
        for name in ("contactName", "phoneNumber", "contactType"):
            assert isinstance(item[name], str)
        for name in ("scheduledAt", "lastCallAt"):
            assert item[name] is None or datetime.fromisoformat(item[name])


def _mapping(body: list[dict[str, Any]]) -> None:
    """The client stores what it makes of this: any other shape would wipe the company's mapping."""
    assert isinstance(body, list)
    for row in body:
        assert row["crmUser"]["id"] not in (None, "")
        assert isinstance(row["crmUser"]["name"], str)
        if "rcUser" in row:
            assert row["rcUser"]["extensionId"]
            assert isinstance(row["rcUser"]["name"], str)


def _report(body: dict[str, Any]) -> None:
    """A date range is written into it, and counts that are missing show as 0."""
    assert isinstance(body, dict)
    assert isinstance(body["callLogStats"], dict)


def _manifest(body: dict[str, Any]) -> None:
    assert isinstance(body["serverUrl"], str)
    assert body["author"]["name"]
    for key, platform in body["platforms"].items():
        assert platform["name"] == key
        assert isinstance(platform["urlIdentifier"], str)
        assert isinstance(platform["embedUrls"], list)
        for form in ("callLog", "messageLog", "newContact"):
            assert isinstance(platform["page"][form]["additionalFields"], list)
        assert isinstance(platform["page"]["feedback"]["elements"], list)


_READS = {
    ("GET", "/contact"): _contacts,
    ("POST", "/contact"): _created,
    ("GET", "/custom/contact/search"): _contacts,
    ("GET", "/callLog"): _matched,
    ("POST", "/callLog"): _told,
    ("PATCH", "/callLog"): _told,
    ("PUT", "/callDisposition"): _outcome,
    ("POST", "/messageLog"): _messages,
    ("POST", "/callLog/cacheNote"): _outcome,
    ("POST", "/unAuthorize"): lambda body: (_message(body), _message(body["returnMessage"])),
    ("GET", "/licenseStatus"): _license,
    ("GET", "/calldown"): _call_down,
    ("POST", "/admin/userMapping"): _mapping,
    ("GET", "/ringcentral/admin/report"): _report,
    ("GET", "/ringcentral/admin/userReport"): _report,
    ("GET", "/user/settings"): _settings,
    ("POST", "/user/settings"): lambda body: _settings(body["userSettings"]),
    ("GET", "/user/preloadSettings"): lambda body: _settings(body["userSettings"]),
    ("GET", "/authValidation"): _validated,
    ("GET", "/userInfoHash"): lambda body: body["extensionId"] + body["accountId"],
    ("GET", "/serverVersionInfo"): lambda body: body["version"] + "",
    ("GET", "/crmManifest"): _manifest,
}
