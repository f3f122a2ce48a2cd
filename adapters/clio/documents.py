"""Faxes and pictures as documents in Clio, and what a log says about them.

Source: Clio API v4 documentation, "Documents" (upload in four steps).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from adapters.clio.communications import chosen_matter
from adapters.clio.replies import record_id, timestamp
from adapters.contract import (
    ConnectorError,
    ContactRef,
    CredentialsRejected,
    Direction,
    HttpClient,
    Message,
    MessageKind,
    UnexpectedResponse,
    dig,
    fan_out,
    require,
    require_id,
    rows,
)
from adapters.contract.types import Info

MEDIA_HOSTS = ("*.ringcentral.com",)
_LARGEST_MEDIA = 25 * 1024 * 1024
_CREATED_FIELDS = "id,latest_document_version{uuid,put_url,put_headers}"
_DONE_FIELDS = "id,latest_document_version{fully_uploaded}"
_EXTENSION = re.compile(r"image/([a-z0-9]{1,8})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Puts the media of messages into Clio, filed under the chosen matter, else under the contact."""

    http: HttpClient
    hostname: str
    zone: tzinfo
    contact: ContactRef
    submission: Info

    def filed(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with links to documents in place of media; uploads go on side by side.

        What is to be said of a fax stands in its text alone: so it is the same in a new log and in one that grows.
        """
        return fan_out(self._filed, messages)

    def _filed(self, message: Message) -> Message:
        if message.kind is MessageKind.FAX and message.fax_download_url:
            return self._fax(message)
        links = [f"[Link]: {message.image_link}"] if message.image_link else []
        if message.image_download_url:
            page = self._upload(message.image_download_url, self._image_name(message), message)
            links = [f"[Link]: {page}" if page else f"[Link - failed to upload]: {message.image_link}".rstrip()]
        if message.video_link:
            links.append(f"[Link]: {message.video_link}")
        return _with_links(message, links) if links else message

    def _fax(self, message: Message) -> Message:
        page = self._upload(message.fax_download_url, self._name(message, "Fax", "pdf"), message)
        if not page:
            failed = f"Fax failed to be uploaded to Clio.\nFax document link: {message.fax_link}"
            return replace(message, text=failed, fax_link="")
        first = message.recipients[0].location if message.recipients else ""
        location = message.sender.location if message.direction is Direction.INBOUND else first
        lines = (
            "Fax uploaded to Clio successfully.",
            f"Fax Status: {message.status}",
            f"Page count: {message.fax_page_count}",
            f"Fax document link: {page}",
            f"Location: {location}",
        )
        return replace(message, text="\n".join(lines), fax_link="")

    def _image_name(self, message: Message) -> str:
        kind = _EXTENSION.match(message.image_content_type)
        return self._name(message, "Image Message", kind[1] if kind else "jpg")

    def _name(self, message: Message, kind: str, extension: str) -> str:
        day = f"{message.sent_at.astimezone(self.zone):%m/%d/%Y}"
        return f"{message.direction} {kind} - {self.contact.name} - {day}.{extension}"

    def _upload(self, url: str, name: str, message: Message) -> str:
        """The document's page, or "" when the upload failed: then the log carries the link instead.

        A rejected login is raised: nothing is logged yet, and a fresh token may do.
        """
        try:
            media = self.http.download(url, hosts=MEDIA_HOSTS, max_bytes=_LARGEST_MEDIA)
        except ConnectorError:
            return ""
        try:
            return self._store(media, name, message)
        except CredentialsRejected:
            raise
        except ConnectorError:
            return ""

    def _store(self, media: bytes, name: str, message: Message) -> str:
        data = {"name": name, "parent": self._parent(), "received_at": timestamp(message.sent_at)}
        created = self.http.post("documents.json", params={"fields": _CREATED_FIELDS}, json={"data": data})
        document = record_id(require_id(created, "data.id"))
        version = require(created, "data.latest_document_version", dict)
        # The URL is signed for exactly these headers and refuses an Authorization header beside its signature.
        headers = {require(row, "name", str): require(row, "value", str) for row in rows(version, "put_headers")}
        self.http.upload(require(version, "put_url", str), media, headers)
        done = self.http.patch(
            f"documents/{document}.json",
            params={"fields": _DONE_FIELDS},
            json={"data": {"uuid": require(version, "uuid", str), "fully_uploaded": True}},
        )
        if not dig(done, "data.latest_document_version.fully_uploaded", bool, False):
            raise UnexpectedResponse(reason="the document is not fully uploaded", maybe_applied=True)
        return f"https://{self.hostname}/nc/#/documents/{document}/details"

    def _parent(self) -> Mapping[str, Any]:
        matter = chosen_matter(self.submission)
        if matter:
            return {"id": matter, "type": "Matter"}
        return {"id": record_id(self.contact.id), "type": "Contact"}


def _with_links(message: Message, links: Sequence[str]) -> Message:
    text = message.text if message.text.strip() else "N/A"
    return replace(message, text="\n".join([f"[Message]: {text}", *links]), image_link="", video_link="")
