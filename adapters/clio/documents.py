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
    Attachment,
    ConnectorError,
    ContactRef,
    CredentialsRejected,
    Direction,
    Dispensable,
    HttpClient,
    Message,
    MessageKind,
    UnexpectedResponse,
    dig,
    fan_out,
    require,
    require_id,
    rows,
    send_without_gone,
)
from adapters.contract.types import Info

MEDIA_HOSTS = ("*.ringcentral.com",)
_LARGEST_MEDIA = 25 * 1024 * 1024
_CREATED_FIELDS = "id,latest_document_version{uuid,put_url,put_headers}"
_DONE_FIELDS = "id,latest_document_version{fully_uploaded}"
_SUBTYPE = re.compile(r"[a-z]+/(?:x-)?([a-z0-9]{1,8})", re.ASCII)
#: Where a file's name does not end in its subtype.
_ENDINGS = {"text/vcard": "vcf", "text/x-vcard": "vcf", "text/directory": "vcf", "text/plain": "txt",
            "audio/mpeg": "mp3", "audio/mp4": "m4a", "video/3gpp": "3gp", "audio/3gpp": "3gp",
            "text/calendar": "ics"}  # fmt: skip
_NOUNS = {"image": "Image Message", "video": "Video Message", "audio": "Audio Message"}


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Puts the media of messages into Clio, filed under the chosen matter, else under the contact."""

    http: HttpClient
    hostname: str
    zone: tzinfo
    contact: ContactRef
    submission: Info

    def filed(self, messages: Sequence[Message]) -> list[Message]:
        """The messages, said with links to documents in place of media; uploads go on side by side."""
        uploads = [
            (message, number, file)
            for message in messages
            for number, file in enumerate(_files(message))
            if file.download_url
        ]
        pages = fan_out(lambda upload: self._upload(*upload), uploads)
        found = {(message.id, number): page for (message, number, _), page in zip(uploads, pages, strict=True)}
        return [self._said(message, found) for message in messages]

    def _said(self, message: Message, pages: Mapping[tuple[str, int], str]) -> Message:
        files = _files(message)
        if not files:
            return message
        lines = [_line(file, pages.get((message.id, number))) for number, file in enumerate(files)]
        if message.kind is MessageKind.FAX:
            lines[0] = self._fax(message, pages[message.id, 0])
        else:
            lines.insert(0, f"[Message]: {message.text if message.text.strip() else 'N/A'}")
        return replace(message, wording="\n".join(lines))

    def _fax(self, message: Message, page: str) -> str:
        if not page:
            return f"Fax failed to be uploaded to Clio.\nFax document link: {message.fax_link or '(no document)'}"
        first = message.recipients[0].location if message.recipients else ""
        location = message.sender.location if message.direction is Direction.INBOUND else first
        lines = (
            "Fax uploaded to Clio successfully.",
            f"Fax Status: {message.status}",
            f"Page count: {message.fax_page_count}",
            f"Fax document link: {page}",
            f"Location: {location}",
        )
        return "\n".join(lines)

    def _name(self, message: Message, number: int, file: Attachment) -> str:
        media = file.content_type.lower().split(";")[0].strip()
        subtype = _SUBTYPE.fullmatch(media)
        ending = _ENDINGS.get(media) or (subtype[1] if subtype else "bin")
        is_fax = message.kind is MessageKind.FAX and number == 0
        noun = "Fax" if is_fax else _NOUNS.get(media.split("/")[0], "File")
        noun = f"{noun} {number + 1}" if number else noun
        day = f"{message.sent_at.astimezone(self.zone):%m/%d/%Y}"
        return f"{message.direction} {noun} - {self.contact.name} - {day}.{ending}"

    def _upload(self, message: Message, number: int, file: Attachment) -> str:
        """The document's page, or "" when the upload failed: then the log carries the link instead.

        A rejected login is raised: nothing is logged yet, and a fresh token may do.
        """
        try:
            media = self.http.download(file.download_url, hosts=MEDIA_HOSTS, max_bytes=_LARGEST_MEDIA)
        except ConnectorError:
            return ""
        try:
            return self._store(media, self._name(message, number, file), message)
        except CredentialsRejected:
            raise
        except ConnectorError:
            return ""

    def _store(self, media: bytes, name: str, message: Message) -> str:
        data = {"name": name, "parent": self._parent(), "received_at": timestamp(message.sent_at)}
        created, _ = send_without_gone(self._create, data, [Dispensable(what="matter", without=self._under_contact)])
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

    def _create(self, data: dict[str, Any]) -> Any:
        return self.http.post("documents.json", params={"fields": _CREATED_FIELDS}, json={"data": data})

    def _parent(self) -> Mapping[str, Any]:
        matter = chosen_matter(self.submission)
        return {"id": matter, "type": "Matter"} if matter else self._contact()

    def _under_contact(self, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "parent": self._contact()}

    def _contact(self) -> Mapping[str, Any]:
        return {"id": record_id(self.contact.id, of="contact"), "type": "Contact"}


def _files(message: Message) -> tuple[Attachment, ...]:
    """What of a message is kept as documents: a fax first of all, where it can be fetched, and the files of an MMS."""
    if message.kind is MessageKind.SMS:
        return message.attachments
    if message.kind is MessageKind.FAX and (url := message.fax_download_url):
        fax = Attachment(content_type="application/pdf", link=message.fax_link, download_url=url)
        return (fax, *message.attachments)
    return ()


def _line(file: Attachment, page: str | None) -> str:
    """Of one file: its document, else the page that shows it, else what it is; ``page``: None where none was tried."""
    shown = f"[Link]: {file.link}" if file.link else f"[Attachment: {file.content_type or 'file'}]"
    if page is None:
        return shown
    if page:
        return f"[Link]: {page}"
    return f"[Link - failed to upload]: {file.link}" if file.link else f"{shown} (failed to upload)"
