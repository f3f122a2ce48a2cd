"""The shapes of replies, for the description of the API; what is sent is built by the viewsets."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from adapters.contract import NoticeLevel


class DetailLine(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.ChoiceField(choices=["text"])
    text = serializers.CharField()


class Detail(serializers.Serializer[Any]):
    title = serializers.CharField()
    items = DetailLine(many=True)


class ReturnMessage(serializers.Serializer[Any]):
    """What the extension shows; ``ttl`` in milliseconds."""

    message = serializers.CharField()
    messageType = serializers.ChoiceField(choices=[str(level) for level in NoticeLevel])
    ttl = serializers.IntegerField()
    details = Detail(many=True, required=False)


class Outcome(serializers.Serializer[Any]):
    successful = serializers.BooleanField()
    returnMessage = ReturnMessage(allow_null=True, required=False)


class Welcome(serializers.Serializer[Any]):
    """``jwtToken`` is absent when the login failed."""

    jwtToken = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    returnMessage = ReturnMessage()


class Farewell(ReturnMessage):
    """The message itself for old clients, and as ``returnMessage`` for newer ones."""

    returnMessage = ReturnMessage()


class WireId(serializers.JSONField):
    """A CRM id in the CRM's own JSON type."""


class FoundContact(serializers.Serializer[Any]):
    id = WireId()
    name = serializers.CharField()
    phone = serializers.CharField(required=False)
    type = serializers.CharField(required=False)
    additionalInfo = serializers.DictField()
    title = serializers.CharField(required=False)
    company = serializers.CharField(required=False)
    organization = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    createdDate = serializers.DateTimeField(required=False)
    mostRecentActivityDate = serializers.DateTimeField(required=False)
    isNewContact = serializers.BooleanField(required=False)
    defaultContactType = serializers.CharField(required=False)


class ContactsReply(Outcome):
    contact = FoundContact(many=True)


class CreatedContact(serializers.Serializer[Any]):
    """Empty when the creation failed."""

    id = WireId(required=False)
    name = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    type = serializers.CharField(required=False)
    additionalInfo = serializers.DictField(required=False)


class NewContactReply(Outcome):
    contact = CreatedContact()


class CallLogReply(Outcome):
    logId = WireId(required=False)


class CallLogEditReply(Outcome):
    logId = serializers.CharField(required=False)
    updatedNote = serializers.CharField(required=False)


class LogData(serializers.Serializer[Any]):
    subject = serializers.CharField()
    note = serializers.CharField()
    fullBody = serializers.CharField()
    fullLogResponse = serializers.JSONField()
    contactName = serializers.CharField()
    dispositions = serializers.DictField()


class ContactOfLog(serializers.Serializer[Any]):
    id = serializers.CharField()


class MatchedLog(serializers.Serializer[Any]):
    """``logId`` and ``contact`` are there when ``matched``; ``logData`` when details were asked for."""

    sessionId = serializers.CharField()
    matched = serializers.BooleanField()
    logId = WireId(required=False)
    contact = ContactOfLog(required=False)
    logData = LogData(required=False)


class CallLogsReply(Outcome):
    logs = MatchedLog(many=True)


class NoteReply(serializers.Serializer[Any]):
    successful = serializers.BooleanField()
    returnMessage = serializers.CharField()


class MessageLogReply(Outcome):
    logIds = serializers.ListField(child=WireId())


class CallDownItem(serializers.Serializer[Any]):
    """``status``: ``scheduled``, also after its time, ``called`` or ``not called``."""

    id = serializers.CharField()
    userId = serializers.CharField()
    contactId = WireId()
    contactType = serializers.CharField()
    contactName = serializers.CharField()
    phoneNumber = serializers.CharField()
    note = serializers.CharField()
    status = serializers.CharField()
    scheduledAt = serializers.DateTimeField(allow_null=True)
    lastCallAt = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class CallDownReply(serializers.Serializer[Any]):
    successful = serializers.BooleanField()
    items = CallDownItem(many=True)


class CallDownAdded(serializers.Serializer[Any]):
    successful = serializers.BooleanField()
    id = serializers.CharField()


class Done(serializers.Serializer[Any]):
    successful = serializers.BooleanField()


class License(serializers.Serializer[Any]):
    isLicenseValid = serializers.BooleanField()
    licenseStatus = serializers.CharField()
    licenseStatusDescription = serializers.CharField(allow_blank=True)


class UserSettings(serializers.Serializer[Any]):
    userSettings = serializers.DictField()


class AdminSettings(serializers.Serializer[Any]):
    id = serializers.CharField(required=False)
    userSettings = serializers.DictField()
    customAdapter = serializers.DictField(required=False, allow_null=True)
    customConnector = serializers.DictField(required=False, allow_null=True)
    userMappings = serializers.ListField(child=serializers.DictField(), required=False)


class DirectoryEntry(serializers.Serializer[Any]):
    id = WireId()
    name = serializers.CharField()
    email = serializers.CharField()


class MappedUser(serializers.Serializer[Any]):
    """``rcUser``: absent, or an object, for a client with its token in the query; a list for others."""

    crmUser = DirectoryEntry()
    rcUser = serializers.JSONField(required=False)


class Hashes(serializers.Serializer[Any]):
    extensionId = serializers.CharField()
    accountId = serializers.CharField()


class Version(serializers.Serializer[Any]):
    version = serializers.CharField()


class ManifestReply(serializers.Serializer[Any]):
    serverUrl = serializers.CharField()
    redirectUri = serializers.CharField()
    author = serializers.DictField()
    version = serializers.CharField()
    platforms = serializers.DictField()


class AccountData(serializers.Serializer[Any]):
    successful = serializers.BooleanField()
    returnMessage = ReturnMessage(required=False)

    def get_fields(self) -> Any:  # ``data`` is the name of a property of every serializer
        return {**super().get_fields(), "data": serializers.DictField(required=False)}
