"""Questions of the start page and decisions in a real browser, on the demonstration with one more call that failed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.browser import EXECUTABLE
from tests.extension import Extension, call
from tests.live_server import live_server
from tests.test_desk_browser import WRITES, Reader, page, sandbox  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not EXECUTABLE, reason="no Chromium"),
]
_MAKE_KIM = "from django.contrib.auth.models import User; User.objects.create_superuser('kim', password='a' * 12)"


@pytest.fixture(scope="module")
def server(tmp_path_factory, sandbox):  # noqa: F811
    """The demonstration, and an agent whose last call the CRM did not take."""
    with live_server(tmp_path_factory.mktemp("desk"), SANDBOX="on", TEST_CRM_URL=sandbox.url) as running:
        running.manage("demo_data", "--skip-checks")
        running.manage("shell", "--no-imports", "-c", _MAKE_KIM)
        me = Extension(running.url, "testCRM")
        me.login_with_key("demo-key")
        luke = me.look_up("+16505551212")["contact"][0]
        sandbox.fail({**WRITES, "status": 503})
        me.log_call(call("9003", luke))
        sandbox.reset()
        running.manage("seal_audit")
        yield running


@pytest.fixture
def reader(page, server):  # noqa: F811
    page.open(f"{server.url}/isAlive")
    page._call("Network.clearBrowserCookies")
    reader = Reader(page, server.url)
    yield reader
    assert reader.clicks <= 3
    assert page.complaints == []


def _row_of(crm: str) -> str:
    """The script that finds a CRM's row of the start page."""
    return (
        "[...document.querySelectorAll('#desk-crms ~ table tbody tr')]"
        f".find((row) => row.innerText.startsWith({crm!r}))"
    )


def test_who_of_this_crm_failed_last_and_how(reader, server):
    reader._click(f"{_row_of('Test CRM')}.querySelector('a[href*=failure]')")
    first = reader.page.run("document.querySelector('#result_list tbody tr').innerText")
    assert server.rows("CrmUser.objects.exclude(crm_account_id__startswith='demo-').get().name") in first
    assert "Test CRM" in first
    assert "9003" in first


def test_calls_per_crm_this_week_and_the_share_that_failed(reader, server):
    row = " ".join(reader.page.run(f"{_row_of('Test CRM')}.innerText").split())
    calls, share = re.search(r"(\d+) calls, ([\d.]+) % failed", row).groups()
    begin = (datetime.now(tz=UTC) - timedelta(days=7)).isoformat()
    rows = server.rows(
        "[[row.action, row.succeeded, row.failed]"
        f" for row in TrafficHour.objects.filter(platform='testCRM', hour__gte={begin!r})]"
    )
    writes = [item for item in rows if item[0] in ("call_log.create", "call_log.update", "message_log.write")]
    assert int(calls) == sum(done for action, done, _ in writes if action == "call_log.create") > 20
    failed, done = sum(item[2] for item in writes), sum(item[1] for item in writes)
    assert float(share) == pytest.approx(100 * failed / (failed + done), abs=0.06)
    reader.click("30 days")
    drawn = "!!Chart.getChart('desk-chart-logged') && Chart.getChart('desk-chart-logged').data.labels.length"
    assert reader.page.run(drawn) == 30


def test_resend_it(reader, server, sandbox):  # noqa: F811
    assert not any("9003" in str(activity) for activity in sandbox.activities())
    reader.search("9003")
    reader.click("Send now")
    assert "1 may be in the CRM: it will be looked for first" in reader.text or "1 will be sent." in reader.text
    reader._click("document.querySelector('main button.primary')")
    assert "1 is" in reader.page.run("document.querySelector('.messagelist').innerText")
    server.rows("Delivery.objects.filter(call_log__session_id='9003').update(settles_at=None)")
    server.manage("deliver")
    assert len([item for item in sandbox.activities() if "9003" in str(item)]) == 1
    reader.page.open(reader.page.run("location.href"))
    assert "This call is in Test CRM" in reader.text


def test_sign_out(reader, server):
    name = server.rows("CrmUser.objects.filter(crm_account_id__startswith='demo-', last_error='').first().name")
    reader.search(name)
    reader.click("Sign out")
    assert "1 will be signed out." in reader.text
    reader._click("document.querySelector('main button.primary')")
    assert server.rows(f"CrmUser.objects.filter(name={name!r}, access_token='').count()") == 1
    assert "1 was signed out." in reader.page.run("document.querySelector('.messagelist').innerText")


def test_the_charts_follow_light_and_dark_and_fit_a_telephone(reader, server):
    page = reader.page  # noqa: F811
    seen = set()
    try:
        for width in (390, 1280):
            page._call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True)
            for theme in ("light", "dark"):
                page._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
                page.open(f"{server.url}/admin/?days=90")
                page.wait_for("!!window.Chart && !!Chart.getChart('desk-chart-failed')")
                assert page.run("document.documentElement.scrollWidth") <= width
                seen.add(page.run("Chart.getChart('desk-chart-failed').data.datasets[0].borderColor"))
    finally:
        page._call("Emulation.clearDeviceMetricsOverride")
        page._call("Emulation.setEmulatedMedia", features=[])
    assert len(seen) == 2
