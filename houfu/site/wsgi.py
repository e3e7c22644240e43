"""The web process' entry."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "houfu.site.settings")
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402

from houfu.site import upkeep  # noqa: E402

upkeep.check()
application = WSGIHandler()
