"""Loading policy packs. A pack is never changed; what changes is a new pack from a later instant on (T5)."""

import hashlib
from pathlib import Path

from houfu.history import actions as history
from houfu.history.actions import Who
from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.policies import pack, queries
from houfu.policies.models import Pack

SHIPPED = Path(__file__).parent / "packs"


class VersionReused(Refused):
    """A pack of this version is loaded with other content."""

    code = "policy_version_reused"


@db.refuse_on("policies_pack_one_per_instant")
class OutOfOrder(Refused):
    """A pack takes effect after every pack that is loaded; the past is not rewritten."""

    code = "policy_out_of_order"


@db.refuse_on("policies_pack_names_source")
class SourceMissing(Refused):
    """A pack names the source of its numbers."""

    code = "policy_source_missing"


@db.action
def load(*, by: Who, text: str) -> Pack:
    """Load a pack from its TOML, which states what changes against the pack before; loading it again changes nothing.

    Raises:
        PackInvalid, VersionReused, OutOfOrder, SourceMissing: nothing was loaded.
    """
    stated = pack.read(text)
    last = Pack.objects.order_by("-effective_from").first()
    there = Pack.objects.filter(version=stated["version"]).first()
    document = queries.document_of(stated)
    digest = hashlib.sha256(document.encode()).digest()
    if there:
        if bytes(there.digest) != digest:
            raise VersionReused(version=there.version)
        return there
    if last and stated["effective_from"] <= last.effective_from:
        raise OutOfOrder(after=last.version)
    policy = pack.decode(document)
    loaded = Pack.objects.create(
        version=policy.version,
        effective_from=policy.effective_from,
        title=policy.title,
        source=policy.source,
        document=document,
        digest=digest,
        loaded_at=clock.now(),
    )
    history.record(
        "policy.loaded",
        by=by,
        merchant_id=history.PLATFORM,
        subject=f"policy/{policy.version}",
        digest=digest.hex(),
        effective_from=policy.effective_from.isoformat(),
    )
    return loaded


def load_shipped(*, by: Who) -> None:
    """Load the packs that this version ships and that are not loaded yet, the earliest first."""
    loaded = set(Pack.objects.values_list("version", flat=True))
    for path in sorted(SHIPPED.glob("*.toml")):
        if path.stem not in loaded:
            load(by=by, text=path.read_text())
