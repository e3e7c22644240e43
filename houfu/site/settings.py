"""Django's settings. What a person may choose comes from the environment: HOUFU_HOME, DATABASE_URL and few more."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from houfu.kernel import postgres

HOME = Path(os.environ.get("HOUFU_HOME", Path.home() / ".houfu")).expanduser()
PATIENCE = "-c lock_timeout=2s -c statement_timeout=60s -c idle_in_transaction_session_timeout=30s"


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
        "OPTIONS": {"options": f"{patience} {role}".strip(), "prepare_threshold": 5},
        "TEST": {"MIRROR": None},
    }


def _databases() -> dict[str, dict[str, Any]]:
    """Find the database: DATABASE_URL where it is set, else the embedded server of this data folder."""
    external = os.environ.get("DATABASE_URL", "")
    owner = os.environ.get("HOUFU_OWNER_DATABASE_URL") or external or postgres.url(HOME, "houfu_owner") or ""
    runtime = external or postgres.url(HOME, "houfu_runtime") or ""
    auditor = external or postgres.url(HOME, "houfu_auditor") or ""
    return {
        "default": _database(runtime, "-c role=houfu_app"),
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
INSTALLED_APPS = [
    f"houfu.{room}"
    for room in (
        "kernel",
        "history",
        "policies",
        "calendars",
        "people",
        "merchants",
        "ledger",
        "limits",
        "channels",
        "orders",
        "payouts",
        "reconciliation",
        "imports",
    )
]
ROOT_URLCONF = "houfu.site.urls"
MIDDLEWARE = ["houfu.site.acting.ActingMiddleware", "houfu.site.idempotency.IdempotencyMiddleware"]
ALLOWED_HOSTS = os.environ.get("HOUFU_HOSTS", "127.0.0.1,localhost").split(",")
SECRET_KEY = "unused: no session, no signed cookie before sign-in exists"  # noqa: S105
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_CODE = "zh-hans"
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
LOGGING_CONFIG = None
