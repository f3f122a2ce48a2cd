"""Fills settings that are chosen from a list of the CRM with the choices that it has now."""

from __future__ import annotations

import logging

from adapters import registry
from adapters.contract import ConnectorError
from connectors.models import CrmUser
from connectors.services.crm_access import with_adapter
from connectors.services.settings import Settings, account_settings

log = logging.getLogger("switchboard.settings")


def with_choices(user: CrmUser, shown: Settings) -> Settings:
    """``shown`` with the CRM's choices as ``options`` of the settings that its manifest marks ``dynamicOptions``.

    Costs no request while the account's cache is fresh. Where the CRM cannot be asked, the settings keep the choices
    that the extension was shown before and sent back.
    """
    manifest = registry.manifests().get(user.platform)
    if not (manifest and manifest.has_setting_choices_of_the_crm and user.is_connected):
        return shown
    try:
        choices = with_adapter(user, lambda adapter: adapter.setting_options())
    except ConnectorError as error:
        log.warning("setting choices not read", extra={"platform": user.platform, "error": type(error).__name__})
        return shown
    account = account_settings(user)
    removed = {key for key, entry in (account.settings if account else {}).items() if entry.get("isRemoved")}
    entries = {key: {"customizable": True, "value": None, **shown.get(key, {}), "options": options}
               for key, options in choices.items() if key not in removed}  # fmt: skip
    return {**shown, **entries}
