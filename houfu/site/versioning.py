"""Which version of the API a request speaks, said in its answer: the header's, else the key's, else the newest."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from houfu.kernel import versions
from houfu.kernel.http import problem


class VersionMiddleware:
    """Refuses a version that is not known, and names in the answer the one that was spoken."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/v1/"):
            return self.get_response(request)
        said = request.headers.get(versions.HEADER)
        try:
            wanted = said if said is None else versions.known(said)
        except versions.VersionUnknown as refusal:
            return problem(refusal)
        response = self.get_response(request)
        by = getattr(request, "houfu_actor", None)
        response[versions.HEADER] = wanted or (by.api_version if by else "") or versions.NEWEST
        return response
