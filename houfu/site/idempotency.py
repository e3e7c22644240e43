"""Requests with an Idempotency-Key: the answer is kept with its effect, in one transaction, and given again (I-11)."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from houfu.kernel import clock, data_keys, db, isolation
from houfu.kernel.errors import Invalid, Refused
from houfu.kernel.http import problem
from houfu.people.actor import Actor
from houfu.people.sign_in.auth import identify

HEADER = "Idempotency-Key"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class KeyReused(Invalid):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


class StillRunning(Refused):
    """The first request with this Idempotency-Key is still running."""

    code = "idempotency_in_flight"


@db.refuse_on("kernel_answer_key_length")
class BadKey(Invalid):
    """An Idempotency-Key has 1 to 255 characters."""

    code = "idempotency_key_invalid"


class _NotKept(Exception):
    """Carries a refusal out of the transaction, so that nothing of it stays, the key included."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


def _place(row: Sequence[Any]) -> str:
    return "kernel_answer/" + "\n".join(map(str, row))


def _sealed(response: HttpResponse, place: str, merchant_id: int) -> bytes:
    return data_keys.seal(response.content.decode(), place, merchant_id)


RESEALING = data_keys.resealing(
    "kernel_answer",
    {"body_sealed": lambda row: _place([row.merchant_id, row.principal, row.operation, row.key])},
    key="principal operation key",
)


class IdempotencyMiddleware:
    """Answers a repeated request with the first answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.headers.get(HEADER)
        if key is None or request.method not in WRITES or not request.path.startswith("/v1/"):
            return self.get_response(request)
        try:
            by = identify(request)
            with isolation.acting(by):
                return self._once(request, by, key)
        except _NotKept as refused:
            return refused.response
        except Refused as refusal:
            return problem(refusal)

    @staticmethod
    def _operation(request: HttpRequest) -> tuple[str, bytes]:
        operation = f"{request.method} {request.path}"
        return operation, hashlib.sha256(request.get_full_path().encode() + b"\n" + request.body).digest()

    def _once(self, request: HttpRequest, by: Actor, key: str) -> HttpResponse:
        @db.action
        def run() -> HttpResponse:
            operation, digest = self._operation(request)
            merchant_id = by.merchant_id or max(by.duty or 0, 0)
            row = [merchant_id, by.label, operation, key]
            place = _place(row)
            there = db.rows(
                "SELECT request_digest, status, body_sealed FROM kernel_answer"
                " WHERE (merchant_id, principal, operation, key) = (%s, %s, %s, %s)",
                row,
            )
            if there:
                if there[0].request_digest != digest:
                    raise KeyReused()
                body = data_keys.unseal(there[0].body_sealed, place, merchant_id)
                return HttpResponse(body, status=there[0].status, content_type="application/json")
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 7)) AS mine"
            if not db.rows(lock, ["\n".join(map(str, row))])[0].mine:
                raise StillRunning()
            response = self.get_response(request)
            if response.status_code >= 400:
                raise _NotKept(response)
            db.rows(
                "INSERT INTO kernel_answer VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [*row, digest, response.status_code, _sealed(response, place, merchant_id), clock.now()],
            )
            return response

        return run()
