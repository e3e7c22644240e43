"""Addresses."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path

from houfu.console import assets
from houfu.kernel.errors import NotFound
from houfu.kernel.http import problem
from houfu.site.api import api
from houfu.site.pages import PAGES


def _front_door(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/console/")


def _not_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(NotFound())


handler404 = _not_here
urlpatterns = [
    path("", _front_door),
    path("v1/", api.urls),
    path("auth/", include("houfu.people.sign_in.urls")),
    path("console/", include(PAGES)),
    path("static/<str:digest>/<path:name>", assets.serve),
]
