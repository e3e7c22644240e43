"""The fence: a copy of an instance sends nothing to the outside world (I-26)."""

import json

from django.conf import settings

from houfu.kernel.errors import Refused
from houfu.kernel.models import Instance


class CopiedInstance(Refused):
    """This database is a copy: its identity is not that of the data folder, so it sends nothing.

    `houfu instance adopt` makes it the one that sends, once nothing else uses that identity.
    """

    code = "instance_copied"
    status = 503


def check() -> None:
    """Refuse unless the data folder holds the identity of this very database.

    Raises:
        CopiedInstance: a restored, cloned or staging copy.
    """
    instance = Instance.objects.get()
    try:
        held = json.loads((settings.HOME / "instance.json").read_text())["id"]
    except FileNotFoundError:
        held = None
    if held != str(instance.id):
        raise CopiedInstance(database=str(instance.id), folder=held)


def adopt() -> None:
    """Write the database's identity into the data folder, so that this instance may send."""
    instance = Instance.objects.get()
    settings.HOME.mkdir(parents=True, exist_ok=True)
    (settings.HOME / "instance.json").write_text(json.dumps({"id": str(instance.id)}))
