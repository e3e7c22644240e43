"""The web process' entry."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "houfu.site.settings")
os.environ["HOUFU_AS"] = "web"
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402

from houfu.kernel.postgres import die_with_parent  # noqa: E402
from houfu.site import upkeep  # noqa: E402

die_with_parent()  # a server killed outright must not leave processes behind that hold its port
upkeep.check()
application = WSGIHandler()
