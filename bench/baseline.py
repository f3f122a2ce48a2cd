"""A bare Django view that does the same database and CRM work, without anything else: what the tools themselves cost.

It reads the user's row, makes as many CRM requests as this server does (those of a look-up together, those of a log one
after the other, each thread with a ``requests.Session`` that it keeps), and writes a row of a log and one of a trail.
``BENCH_CALLS`` says how many: ``{"contact": 8, ...}``.
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
import jwt
import requests
from django.conf import settings

settings.configure(
    SECRET_KEY="bench",
    ROOT_URLCONF="bench.baseline",
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["BENCH_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    USE_TZ=True,
)
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402 - needs the settings
from django.db import models  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

_CALLS: dict[str, int] = json.loads(os.environ["BENCH_CALLS"])
_CRM = f"https://localhost:{os.environ['BENCH_CRM_PORT']}/v3.1"
_pool = ThreadPoolExecutor(64)
_local = threading.local()


class User(models.Model):  # noqa: DJ008 - nobody shows it
    """A login."""

    wire_id = models.CharField(max_length=100, unique=True)
    key = models.CharField(max_length=100)

    class Meta:
        app_label = "bench"


class Log(models.Model):  # noqa: DJ008 - nobody shows it
    """A call or conversation that is logged."""

    session = models.CharField(max_length=100, unique=True)
    crm_id = models.CharField(max_length=100, blank=True)

    class Meta:
        app_label = "bench"


class Event(models.Model):  # noqa: DJ008 - nobody shows it
    """One of the trail."""

    action = models.CharField(max_length=100)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"


def _user(request: HttpRequest) -> User:
    claims = jwt.decode(request.GET["jwtToken"], os.environ["APP_SERVER_SECRET_KEY"], algorithms=["HS256"])
    return User.objects.get(wire_id=claims["id"])


def _ask(method: str, path: str, key: str, **options: Any) -> Any:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False
        _local.session.verify = os.environ["OUTBOUND_CA_BUNDLE"]
    return _local.session.request(method, f"{_CRM}{path}", auth=(key, ""), timeout=30, **options).json()


def contact(request: HttpRequest) -> JsonResponse:
    user, phone = _user(request), request.GET["phoneNumber"]
    kind = "contact3" if request.GET["overridingFormat"] else "contact"
    search = {"field_name": "PHONE", "field_value": phone}
    together = [_pool.submit(_ask, "GET", "/Contacts/Search", user.key, params=search) for _ in range(_CALLS[kind])]
    found = together[0].result()[0]
    for other in together:
        other.result()
    Event.objects.create(action="contact.find")
    name = f"{found['FIRST_NAME']} {found['LAST_NAME']}"
    return JsonResponse({"successful": True, "contact": [{"id": found["CONTACT_ID"], "name": name}]})


def call_log(request: HttpRequest) -> JsonResponse:
    user = _user(request)
    if request.method == "GET":
        ids = request.GET["sessionIds"].split(",")
        logged = set(Log.objects.filter(session__in=ids).values_list("session", flat=True))
        content = json.dumps({"logs": [{"sessionId": one, "matched": one in logged} for one in ids]}).replace(" ", "")
        return JsonResponse(json.loads(content), json_dumps_params={"separators": (",", ":")})
    return _log(user, json.loads(request.body)["logInfo"]["sessionId"], "call")


def message_log(request: HttpRequest) -> JsonResponse:
    return _log(_user(request), json.loads(request.body)["logInfo"]["conversationLogId"], "messages")


def _log(user: User, session: str, kind: str) -> JsonResponse:
    log = Log.objects.create(session=session)
    for _ in range(_CALLS[kind]):
        event = _ask("POST", "/Events", user.key, json={"TITLE": session})
    log.crm_id = str(event["EVENT_ID"])
    log.save()
    Event.objects.create(action=kind)
    return JsonResponse({"successful": True, "logId": log.crm_id}, json_dumps_params={"separators": (",", ":")})


def prepare(wire_ids: list[str], sessions: list[str]) -> None:
    """Makes the tables, the users and logs of these sessions."""
    from django.db import connection

    with connection.schema_editor() as editor:
        for model in (User, Log, Event):
            editor.create_model(model)
    User.objects.bulk_create([User(wire_id=one, key=f"key-{one}") for one in wire_ids])
    Log.objects.bulk_create([Log(session=one, crm_id="1") for one in sessions])


urlpatterns = [path("contact", contact), path("callLog", call_log), path("messageLog", message_log)]
application = WSGIHandler()
