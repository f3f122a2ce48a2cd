"""All settings, read top to bottom from the environment; a malformed value stops the start with one sentence."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.logs import logging_settings
from connectors.key_strength import DEVELOPMENT_KEY, DEVELOPMENT_SECRET

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
VAR_DIR.mkdir(mode=0o700, exist_ok=True)

env = environ.Env()
env.smart_cast = False
for _file in (BASE_DIR / ".env", VAR_DIR / "secrets.env"):  # the second is made by `make run`
    if _file.exists():
        environ.Env.read_env(_file)


def number(name: str, default: float, *, least: float = 0) -> float:
    """A number from the environment, not below ``least``."""
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else float(default)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number, not {text!r}.") from None
    if not least <= value < float("inf"):
        raise ImproperlyConfigured(f"{name} must be at least {least:g}.")
    return value


def switch(name: str, default: bool) -> bool:
    """A switch from the environment: on/off, true/false, yes/no, 1/0."""
    text = os.environ.get(name, "").strip().lower()
    if text in ("on", "true", "yes", "1"):
        return True
    if text in ("off", "false", "no", "0"):
        return False
    if text:
        raise ImproperlyConfigured(f"{name} must be on or off, not {text!r}.")
    return default


def link(name: str, *, mail: bool = False) -> str:
    """An address for people's browsers, or "" where none is set; with ``mail`` also ``mailto:``."""
    text = os.environ.get(name, "").strip()
    if text and not text.startswith(("https://", "http://", *(["mailto:"] if mail else []))):
        kinds = "an https:// address" + (" or mailto:" if mail else "")
        raise ImproperlyConfigured(f"{name} must be {kinds}, not {text!r}.")
    return text


def folders(name: str) -> list[str]:
    """Comma-separated paths of folders that exist."""
    found = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    if missing := next((path for path in found if not Path(path).is_dir()), None):
        raise ImproperlyConfigured(f"{name} names {missing!r}, which is no folder.")
    return found


def rate(name: str, default: str) -> tuple[int, int]:
    """A request rate such as ``30/min``, as requests and seconds."""
    text = (os.environ.get(name, "") or default).strip()
    match = re.fullmatch(r"([1-9]\d{0,8})/(s|sec|m|min|h|hour|d|day)", text, re.ASCII)
    if not match:
        raise ImproperlyConfigured(f"{name} must look like 30/min, not {text!r}.")
    return int(match[1]), {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2][0]]


def credential_keys(text: str) -> dict[str, bytes]:
    """``<key id>:<base64url of 32 bytes>``, comma-separated; the first one encrypts."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            key = b""
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id) or len(key) != 32:
            raise ImproperlyConfigured("CREDENTIAL_KEYS must be <key id>:<base64url of 32 bytes>, comma-separated.")
        keys[key_id] = key
    return keys


# --- What this installation is -------------------------------------------------------------------
DEBUG = switch("DEBUG", False)
SANDBOX = switch("SANDBOX", False)
CONSOLE = switch("CONSOLE", SANDBOX)
#: The extension shows it, and the release notes of a version above the one it saw last. Those who come from the
#: reference server last saw 1.6.38.
VERSION = "2.0.0"
APP_SERVER = env.str("APP_SERVER", default="http://127.0.0.1:8000").rstrip("/")
OVERRIDE_APP_SERVER = env.str("OVERRIDE_APP_SERVER", default="").rstrip("/")
#: The service that logs calls while nobody is signed in; it is offered to administrators only where there is one.
SERVER_SIDE_LOGGING_URL = link("SERVER_SIDE_LOGGING_URL").rstrip("/")
#: Where the extension's links lead in place of our own pages, see connectors.help.links.
PUBLIC_LINKS = {
    "AUTHOR_NAME": env.str("PUBLIC_LINKS_AUTHOR_NAME", default="") or "Switchboard",
    **{
        name: link(f"PUBLIC_LINKS_{name}", mail=name == "SUPPORT")
        for name in ("AUTHOR", "SUPPORT", "FEEDBACK", "DOCUMENTATION", "RELEASE_NOTES", "REVIEW", "LOGO")
    },
}
ALLOWED_HOSTS = [host.strip() for host in env.str("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]").split(",")]
REDIRECT_URI = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"

# --- Secrets -------------------------------------------------------------------------------------
APP_SERVER_SECRET_KEY = env.str("APP_SERVER_SECRET_KEY", default=DEVELOPMENT_SECRET if DEBUG else "")
if not APP_SERVER_SECRET_KEY:
    raise ImproperlyConfigured("APP_SERVER_SECRET_KEY must be set when DEBUG is off.")
APP_SERVER_SECRET_KEY_FALLBACKS = [
    key.strip() for key in env.str("APP_SERVER_SECRET_KEY_FALLBACKS", default="").split(",") if key.strip()
]
SECRET_KEY = (
    env.str("DJANGO_SECRET_KEY", default="") or hashlib.sha256(f"django:{APP_SERVER_SECRET_KEY}".encode()).hexdigest()
)
HASH_KEY = env.str("HASH_KEY", default="")
CREDENTIAL_KEYS = credential_keys(env.str("CREDENTIAL_KEYS", default=""))
if not CREDENTIAL_KEYS:
    if not DEBUG:
        raise ImproperlyConfigured("CREDENTIAL_KEYS must be set when DEBUG is off; `make run` generates one.")
    CREDENTIAL_KEYS = {"development": DEVELOPMENT_KEY}

# --- Application ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "corsheaders",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "adapters",
    "audit",
    "connectors",
]
MIDDLEWARE = [
    "audit.middleware.RequestIdMiddleware",
    "connectors.api.cors.WireCorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "connectors.api.paths.WirePathMiddleware",
    "connectors.page_middleware.CSPMiddleware",
    "connectors.api.throttling.AddressThrottleMiddleware",
    "connectors.api.limits.RequestLimitsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "connectors.staff_sign_in.AdminReferrerMiddleware",
    "connectors.page_middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "connectors.page_middleware.AuthenticationMiddleware",
    "connectors.page_middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False  # a redirect breaks a CORS preflight and drops bodies
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Database and cache --------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'switchboard.sqlite3'}")
}
_database = DATABASES["default"]
_database["ATOMIC_REQUESTS"] = False  # no transaction is open while a CRM is being called
if _database["ENGINE"].endswith("sqlite3"):
    _database["ENGINE"] = "connectors.sqlite"
    _database["CONN_MAX_AGE"] = None
    # IMMEDIATE: a transaction that will write waits for its turn at the start instead of failing in the middle.
    # FULL: what was committed survives a power cut; see audit.durability for what need not.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
elif _database["ENGINE"].endswith("postgresql"):
    _database["CONN_MAX_AGE"] = 0
    _database.setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": int(number("WEB_THREADS", 32, least=1)) + 4,
        # There is one for every thread: a longer wait means that the server cannot be reached. Clients wait 30 seconds.
        "timeout": 4,
        "reconnect_timeout": 60,
    }
    _database["CONN_HEALTH_CHECKS"] = True  # connections that a restart of PostgreSQL broke are replaced, not used
    _database["OPTIONS"].setdefault("connect_timeout", 4)

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BEAT_SCHEDULE = {"sweep": {"task": "connectors.sweep", "schedule": 2.0, "options": {"expires": 10}}}
    CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celery-beat")
    CELERY_TASK_IGNORE_RESULT = True
    CELERY_WORKER_HIJACK_ROOT_LOGGER = False
    CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            # Django's default of 300 would drop the facts of some CRM accounts for those of others.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }

# --- The API the extension calls -----------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["drf_orjson_renderer.renderers.ORJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "connectors.api.limits.BoundedJSONParser",
        "rest_framework.parsers.FormParser",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": ["connectors.api.authentication.AppTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "EXCEPTION_HANDLER": "connectors.api.envelope.exception_handler",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "connectors.api.envelope.AnyAccept",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "connectors.api.description.WireSchema",
}
#: Requests and seconds; see connectors.api.throttling for what each counts.
THROTTLES = {
    "user": rate("THROTTLE_USER", "1200/min"),
    "login": rate("THROTTLE_LOGIN", "30/min"),
    "address": rate("THROTTLE_ADDRESS", "6000/min"),  # many users may share the address of one office
    "hash": rate("THROTTLE_HASH", "600/min"),
    "wrong_token": rate("THROTTLE_WRONG_TOKEN", "120/min"),
}
TRUSTED_PROXIES = int(number("TRUSTED_PROXIES", 0))
#: Of a connected user; anybody else's is bounded in connectors.api.limits.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
CORS_ALLOW_ALL_ORIGINS = True  # the extension's origin differs per browser and build; no cookies are used
CORS_EXPOSE_HEADERS = ["x-refreshed-jwt-token"]
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
CORS_ALLOW_HEADERS = [
    "authorization",
    "content-type",
    "accept",
    "rc-account-id",
    "rc-extension-id",
    "developer-author-name",
    "is-debug",
    "x-rc-access-token",
]
CORS_URLS_REGEX = r"^(?!/admin/?(login|logout|auth|connectors|audit|jsi18n|$)).*$"
JWT_LIFETIME = timedelta(days=number("JWT_LIFETIME_DAYS", 14, least=1))
JWT_GRACE = timedelta(days=number("JWT_GRACE_DAYS", 90))
#: Whether replies tell their times and counts to a connected user who asks with ``is-debug: true``.
DEBUG_REPLIES = switch("DEBUG_REPLIES", False)
CONTACT_CACHE = timedelta(seconds=number("CONTACT_CACHE_SECONDS", 600))
NOTE_DRAFT_LIFETIME = timedelta(hours=1)
RINGCENTRAL_SERVER = env.str("RINGCENTRAL_SERVER", default="https://platform.ringcentral.com").rstrip("/")
ADMIN_EXTENSION_IDS = [
    part.strip() for part in env.str("ADMIN_EXTENSION_ID_DEV_PASS_LIST", default="").split(",") if part.strip()
]

# --- Adapters and their way out ------------------------------------------------------------------
ENABLED_ADAPTERS = [name.strip() for name in env.str("ENABLED_ADAPTERS", default="").split(",") if name.strip()]
#: Folders besides ``adapters/`` that hold one folder per CRM with ``manifest.json`` and ``definition.json``.
ADAPTER_FOLDERS = folders("ADAPTER_FOLDERS")
#: The variables that manifests name are looked up here, and nowhere else.
ADAPTER_VARIABLES = os.environ
OUTBOUND_CONNECT_TIMEOUT = number("OUTBOUND_CONNECT_TIMEOUT", 3.05, least=0.1)
OUTBOUND_READ_TIMEOUT = number("OUTBOUND_READ_TIMEOUT", 10, least=0.1)
#: Longer than the longest operation in the CRM; a lease that runs out belongs to a process that died in mid-write.
#: A CRM with a read timeout of its own has longer ones, see ``connectors.services.leases``.
DELIVERY_LEASE = 10 * timedelta(seconds=OUTBOUND_CONNECT_TIMEOUT + OUTBOUND_READ_TIMEOUT)
DELIVERY_MAX_AGE_HOURS = number("DELIVERY_MAX_AGE_HOURS", 72)
DELIVERY_RETRY_SECONDS = number("DELIVERY_RETRY_SECONDS", 5, least=0.1)
OUTBOUND_CA_BUNDLE = env.str("OUTBOUND_CA_BUNDLE", default="")
OUTBOUND_PROXY = env.str("OUTBOUND_PROXY", default="")
OUTBOUND_ALLOW_PRIVATE_ADDRESSES = switch("OUTBOUND_ALLOW_PRIVATE_ADDRESSES", False)

# --- Security of pages and logs ------------------------------------------------------------------
_HTTPS = APP_SERVER.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_NAME = "__Host-session" if _HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _HTTPS else "csrf"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # a link to a log, out of a ticket, opens it
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "no-referrer"  # but see AdminReferrerMiddleware
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # a redirect to https would break the extension; the proxy may do it
CSRF_TRUSTED_ORIGINS = [APP_SERVER]
X_FRAME_OPTIONS = "DENY"
#: Everything comes from this server, and nothing is inline; data: holds icons of the API's documentation.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# Sign-in to the admin: per user name and address together, so that nobody can lock a colleague out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_CLIENT_IP_CALLABLE = "connectors.api.throttling.client_address"
AXES_USERNAME_CALLABLE = "connectors.staff_sign_in.counted_name"
AXES_LOCKOUT_CALLABLE = "connectors.staff_sign_in.locked_out"
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # connectors.staff_sign_in records in the audit trail
AXES_VERBOSE = False
SPECTACULAR_SETTINGS = {
    "TITLE": "Switchboard",
    "DESCRIPTION": "What the RingCentral App Connect browser extension asks of its server.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "DEFAULT_GENERATOR_CLASS": "connectors.api.description.WireGenerator",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}
LOGGING = logging_settings(json_lines=env.str("LOG_FORMAT", default="json") == "json")
LOGGING_CONFIG = "config.logs.configure"
DEFAULT_EXCEPTION_REPORTER = "config.logs.TerseReporter"
