"""The HTTP API: rooms' routers under /v1, keys and sessions, refusals as problem details."""

import logging
from typing import Any

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from houfu import __version__
from houfu.approvals.api import router as approvals
from houfu.buyers.api import router as buyers
from houfu.calendars.api import router as calendars
from houfu.channels.api import router as channels
from houfu.history.api import router as history
from houfu.imports.api import router as imports
from houfu.insight.api import router as insight
from houfu.jobs.api import router as jobs
from houfu.kernel import db
from houfu.kernel.errors import Invalid, NotFound, Refused, Unauthenticated
from houfu.kernel.http import StrictParser, problem, strict_query
from houfu.ledger.api import router as ledger
from houfu.limits.api import router as limits
from houfu.limits.conversions_api import router as conversions
from houfu.limits.dynamic_api import router as dynamic
from houfu.limits.pools_api import router as pools
from houfu.merchants.api import router as merchants
from houfu.orders.api import router as orders
from houfu.payouts.api import router as payouts
from houfu.people.access_api import router as access
from houfu.people.api import router as people
from houfu.people.sign_in.auth import AUTH
from houfu.policies.api import router as policies
from houfu.reconciliation.api import router as reconciliation
from houfu.risk.api import router as risk
from houfu.risk.rules_api import router as risk_rules
from houfu.site import kinds, packs_api  # noqa: F401  what can be asked for
from houfu.site.acting import reads_together
from houfu.splits.api import router as splits
from houfu.webhooks.api import router as webhooks

log = logging.getLogger("houfu.api")


class Unexpected(Refused):
    """Something went wrong on our side; the request did not take effect unless asking by its key says so."""

    code = "unexpected"
    status = 500


api = NinjaAPI(
    title="Houfu 后付",
    version=__version__,
    description="Pay-later limits, books and payouts. Amounts are integer fen. Refusals are problem details (RFC 9457)"
    " whose `code` is stable; requests that write may carry an `Idempotency-Key`.",
    auth=AUTH,
    docs_url=None,
    urls_namespace="houfu",
    parser=StrictParser(),
)
api.add_decorator(strict_query)
api.add_decorator(reads_together)
for router in (
    access, approvals, buyers, calendars, channels, conversions, dynamic, history, imports, insight, jobs, ledger,
    limits, merchants, orders, payouts, people, policies, pools, reconciliation, risk, risk_rules, splits, webhooks,
):  # fmt: skip
    api.add_router("", router)


@api.get("/health", auth=None, tags=["instance"])
def health(request: HttpRequest) -> dict[str, str]:
    """Say that the instance answers, and reaches its database."""
    connection.ensure_connection()
    return {"status": "ok", "version": __version__}


@api.exception_handler(Refused)
def on_refusal(request: HttpRequest, refusal: Refused) -> HttpResponse:
    return problem(refusal)


@api.exception_handler(AuthenticationError)
def on_missing_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problem(Unauthenticated())


@api.exception_handler(ValidationError)
def on_invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: list[dict[str, Any]] = [
        {"field": ".".join(str(part) for part in each["loc"]), "said": each["msg"]} for each in error.errors
    ]
    return problem(Invalid(fields=fields))


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(NotFound() if error.status_code == 404 else Invalid(said=str(error)))


@api.exception_handler(Error)
def on_database_error(request: HttpRequest, error: Error) -> HttpResponse:
    """Let whoever opened the transaction of this request decide: retry it, or say what the database's law is called."""
    if connection.in_atomic_block:
        raise error
    refusal = db.translated(error)
    return problem(refusal) if isinstance(refusal, Refused) else on_anything(request, error)


@api.exception_handler(Exception)
def on_anything(request: HttpRequest, error: Exception) -> HttpResponse:
    log.exception("%s %s", request.method, request.path, exc_info=error)
    return problem(Unexpected())
