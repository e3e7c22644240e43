"""Addresses."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from houfu.kernel.errors import NotFound
from houfu.kernel.http import problem
from houfu.site.api import api


def _not_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(NotFound())


handler404 = _not_here
urlpatterns = [path("v1/", api.urls), path("auth/", include("houfu.people.sign_in.urls"))]
