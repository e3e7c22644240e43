"""Django's settings. What a person may choose comes from the environment: HOUFU_HOME, DATABASE_URL and few more."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.functional import lazy

from houfu.kernel import postgres, vault
from houfu.site import duties

HOME = Path(os.environ.get("HOUFU_HOME", Path.home() / ".houfu")).expanduser()
PATIENCE = "-c lock_timeout=2s -c statement_timeout=60s -c idle_in_transaction_session_timeout=30s"
# Plans whose other ways are switched off look dear to servers before 18, which would compile them at each call.
NO_JIT = "-c jit=off"


def _database(url: str, role: str, patience: str = PATIENCE) -> dict[str, Any]:
    """Describe one way into the database: everybody who comes in takes the role that fits the work."""
    parts = urlsplit(url)
    return {
        "ENGINE": "houfu.kernel.backend",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"options": f"{patience} {NO_JIT} {role}".strip(), "prepare_threshold": 5},
        "TEST": {"MIRROR": None},
    }


def _databases() -> dict[str, dict[str, Any]]:
    """Find the database: DATABASE_URL where it is set, else the embedded server of this data folder.

    HOUFU_AS=web makes a process come in as one that strangers talk to: it pays nothing out. Worker and commands do.
    """
    external = os.environ.get("DATABASE_URL", "")
    if os.environ.get("HOUFU_AS") == "web":
        role, runtime = "houfu_app", external or postgres.url(HOME, "houfu_runtime") or ""
    else:
        role = "houfu_worker"
        runtime = os.environ.get("HOUFU_WORKER_DATABASE_URL") or external or postgres.url(HOME, "houfu_jobs") or ""
    owner = os.environ.get("HOUFU_OWNER_DATABASE_URL") or external or postgres.url(HOME, "houfu_owner") or ""
    auditor = external or postgres.url(HOME, "houfu_auditor") or ""
    return {
        "default": _database(runtime, f"-c role={role}"),
        "owner": _database(owner, "", patience=""),
        "auditor": _database(auditor, "-c role=houfu_verify", patience="-c default_transaction_read_only=on"),
    }


def connect() -> None:
    """Find the database anew, as for a server that was started after these settings were read."""
    from django.db import connections

    for alias, found in _databases().items():
        connections[alias].close()
        connections[alias].settings_dict.update(found)


def disconnect() -> None:
    """Close every connection of this thread."""
    from django.db import connections

    connections.close_all()


DATABASES = _databases()
SIGN_IN_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
]
ROOM_APPS = [
    f"houfu.{room}"
    for room in (
        "kernel",
        "console",
        "history",
        "policies",
        "calendars",
        "people",
        "jobs",
        "merchants",
        "webhooks",
        "ledger",
        "limits",
        "approvals",
        "channels",
        "buyers",
        "orders",
        "risk",
        "payouts",
        "splits",
        "reconciliation",
        "imports",
        "insight",
    )
]
COUNTRY_DB = os.environ.get("HOUFU_COUNTRY_DB", "")  # a MaxMind file of countries by address
PLATFORM_DUTIES, PLATFORM_DUTY_AREAS = duties.FOR_A_MERCHANT, duties.AREAS_FOR_A_MERCHANT + duties.CONSOLE_AREAS
PLATFORM_DUTIES_FOR_ALL = duties.FOR_ALL | duties.CONSOLE_FOR_ALL
INSTALLED_APPS = SIGN_IN_APPS + ROOM_APPS
ROOT_URLCONF = "houfu.site.urls"
MIDDLEWARE = [
    "houfu.site.acting.ActingMiddleware",
    "houfu.site.versioning.VersionMiddleware",
    "houfu.people.sign_in.guard.GuardMiddleware",
    "houfu.people.sign_in.sessions.SessionMiddleware",
    "houfu.people.sign_in.guard.CsrfMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "houfu.site.idempotency.IdempotencyMiddleware",
    "houfu.site.shell.ConsoleMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "houfu.site.shell.in_templates"]
        },
    }
]
ALLOWED_HOSTS = os.environ.get("HOUFU_HOSTS", "127.0.0.1,localhost").split(",")
WEBHOOK_PORTS = frozenset(int(port) for port in os.environ.get("HOUFU_WEBHOOK_PORTS", "").split(",") if port)
SECRET_KEY = lazy(vault.web_secret, str)()  # not read, and its file not made, before something is signed
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_CODE = "zh-hans"
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024  # as houfu.kernel.http.BODY_MAX, which refuses what is more
LOGGING_CONFIG = None

# Sign-in: accounts and factors by allauth, over JSON alone; who may do what with them is in houfu.people.sign_in.

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["houfu.people.sign_in.passwords.Argon2id"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "houfu.people.sign_in.passwords.Length"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
CACHES = {"default": {"BACKEND": "houfu.people.sign_in.memory.DatabaseMemory"}}
SESSION_ENGINE = "houfu.people.sign_in.sessions"
SESSION_COOKIE_NAME = "__Host-houfu"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
HEADLESS_ONLY = True
HEADLESS_CLIENTS = ("app", "browser")
HEADLESS_TOKEN_STRATEGY = "houfu.people.sign_in.sessions.TokenStrategy"  # noqa: S105  a name
ACCOUNT_ADAPTER = "houfu.people.sign_in.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "20/m/ip,5/5m/key"}
USERSESSIONS_ADAPTER = "houfu.people.sign_in.adapters.SessionAdapter"
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip"}
MFA_ADAPTER = "houfu.people.sign_in.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_TOTP_ISSUER = "Houfu"
