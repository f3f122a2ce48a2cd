"""All settings, read top to bottom from the environment; each wrong value stops the start with one sentence."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.environment import BASE_DIR, DATABASE_FORM, Environment, own_host, var_folder
from config.logs import logging_settings
from connectors.key_strength import DEVELOPMENT_KEY, DEVELOPMENT_SECRET
from connectors.secrets_file import SECRETS

env = Environment.of_process()
VAR_DIR = var_folder(os.environ)
env.text("VAR_DIR")

# --- What this installation is -------------------------------------------------------------------
DEBUG = env.switch("DEBUG", False)
SANDBOX = env.switch("SANDBOX", False)
#: Set by deploy/aws_lambda.py: processes are frozen between requests.
SERVERLESS = env.switch("SERVERLESS", False)
CONSOLE = env.switch("CONSOLE", SANDBOX)
#: The extension shows it, and the release notes of a version above the one it saw last. Those who come from the
#: reference server last saw 1.6.38.
VERSION = "2.0.0"
APP_SERVER = env.url("APP_SERVER", "http://127.0.0.1:8000")
OVERRIDE_APP_SERVER = env.url("OVERRIDE_APP_SERVER")
#: The service that logs calls while nobody is signed in; it is offered to administrators only where there is one.
SERVER_SIDE_LOGGING_URL = env.url("SERVER_SIDE_LOGGING_URL")
#: Where the extension's links lead in place of our own pages, see connectors.help.links.
PUBLIC_LINKS = {
    "AUTHOR_NAME": env.text("PUBLIC_LINKS_AUTHOR_NAME", "Switchboard"),
    **{
        name: env.link(f"PUBLIC_LINKS_{name}", mail=name == "SUPPORT")
        for name in ("AUTHOR", "SUPPORT", "FEEDBACK", "DOCUMENTATION", "RELEASE_NOTES", "REVIEW", "LOGO")
    },
}
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", own_host(APP_SERVER)])
REDIRECT_URI = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html"

# --- Secrets -------------------------------------------------------------------------------------
APP_SERVER_SECRET_KEY = env.text("APP_SERVER_SECRET_KEY", DEVELOPMENT_SECRET if DEBUG else "")
APP_SERVER_SECRET_KEY_FALLBACKS = env.texts("APP_SERVER_SECRET_KEY_FALLBACKS")
SECRET_KEY = env.text("DJANGO_SECRET_KEY") or hashlib.sha256(f"django:{APP_SERVER_SECRET_KEY}".encode()).hexdigest()
HASH_KEY = env.text("HASH_KEY")
CREDENTIAL_KEYS = env.keys("CREDENTIAL_KEYS") or ({"development": DEVELOPMENT_KEY} if DEBUG else {})
if not DEBUG and not env.problems and (missing := [name for name in SECRETS if not env.text(name)]):
    env.wrong(", ".join(missing), "must be set when DEBUG is off; `manage.py make_secrets` makes what is missing.")

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
    "connectors.console",
    "connectors.deliveries",
    "connectors.desk",
]
MIDDLEWARE = [
    "audit.middleware.RequestIdMiddleware",
    "connectors.observation.request_lines.RequestLineMiddleware",
    "connectors.api.cors.WireCorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "connectors.api.paths.WirePathMiddleware",
    "connectors.page_middleware.CSPMiddleware",
    "connectors.api.throttling.AddressThrottleMiddleware",
    "connectors.api.limits.RequestLimitsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "connectors.staff_sign_in.AdminReferrerMiddleware",
    "connectors.desk.zone.TimeZoneMiddleware",
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
with suppress(OSError):  # what needs the folder says so; with PostgreSQL nothing does
    STATIC_ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Web server ----------------------------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.whole("PORT", 8000, least=1, most=65535)
WEB_WORKERS = env.whole("WEB_WORKERS", 2, least=1, most=512)
WEB_THREADS = env.whole("WEB_THREADS", 48, least=1, most=4096)
#: How long requests stand in line for a CRM that has stopped answering, before they are told that it is busy.
WEB_QUEUE_SECONDS = env.number("WEB_QUEUE_SECONDS", 1, least=0.1, most=60)
#: Whether the web processes do the delivery worker's work, too: for one small machine.
WEB_DELIVERS = env.switch("WEB_DELIVERS", False)

# --- Database and cache --------------------------------------------------------------------------
if env.values.get("DATABASE_URL", "unset").strip() == "":  # a secret that did not arrive must not end in a SQLite file
    env.wrong("DATABASE_URL", f"is empty; write {DATABASE_FORM}, or leave it out for a SQLite file in VAR_DIR.")
DATABASES: dict[str, Any] = {"default": env.database("DATABASE_URL", f"sqlite:///{VAR_DIR / 'switchboard.sqlite3'}")}
_database: dict[str, Any] = DATABASES["default"]
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
elif SERVERLESS:  # one request at a time, and no thread may look after a pool
    _database["CONN_MAX_AGE"] = 300
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"].setdefault("connect_timeout", 4)
else:
    _database["CONN_MAX_AGE"] = 0
    _database["OPTIONS"]["pool"] = {
        "min_size": 1,
        # Threads give theirs back while they wait for a CRM. Two processes and a worker keep below PostgreSQL's 100.
        "max_size": WEB_THREADS * 3 // 4 + 4,
        # A longer wait means that the server cannot be reached, or is stuck. Clients wait 30 seconds.
        "timeout": 4,
        "reconnect_timeout": 60,
    }
    _database["CONN_HEALTH_CHECKS"] = True  # connections that a restart of PostgreSQL broke are replaced, not used
    _database["OPTIONS"].setdefault("connect_timeout", 4)

#: Database of a reference server, for the command import_reference; None: not set.
REFERENCE_DATABASE = (
    env.database("REFERENCE_DATABASE_URL", f"sqlite:///{VAR_DIR}") if env.text("REFERENCE_DATABASE_URL") else None
)

REDIS_URL = env.redis("REDIS_URL")
if REDIS_URL:
    CACHES: dict[str, Any] = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
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
    "user": env.rate("THROTTLE_USER", "1200/min"),
    "login": env.rate("THROTTLE_LOGIN", "30/min"),
    "address": env.rate("THROTTLE_ADDRESS", "6000/min"),  # many users may share the address of one office
    "hash": env.rate("THROTTLE_HASH", "600/min"),
    "wrong_token": env.rate("THROTTLE_WRONG_TOKEN", "120/min"),
}
TRUSTED_PROXIES = env.whole("TRUSTED_PROXIES", 0, most=20)
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
CORS_URLS_REGEX = r"^(?!/$|/console/|/admin/?(login|logout|auth|connectors|audit|deliveries|desk|jsi18n|$)).*$"
JWT_LIFETIME = timedelta(days=env.number("JWT_LIFETIME_DAYS", 14, least=1, most=3650))
JWT_GRACE = timedelta(days=env.number("JWT_GRACE_DAYS", 90, most=3650))
#: Whether replies tell their times and counts to a connected user who asks with ``is-debug: true``.
DEBUG_REPLIES = env.switch("DEBUG_REPLIES", False)
CONTACT_CACHE = timedelta(seconds=env.number("CONTACT_CACHE_SECONDS", 600, most=7 * 86400))
#: The country whose way of writing numbers is assumed where a user's time zone does not tell the country.
PHONE_REGION = env.country("PHONE_REGION", "US")
#: What users kept here for themselves goes after this long: entries of the call-down list.
AUDIT_RETENTION = timedelta(days=env.number("AUDIT_RETENTION_DAYS", 400, least=1, most=36_500))
#: How long the trace of a look-up is kept, so that support can say why somebody was found or was not.
LOOK_UP_TRACES = timedelta(days=14)
#: Whether members of the group Auditor may read the notes and messages that wait to be sent.
AUDIT_KEEP_BODIES = env.switch("AUDIT_KEEP_BODIES", False)
NOTE_DRAFT_LIFETIME = timedelta(hours=1)
RINGCENTRAL_SERVER = env.url(
    "RINGCENTRAL_SERVER", "https://platform.ringcentral.com", example="https://platform.ringcentral.com"
)
#: The application whose id is built into the extension; with both set, administrators get reports.
RINGCENTRAL_CLIENT_ID = env.text("RINGCENTRAL_CLIENT_ID")
RINGCENTRAL_CLIENT_SECRET = env.text("RINGCENTRAL_CLIENT_SECRET")
ADMIN_EXTENSION_IDS = env.texts("ADMIN_EXTENSION_ID_DEV_PASS_LIST")

# --- Adapters and their way out ------------------------------------------------------------------
ENABLED_ADAPTERS = env.texts("ENABLED_ADAPTERS")
#: Folders besides ``adapters/`` that hold one folder per CRM with ``manifest.json`` and ``definition.json``.
ADAPTER_FOLDERS = env.folders("ADAPTER_FOLDERS")
#: The variables that manifests name are looked up here, and nowhere else.
ADAPTER_VARIABLES = os.environ
OUTBOUND_CONNECT_TIMEOUT = env.number("OUTBOUND_CONNECT_TIMEOUT", 3.05, least=0.1, most=60)
OUTBOUND_READ_TIMEOUT = env.number("OUTBOUND_READ_TIMEOUT", 10, least=0.1, most=300)
#: Longer than the longest operation in the CRM; a lease that runs out belongs to a process that died in mid-write.
#: A CRM with a read timeout of its own has longer ones, see ``connectors.services.leases``.
DELIVERY_LEASE = 10 * timedelta(seconds=OUTBOUND_CONNECT_TIMEOUT + OUTBOUND_READ_TIMEOUT)
DELIVERY_MAX_AGE_HOURS = env.number("DELIVERY_MAX_AGE_HOURS", 72, most=8760)
DELIVERY_KEEP_DAYS = env.number("DELIVERY_KEEP_DAYS", 14, most=3650)
#: After a request without an answer, how long its effect may still appear in a CRM whose manifest does not say.
DELIVERY_SETTLING_SECONDS = env.number("DELIVERY_SETTLING_SECONDS", 90, most=86400)
DELIVERY_RETRY_SECONDS = env.number("DELIVERY_RETRY_SECONDS", 5, least=0.1, most=3600)
OUTBOUND_CA_BUNDLE = env.certificates("OUTBOUND_CA_BUNDLE")
OUTBOUND_PROXY = env.proxy("OUTBOUND_PROXY")
OUTBOUND_ALLOW_PRIVATE_ADDRESSES = env.switch("OUTBOUND_ALLOW_PRIVATE_ADDRESSES", False)

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
#: Opens ``/metrics`` to callers from elsewhere; 16 characters or more.
METRICS_TOKEN = env.secret("METRICS_TOKEN", least=16)
#: Where processes of one installation keep their counts, which ``/metrics`` sums up.
METRICS_DIR = Path(env.text("METRICS_DIR", str(VAR_DIR / "metrics")))
LOGGING = logging_settings(json_lines=env.choice("LOG_FORMAT", ("json", "console")) == "json")
LOGGING_CONFIG = "config.logs.configure"
#: Where unexpected errors are sent besides; see config.error_reports.
SENTRY_DSN = env.sentry("SENTRY_DSN")
DEFAULT_EXCEPTION_REPORTER = "config.logs.TerseReporter"

if env.problems:
    raise ImproperlyConfigured("\n".join(env.problems))
