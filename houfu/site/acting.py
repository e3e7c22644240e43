"""Requests on somebody's behalf: nobody's before a key is shown, and nobody's again when the answer is made."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse

from houfu.kernel import db, isolation

View = TypeVar("View", bound=Callable[..., Any])


class ActingMiddleware:
    """Lets nobody be in force when a request comes in, whoever this thread has served before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with isolation.acting(None):
            return self.get_response(request)


def reads_together(view: View) -> View:
    """Let an operation that only reads do so in one transaction."""

    @wraps(view)
    def read(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method not in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        with db.reading():
            return view(request, *args, **kwargs)

    return read  # type: ignore[return-value]
