"""Runs the readiness checklist of a CRM in the browser, with a real account, as ``manage.py crm_readiness`` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from adapters import registry
from adapters.contract import Manifest, PhoneNumber, parse_phone
from adapters.opening import construct
from adapters.readiness.checklist import FAILED, NOTE, OK, Checklist, MemoryCache, Step
from adapters.readiness.login import (
    Login,
    LoginMistake,
    asks_for_host,
    authorisation,
    fields_of,
    hosts_of,
    login_with,
    uses_oauth,
)
from audit.recorder import record
from connectors.desk.decisions import actor_of
from connectors.desk.page import needs, page

_MARKS = {OK: "good", FAILED: "bad", NOTE: "wait"}
_PATIENCE = 30.0
_REST = "<!-- steps -->"


class Try(forms.Form):
    """What the checklist asks for: of this CRM only what it needs. Nothing of it is kept."""

    phone = forms.CharField(
        label="Number of the test contact",
        initial="+16505550142",
        help_text="Nobody is called. Take one that no contact of the account has.",
    )
    formats = forms.CharField(
        label="Further notations to look up",
        required=False,
        help_text="Separated by commas, such as (###) ###-####. Empty: the usual ones of the number's country.",
    )

    def __init__(self, *args: Any, manifest: Manifest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.manifest = manifest
        first: dict[str, forms.Field] = {}
        if hosts := hosts_of(manifest):
            first["hostname"] = forms.ChoiceField(label="Region", choices=hosts)
        elif asks_for_host(manifest):
            first["hostname"] = forms.CharField(
                label="Host of the account", help_text="As in the browser's address, such as company.example.com."
            )
        for field in fields_of(manifest):
            widget = forms.PasswordInput(attrs={"autocomplete": "off"}) if field.is_secret else forms.TextInput()
            first[f"login_{field.name}"] = forms.CharField(label=field.title, widget=widget)
        if uses_oauth(manifest):
            first["address"] = forms.CharField(
                label="The address that the browser ended at",
                widget=forms.TextInput(attrs={"autocomplete": "off"}),
                help_text="It holds a code that can be used once, for a minute or two.",
            )
        if types := manifest.client.get("contactTypes"):
            choices = [(item["value"], item["display"]) for item in types]
            self.fields["contact_type"] = forms.ChoiceField(label="Kind of the test contact", choices=choices)
        self.fields = {**first, **self.fields}

    def clean_phone(self) -> PhoneNumber:
        phone = parse_phone(self.cleaned_data["phone"], formats=self.data.get("formats", ""))
        if not phone.is_valid:
            raise forms.ValidationError("This is not a valid telephone number.")
        return phone

    def login(self) -> Login:
        """Raises ``LoginMistake``."""
        values = self.cleaned_data
        given = {name.removeprefix("login_"): text for name, text in values.items() if name.startswith("login_")}
        return login_with(
            self.manifest, hostname=values.get("hostname", ""), fields=given, address=values.get("address", "")
        )


@needs("connectors.change_crmuser")
def try_crm(request: HttpRequest, platform: str) -> HttpResponse | StreamingHttpResponse:
    """The form; a POST runs the checklist, and shows each step as it is done."""
    manifest = registry.manifests().get(platform)
    if manifest is None or registry.missing_secrets(manifest):
        raise Http404
    form = Try(request.POST or None, manifest=manifest)
    if request.method == "POST" and form.is_valid():
        try:
            login = form.login()
        except LoginMistake as mistake:
            form.add_error(None, str(mistake))
        else:
            return _run(request, manifest, form, login)
    context: dict[str, Any] = {"title": f"Try {manifest.display_name}", "manifest": manifest, "form": form}
    if uses_oauth(manifest):
        named = hosts_of(manifest) or [("", "")]
        context["logins"] = [(name, authorisation(manifest, host)[0]) for host, name in named]
        context["redirect_uri"] = authorisation(manifest)[1]
    return page(request, "desk/try.html", **context)


def _run(request: HttpRequest, manifest: Manifest, form: Try, login: Login) -> StreamingHttpResponse:
    values, cache = form.cleaned_data, MemoryCache()
    checklist = Checklist(
        manifest=manifest,
        open=lambda user, credentials: construct(
            platform=manifest.name, user=user, credentials=credentials, cache=cache
        ),
        hostname=values.get("hostname", ""),
        phone=values["phone"],
        contact_type=values.get("contact_type", ""),
        now=timezone.now().replace(microsecond=0),
        patience=_PATIENCE,
    )
    frame = page(
        request, "desk/tried.html", title=f"Try {manifest.display_name}", manifest=manifest, rest=_REST
    ).render()
    before, _, after = frame.content.decode().partition(_REST)
    secrets = [text for name, text in values.items() if name.startswith("login_") and len(text) > 2]

    def lines() -> Iterator[str]:
        counts: Counter[str] = Counter()
        yield before
        try:
            for step in checklist.run(login):
                counts[step.outcome] += 1
                yield _line(step, secrets)
            yield render_to_string("desk/tried_end.html", {"failed": counts[FAILED], "manifest": manifest})
        finally:
            record("crm.try", actor=actor_of(request), platform=manifest.name, detail=dict(counts))
        yield after

    return StreamingHttpResponse(lines(), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def _line(step: Step, secrets: list[str]) -> str:
    detail = step.detail
    for secret in secrets:
        detail = detail.replace(secret, "…")
    return render_to_string(
        "desk/tried_step.html", {"step": step, "detail": detail, "mark": _MARKS.get(step.outcome, "")}
    )
