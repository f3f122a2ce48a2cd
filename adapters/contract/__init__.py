"""All an adapter author needs, free of Django."""

from __future__ import annotations

from adapters.contract.adapter import AdapterContext, CrmAdapter
from adapters.contract.errors import (
    AccessDenied,
    AlreadyLogged,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    RateLimited,
    RecordNotFound,
    RequestRejected,
    UnexpectedResponse,
    UnsupportedOperation,
)
from adapters.contract.fan_out import fan_out, fan_out_outcomes, run_together
from adapters.contract.http import HttpClient, OutboundPolicy
from adapters.contract.manifest import Manifest, ManifestError
from adapters.contract.oauth import OAuthApp, OAuthClient
from adapters.contract.payload import dig, require, require_id, rows
from adapters.contract.phone import digits_of, fill_format, is_same_number
from adapters.contract.phone import parse as parse_phone
from adapters.contract.types import (
    AccountCache,
    Assignee,
    CallLogChange,
    CallLogEntry,
    Choice,
    Contact,
    ContactDraft,
    ContactMatches,
    ContactRef,
    Credentials,
    Direction,
    DirectoryUser,
    Disposition,
    DroppedHit,
    Id,
    LicenseStatus,
    LogFormat,
    LoggedCall,
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    NoticeLevel,
    OAuthCallback,
    Options,
    Party,
    PhoneNumber,
    Reply,
    RouteReply,
    RouteRequest,
    UserProfile,
    UserToForget,
)
from adapters.contract.zones import offset_name, zone_of

__all__ = [name for name in dir() if not name.startswith("_")]
