"""Where the extension's links lead: to addresses that the operator has set, else to pages of this server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

#: Filled in by the extension; behind ``#``, where a browser sends nothing of it to any server.
_FEEDBACK_TOKENS = (
    "#score={score}&feedback={feedback}&crm={crmName}&user={userName}&email={userEmail}&version={version}"
)


def server_url() -> str:
    """The address the extension reaches this server at."""
    return str(settings.OVERRIDE_APP_SERVER or settings.APP_SERVER)


def page(name: str = "") -> str:
    """The address of one of our own pages."""
    return f"{server_url()}/help/{name}".rstrip("/")


def author() -> dict[str, str]:
    """``author`` of the manifest: who runs this server."""
    return {
        "name": settings.PUBLIC_LINKS["AUTHOR_NAME"],
        "websiteUrl": settings.PUBLIC_LINKS["AUTHOR"] or page(),
        "supportUrl": settings.PUBLIC_LINKS["SUPPORT"] or page("support"),
    }


def of_platform(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """The links of one CRM: as the operator has set them, as its manifest has them (``own``), or ours."""
    ours = {
        "documentationUrl": ("DOCUMENTATION", page(f"crm/{name}")),
        "releaseNotesUrl": ("RELEASE_NOTES", page("release-notes")),
        "getSupportUrl": ("SUPPORT", page("support")),
        "writeReviewUrl": ("REVIEW", page("feedback")),
        "logoUrl": ("LOGO", f"{server_url()}/logo/{name}.svg"),
    }
    links = {
        key: settings.PUBLIC_LINKS[setting].replace("{platform}", name) or own.get(key) or default
        for key, (setting, default) in ours.items()
    }
    developer = {"name": author()["name"], "url": author()["websiteUrl"]}
    return {**links, "developer": own.get("developer") or developer}


def feedback() -> dict[str, Any]:
    """The feedback form of every CRM, and the address that is opened with what was entered."""
    scores = [{"const": str(score), "title": str(score)} for score in range(1, 11)]
    return {
        "url": settings.PUBLIC_LINKS["FEEDBACK"] or page("feedback") + _FEEDBACK_TOKENS,
        "elements": [
            {"const": "pageDescription", "title": "Tell us how the extension works for you.", "type": "string"},
            {
                "const": "scoreDescription",
                "title": "How likely are you to recommend it, from 1 (not at all) to 10 (very)?",
                "type": "string",
                "bold": True,
            },
            {"const": "score", "title": "Score", "type": "selection", "required": True, "selections": scores},
            {
                "const": "feedback",
                "title": "Feedback",
                "type": "inputField",
                "placeholder": "What works well, and what does not?",
                "required": True,
            },
        ],
    }
