"""Requests on somebody's behalf: nobody's before a key is shown, and nobody's again when the answer is made.

The doors of sign-in are the exception: whoever comes there is looked for among all logins.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse

from houfu.kernel import db, isolation
from houfu.people.actor import SIGN_IN

View = TypeVar("View", bound=Callable[..., Any])


class ActingMiddleware:
    """Lets nobody be in force when a request comes in, but sign-in itself at its doors."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with isolation.acting(SIGN_IN if request.path.startswith("/auth/") else None):
            return self.get_response(request)


def reads_together(view: View) -> View:
    """Let an operation that only reads on somebody's behalf do so in one transaction."""
    if getattr(view, "writes", False):
        return view

    @wraps(view)
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method not in ("GET", "HEAD") or isolation.in_force() is None:
            return view(request, *args, **kwargs)
        with db.reading():
            return view(request, *args, **kwargs)

    return read  # type: ignore[return-value]
