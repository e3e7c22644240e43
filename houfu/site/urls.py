"""Addresses."""

from django.urls import path

from houfu.site.api import api

urlpatterns = [path("v1/", api.urls)]
