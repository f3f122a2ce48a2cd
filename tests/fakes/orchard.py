"""A CRM that no Python here knows: nested payloads, pages by cursor, an API key in a header of its own."""

from __future__ import annotations

import itertools
import re
from typing import Any

from tests.fakes.vendor import Answer, FakeVendor, Refused, Request

HOST = "api.orchard.example"
KEY = "tree-key-1"
PASSWORD = "pears-and-plums"
PAGE = 2


class Orchard(FakeVendor):
    """People with numbers as they were typed, *touches* for calls and *threads* for conversations."""

    hosts = (HOST,)

    def __init__(self) -> None:
        self._ids = itertools.count(7000)
        self._employees = itertools.count(41)
        self.start_over()

    def start_over(self) -> int:
        """An empty CRM with another employee, whose number it returns."""
        self.people: dict[str, dict[str, Any]] = {}
        self.touches: dict[int, dict[str, Any]] = {}
        self.threads: dict[int, dict[str, Any]] = {}
        self.sessions: list[str] = []
        self.keys_seen: list[str] = []
        self._employee = next(self._employees)
        return self._employee

    def add_person(self, first: str, last: str, *numbers: str, **attributes: Any) -> str:
        person = f"per_{next(self._ids)}"
        self.people[person] = {
            "first": first,
            "last": last,
            "channels": [{"kind": "tel", "at": number} for number in numbers],
            "firm": None,
            "created": 1767225600000 + 1000 * len(self.people),
            **attributes,
        }
        return person

    def change_touch(self, number: int, text: str) -> str:
        """What somebody does in the CRM itself."""
        self.touches[number]["text"] = text
        return text

    def answer(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/v3/sessions"):
            return self._sign_in(request)
        key = request.headers.get("x-orchard-key", "")
        self.keys_seen.append(key)
        if key not in self.sessions or "authorization" in request.headers:
            raise Refused(401, {"problem": {"message": "Who are you?"}})
        for method, pattern, handler in (
            ("GET", "/v3/people", self._find),
            ("POST", "/v3/people", self._add),
            ("POST", "/v3/people/([^/]+)/touches", self._touch),
            ("GET", "/v3/touches", self._touches),
            ("GET", "/v3/touches/([^/]+)", self._one_touch),
            ("PUT", "/v3/touches/([^/]+)", self._edit_touch),
            ("POST", "/v3/people/([^/]+)/threads", self._thread),
            ("GET", "/v3/threads/([^/]+)", self._one_thread),
            ("PUT", "/v3/threads/([^/]+)", self._edit_thread),
            ("GET", "/v3/staff", self._staff),
            ("DELETE", "/v3/sessions/current", self._sign_out),
        ):
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return handler(request, *match.groups())
        raise Refused(404, {"problem": {"message": "No such thing."}})

    def _sign_in(self, request: Request) -> Answer:
        given = request.json
        if given.get("password") != PASSWORD:
            raise Refused(401, {"problem": {"message": "Wrong name or password."}})
        self.sessions.append(KEY)
        employee = {"number": self._employee, "label": "Kim Alder", "tz": "America/New_York", "firm": {"ref": "F-9"}}
        return Answer(status=201, json={"data": {"session": {"key": KEY}, "employee": employee}})

    def _sign_out(self, request: Request) -> Answer:
        self.sessions.clear()
        return Answer(status=204)

    def _find(self, request: Request) -> Answer:
        """A number is found only as it was typed; two at a time."""
        tel, name = request.query.get("tel"), request.query.get("named")
        found = [
            {"uid": uid, "attributes": {**person, "channels": person["channels"]}}
            for uid, person in self.people.items()
            if (tel and tel in [channel["at"] for channel in person["channels"]])
            or (name and name.lower() in f"{person['first']} {person['last']}".lower())
        ]
        start = int(request.query.get("after", "0") or 0)
        more = str(start + PAGE) if start + PAGE < len(found) else None
        return Answer(json={"data": {"items": found[start : start + PAGE]}, "meta": {"cursor": {"after": more}}})

    def _add(self, request: Request) -> Answer:
        person = request.json["person"]
        uid = self.add_person(person.get("first", ""), person["last"], person["tel"], kind=person["kind"])
        return Answer(status=201, json={"data": {"person": {"uid": uid, "attributes": self.people[uid]}}})

    def _touch(self, request: Request, person: str) -> Answer:
        if person not in self.people:
            raise Refused(404, {"problem": {"message": "Nobody of that id."}})
        number = next(self._ids)
        self.touches[number] = {"person": person, **request.json["touch"]}
        return Answer(status=201, json={"data": {"touch": {"ref": number}}})

    def _touches(self, request: Request) -> Answer:
        found = [
            {"ref": number, "outside": touch["outside"]}
            for number, touch in self.touches.items()
            if touch["outside"].startswith(request.query["outside"])
        ]
        return Answer(json={"data": {"items": found}})

    def _one_touch(self, request: Request, number: str) -> Answer:
        return Answer(json={"data": {"touch": self._of(self.touches, number)}})

    def _edit_touch(self, request: Request, number: str) -> Answer:
        self._of(self.touches, number).update(request.json["touch"])
        return Answer(status=204)

    def _thread(self, request: Request, person: str) -> Answer:
        number = next(self._ids)
        self.threads[number] = {"person": person, **request.json["thread"]}
        return Answer(status=201, json={"data": {"thread": {"ref": number}}})

    def _one_thread(self, request: Request, number: str) -> Answer:
        return Answer(json={"data": {"thread": self._of(self.threads, number)}})

    def _edit_thread(self, request: Request, number: str) -> Answer:
        self._of(self.threads, number).update(request.json["thread"])
        return Answer(json={"data": {}})

    def _staff(self, request: Request) -> Answer:
        start = int(request.query.get("after", "0"))
        staff = [
            {"number": 41 + index, "label": f"Person {index}", "mail": f"p{index}@x.example"} for index in range(5)
        ]
        more = str(start + PAGE) if start + PAGE < len(staff) else None
        return Answer(json={"data": {"staff": staff[start : start + PAGE]}, "meta": {"cursor": {"after": more}}})

    def _of(self, records: dict[int, dict[str, Any]], number: str) -> dict[str, Any]:
        if not number.isdigit() or int(number) not in records:
            raise Refused(404, {"problem": {"message": "No such record."}})
        return records[int(number)]
