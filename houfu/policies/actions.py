"""Checking and loading policy packs. A pack is never changed; a change is a new pack from a later instant on (T5)."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from houfu.history import actions as history
from houfu.history.actions import Who
from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.policies import pack, queries
from houfu.policies.models import Pack

SHIPPED = Path(__file__).parent / "packs"
SOURCE_LEAST = 10  # letters by which a pack names the source of its numbers


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


class TooLate(Refused):
    """A pack is published before it takes effect, so that everybody can see it coming."""

    code = "policy_too_late"


@dataclass(frozen=True)
class Draft:
    """What a pack's TOML would make if it were loaded now; nothing is kept.

    Args:
        before: the pack that it changes, None for the first.
        document: every number, merged over those before.
        loaded: the same pack, where it is loaded.
    """

    policy: pack.Policy
    before: Pack | None
    document: str
    loaded: Pack | None

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.document.encode()).digest()

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """What differs from the numbers before: where, before and after."""
        old, new = (json.loads(text) for text in (self.before.document if self.before else "{}", self.document))
        return [each for each in pack.diff(old, new) if each[0] not in pack.HEAD]


def check(text: str) -> Draft:
    """Return what a pack's TOML, which states what changes against the pack before, would make.

    Raises:
        PackInvalid, VersionReused, OutOfOrder, SourceMissing: it could not be loaded as it stands.
    """
    stated = pack.read(text)
    there = Pack.objects.filter(version=stated["version"]).first()
    before, document = queries.merged(stated)
    if there and bytes(there.digest) != hashlib.sha256(document.encode()).digest():
        raise VersionReused(version=there.version)
    last = Pack.objects.order_by("-effective_from").first()
    if not there and last and stated["effective_from"] <= last.effective_from:
        raise OutOfOrder(after=last.version)
    draft = Draft(pack.decode(document), before, document, there)
    if len(draft.policy.source) < SOURCE_LEAST:
        raise SourceMissing(least=SOURCE_LEAST)
    return draft


@db.action
def load(*, by: Who, text: str) -> Pack:
    """Load a pack from its TOML, which states what changes against the pack before; loading it again changes nothing.

    Raises:
        PackInvalid, VersionReused, OutOfOrder, SourceMissing: nothing was loaded.
    """
    draft = check(text)
    if draft.loaded:
        return draft.loaded
    policy = draft.policy
    loaded = Pack.objects.create(
        version=policy.version,
        effective_from=policy.effective_from,
        title=policy.title,
        source=policy.source,
        document=draft.document,
        digest=draft.digest,
        loaded_at=clock.now(),
    )
    history.record(
        "policy.loaded",
        by=by,
        merchant_id=history.PLATFORM,
        subject=f"policy/{policy.version}",
        digest=draft.digest.hex(),
        effective_from=policy.effective_from.isoformat(),
    )
    return loaded


@db.action
def publish(*, by: Who, text: str) -> Pack:
    """Load a pack that takes effect later than now; a person of the platform does it (T5).

    Raises:
        TooLate, and what `load` refuses with: nothing was loaded.
    """
    draft = check(text)
    if not draft.loaded and draft.policy.effective_from <= clock.now():
        raise TooLate(effective_from=draft.policy.effective_from.isoformat())
    return load(by=by, text=text)


def load_shipped(*, by: Who) -> None:
    """Load the packs that this version ships and that are not loaded yet, the earliest first."""
    loaded = set(Pack.objects.values_list("version", flat=True))
    for path in sorted(SHIPPED.glob("*.toml")):
        if path.stem not in loaded:
            load(by=by, text=path.read_text())
