"""How often somebody may ask, and what they are told when it was too often."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import redis
import requests
from django.test import Client

from connectors.api.authentication import issue_token
from connectors.api.throttling import client_address
from connectors.models import RequestCount
from connectors.services import request_counts
from connectors.services.request_counts import seconds_to_wait
from tests.factories import CrmUserFactory
from tests.live_server import ROOT, live_server

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
ORIGIN = {"HTTP_ORIGIN": "chrome-extension://kkhkjhaf"}
SCOPES = ("user", "login", "address", "hash", "wrong_token")


@pytest.fixture
def limits(settings):
    """Limits of a test: ``limits(user=(2, 60))``; the others are out of the way."""

    def use(**changes):
        settings.THROTTLES = {**dict.fromkeys(SCOPES, (10_000, 60)), **changes}

    return use


@pytest.fixture(autouse=True)
def _middle_of_a_window(monkeypatch):
    """No test falls on the edge of two windows."""
    at = 1_800_000_010.0
    monkeypatch.setattr(request_counts.time, "time", lambda: at)


def _too_often(reply):
    assert reply.status_code == 429
    assert reply.content.decode() == "Too many requests. Please wait a moment and try again."
    assert reply["Content-Type"] == "text/plain; charset=utf-8"
    assert 1 <= int(reply["Retry-After"]) <= 61
    assert reply["Access-Control-Allow-Origin"] == "*"
    return True


@pytest.mark.django_db
def test_a_user_is_counted_alone_whatever_the_address(client, limits):
    limits(user=(2, 60))
    mine, other = issue_token(CrmUserFactory()), issue_token(CrmUserFactory())
    for address in ("203.0.113.1", "203.0.113.2"):
        assert client.get(f"/hostname?jwtToken={mine}", REMOTE_ADDR=address).status_code == 200
    assert _too_often(client.get(f"/hostname?jwtToken={mine}", REMOTE_ADDR="203.0.113.3", **ORIGIN))
    assert client.get(f"/hostname?jwtToken={other}").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/isAlive", "/crmManifest", "/unknown", "/api/docs/", "/pipedrive-redirect"])
def test_an_address_is_counted_on_everything(client, limits, path):
    limits(address=(2, 60))
    for _ in range(2):
        assert client.get(path).status_code != 429
    assert _too_often(client.get(path, **ORIGIN))
    assert client.get(path, REMOTE_ADDR="203.0.113.9").status_code != 429


@pytest.mark.django_db
def test_an_office_that_starts_its_day_gets_its_hashes_and_an_endless_list_is_refused(client, limits):
    limits(login=(1, 60), hash=(3, 60))
    for _ in range(3):
        assert client.get("/userInfoHash?extensionId=1", **ORIGIN).status_code == 200
    assert _too_often(client.get("/userInfoHash?extensionId=2", **ORIGIN))


@pytest.mark.django_db
def test_a_preflight_is_never_refused(client, limits):
    limits(address=(1, 60))
    for _ in range(3):
        reply = client.options("/callLog", HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST", **ORIGIN)
        assert reply.status_code == 204


@pytest.mark.django_db
def test_logins_are_counted_per_address_and_platform(client, limits):
    limits(login=(2, 60))

    def log_in(platform, address="203.0.113.1"):
        body = {"platform": platform, "apiKey": "", "hostname": ""}
        return client.post("/apiKeyLogin", body, content_type="application/json", REMOTE_ADDR=address, **ORIGIN)

    for _ in range(2):
        assert log_in("testCRM").status_code == 400
    assert _too_often(log_in("testCRM"))
    assert _too_often(log_in("TESTcrm"))
    assert log_in("testCRM", "203.0.113.2").status_code == 400
    for _ in range(2):
        assert log_in("pipedrive").status_code == 400
        assert log_in("nowhere").status_code == 400
    assert _too_often(log_in("no-such-platform-either"))


@pytest.mark.django_db
def test_an_oauth_callback_counts_for_the_platform_in_its_state(client, limits):
    limits(login=(1, 60))
    target = "/oauth-callback?callbackUri=https://ringcentral.github.io/x?error=access_denied%26state=platform={}"
    assert client.get(target.format("testCRM")).status_code == 200
    assert _too_often(client.get(target.format("testCRM"), **ORIGIN))
    assert client.get(target.format("pipedrive")).status_code != 429


@pytest.mark.django_db
def test_wrong_tokens_are_counted_and_good_ones_from_the_same_office_still_pass(client, limits):
    limits(wrong_token=(2, 60))
    good = issue_token(CrmUserFactory())
    assert client.get("/hostname?jwtToken=guess-1").status_code == 400
    assert client.get("/hostname", HTTP_AUTHORIZATION="Bearer guess-2").status_code == 400
    assert _too_often(client.get("/hostname?jwtToken=guess-3", **ORIGIN))
    assert client.get(f"/hostname?jwtToken={good}").status_code == 200
    assert client.get("/hostname").status_code == 400  # no token is no guess


@pytest.mark.django_db
def test_nobody_passes_for_another_address_by_a_header(client, limits, settings):
    limits(address=(1, 60))
    assert client.get("/isAlive", HTTP_X_FORWARDED_FOR="203.0.113.7").status_code == 200
    assert _too_often(client.get("/isAlive", HTTP_X_FORWARDED_FOR="203.0.113.8", **ORIGIN))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (2, "198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (5, "198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (1, "", "127.0.0.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
        (1, "203.0.113.7:50123", "203.0.113.7"),
        (1, "[2001:db8:1:2::9]:50123", "2001:db8:1:2::"),
        (1, "[::ffff:203.0.113.7]", "203.0.113.7"),
        (1, "x" * 300, "x" * 64),
    ],
)
def test_the_callers_address_is_what_the_trusted_proxies_saw(rf, settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert client_address(rf.get("/", HTTP_X_FORWARDED_FOR=forwarded)) == expected


@pytest.mark.django_db
def test_a_new_window_starts_at_zero(limits):
    limits(login=(1, 60))
    assert seconds_to_wait("login", "a", now=600.0) is None
    assert seconds_to_wait("login", "a", now=630.0) == 30.0
    assert seconds_to_wait("login", "a", now=660.0) is None


@pytest.mark.django_db
def test_a_high_limit_costs_no_query_for_most_requests(limits, django_assert_num_queries):
    limits(user=(400, 60))
    with django_assert_num_queries(0):
        for _ in range(9):
            seconds_to_wait("user", "a")
    seconds_to_wait("user", "a")
    assert RequestCount.objects.get().hits == 10


@pytest.mark.django_db
def test_other_processes_count_too(limits):
    limits(login=(3, 60))
    for _ in range(2):
        assert seconds_to_wait("login", "a") is None
        request_counts.forget_counts()  # as another process, which knows nothing of ours
    assert seconds_to_wait("login", "a") is None
    assert seconds_to_wait("login", "a") is not None


@pytest.mark.django_db
def test_no_address_or_id_is_stored(limits):
    limits(login=(30, 60))
    seconds_to_wait("login", "203.0.113.7 testCRM")
    key = RequestCount.objects.get().key
    assert "203.0.113" not in key
    assert "testCRM" not in key


def test_a_store_out_of_reach_stops_nobody_but_the_own_count_holds(limits, settings, monkeypatch):
    def broken(*arguments, **options):
        raise redis.ConnectionError

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(request_counts.cache, "add", broken)
    limits(login=(2, 60))
    assert [seconds_to_wait("login", "a") is None for _ in range(3)] == [True, True, False]


def redis_is_there():
    try:
        return redis.Redis.from_url(REDIS, socket_connect_timeout=1).ping()
    except redis.RedisError:
        return False


@pytest.mark.services
@pytest.mark.skipif(not redis_is_there(), reason=f"no Redis at {REDIS}")
def test_two_processes_share_one_limit_through_redis(tmp_path):
    connection = redis.Redis.from_url(REDIS)
    connection.flushdb()
    counting = (
        "import django; django.setup(); from connectors.services.request_counts import seconds_to_wait as ask; "
        "print(sum(ask('login', 'one caller', now=1_800_000_010.0) is None for _ in range(20)))"
    )
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "REDIS_URL": REDIS, "THROTTLE_LOGIN": "30/min",
    }  # fmt: skip
    code = "import tests.settings as s; s.CACHES = {'default': {'BACKEND': "
    code += f"'django.core.cache.backends.redis.RedisCache', 'LOCATION': '{REDIS}'}}}}; " + counting
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    passed = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(passed) == 30, passed
    assert connection.ttl(connection.keys("*throttle:login*")[0]) > 0
    connection.flushdb()


@pytest.mark.services
@pytest.mark.skipif(not redis_is_there(), reason=f"no Redis at {REDIS}")
def test_two_workers_of_a_live_server_refuse_together(tmp_path):
    connection = redis.Redis.from_url(REDIS)
    connection.flushdb()
    with live_server(tmp_path, workers=2, REDIS_URL=REDIS, THROTTLE_LOGIN="10/h") as server:
        statuses = []
        for _ in range(16):  # a connection each, so that both workers answer
            reply = requests.post(f"{server.url}/apiKeyLogin", json={"platform": "nowhere"}, timeout=60)
            statuses.append(reply.status_code)
    assert statuses == [400] * 10 + [429] * 6
    assert reply.headers["Retry-After"]
    connection.flushdb()


@pytest.mark.django_db
def test_five_wrong_passwords_lock_the_name_for_that_address_only(limits, django_user_model, caplog):
    from audit.models import AuditEvent

    limits()
    django_user_model.objects.create_superuser("kim", password="correct horse battery")
    client = Client()

    def sign_in(password, address="203.0.113.1", name="kim"):
        return client.post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR=address)

    for _ in range(4):
        assert sign_in("wrong-Passw0rd").status_code == 200
    locked = sign_in("wrong-Passw0rd")
    assert (locked.status_code, locked["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes" in locked.content.decode()
    assert sign_in("correct horse battery").status_code == 429
    assert sign_in("my-Passw0rd-in-the-wrong-field", name="my-Passw0rd-in-the-wrong-field").status_code == 200
    elsewhere = sign_in("correct horse battery", address="203.0.113.2")
    assert (elsewhere.status_code, elsewhere["Location"]) == (302, "/accounts/profile/")
    assert "Passw0rd" not in caplog.text
    events = AuditEvent.objects.filter(action="staff.sign_in").order_by("pk")
    events = list(events.values_list("actor", "outcome", "error"))
    assert events.count(("staff:kim", "failure", "WrongPassword")) == 4
    assert events.count(("staff:kim", "failure", "LockedOut")) == 2
    assert ("staff:unknown", "failure", "WrongPassword") in events
    assert events[-1] == ("staff:kim", "success", "")


@pytest.mark.django_db
def test_no_password_is_kept_among_the_failed_attempts(client, limits):
    from axes.models import AccessAttempt

    limits()
    client.post("/admin/login/?password=in-the-query", {"username": "kim", "password": "wrong-Passw0rd"})
    client.post("/admin/login/", {"username": "my-Passw0rd-in-the-wrong-field", "password": ""})
    client.post("/admin/login/", {"username": "my-Passw0rd-in-the-wrong-field", "password": "x"})
    attempts = [str(vars(attempt)) for attempt in AccessAttempt.objects.all()]
    assert len(attempts) == 2
    assert "Passw0rd" not in "".join(attempts)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["\x00", "kim\x00", "k" * 5000, "\u200b", "<b>kim</b>"])
def test_a_name_that_no_user_can_have_is_refused_like_any_other(client, limits, name):
    limits()
    reply = client.post("/admin/login/", {"username": name, "password": "x"})
    assert reply.status_code == 200
    assert "<b>kim" not in reply.content.decode()


@pytest.mark.django_db
def test_sign_ins_are_counted_per_address_whatever_the_names(client, limits):
    limits(login=(2, 60))
    for number in range(2):
        assert client.post("/admin/login/", {"username": f"u{number}", "password": "x"}).status_code == 200
    assert client.post("/admin/login/", {"username": "u3", "password": "x"}).status_code == 429
    assert client.get("/admin/login/").status_code == 200
