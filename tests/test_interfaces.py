"""``/implementedInterfaces`` names what is really served: a route of ours, and an adapter behind it."""

from __future__ import annotations

import pytest

from adapters import registry
from adapters.contract import CrmAdapter
from connectors.api import urls

#: What the extension may be told of -> the adapter's method, and the route that serves it.
SERVED = {
    "getUserInfo": ("user_profile", "GET oauth-callback"),
    "createCallLog": ("create_call_log", "POST callLog"),
    "updateCallLog": ("update_call_log", "PATCH callLog"),
    "getCallLog": ("get_call_log", "GET callLog"),
    "createMessageLog": ("create_message_log", "POST messageLog"),
    "updateMessageLog": ("update_message_log", "POST messageLog"),
    "createContact": ("create_contact", "POST contact"),
    "findContact": ("find_contacts", "GET contact"),
    "findContactWithName": ("find_contacts_by_name", "GET custom/contact/search"),
    "unAuthorize": ("revoke", "POST unAuthorize"),
    "upsertCallDisposition": ("set_disposition", "PUT callDisposition"),
    "getUserList": ("list_users", "POST admin/userMapping"),
    "getLicenseStatus": ("license_status", "GET licenseStatus"),
    "refreshUserInfo": ("refresh_user", "POST user/refreshInfo"),
}
#: Our own, for every CRM.
ALWAYS = {"getAuthType": None, "getLogFormatType": None, "cacheCallNote": "POST callLog/cacheNote"}
#: Routes of the reference server that there are none of here.
NEVER = {
    "listAppointments": "GET appointments",
    "createAppointment": "POST appointments",
    "updateAppointment": "PATCH appointments/<str:appointment_id>",
    "refreshAppointment": "GET appointments/<str:appointment_id>/refresh",
    "confirmAppointment": "POST appointments/<str:appointment_id>/confirm",
    "cancelAppointment": "POST appointments/<str:appointment_id>/cancel",
    "getManagedAuthOptions": "POST admin/managedAuth/options",
}
ROUTES = {
    f"{method.upper()} {pattern.pattern}"
    for pattern in urls.urlpatterns
    for method in getattr(pattern.callback, "actions", ())
}


@pytest.mark.parametrize("platform", registry.manifests())
def test_every_function_that_is_named_is_served(client, platform):
    told = client.get(f"/implementedInterfaces?platform={platform}").json()
    adapter = registry.adapter_class(platform)
    by_oauth = registry.manifests()[platform].server.auth.type == "oauth"
    login = "getOauthInfo" if by_oauth else "getBasicAuth"
    assert set(told) == {*SERVED, *ALWAYS, *NEVER, login}
    for name, (method, route) in SERVED.items():
        has = getattr(adapter, method) is not getattr(CrmAdapter, method) and method not in adapter.lacking
        assert told[name] is has, name
        assert route in ROUTES, name
    assert told[login]
    for name, route in ALWAYS.items():
        assert told[name], name
        assert route is None or route in ROUTES
    for name, route in NEVER.items():
        assert not told[name], name
        assert route not in ROUTES, "it is served now: say so"
