"""The actor: on whose behalf something happens, and which natural person stands behind it."""

from dataclasses import dataclass

from houfu.kernel.errors import Forbidden, NotFound

SCOPES = (
    "history:read",
    "ledger:read",
    "limits:read",
    "limits:write",
    "merchants:read",
    "merchants:write",
    "orders:read",
    "orders:write",
    "payouts:read",
    "payouts:write",
    "platform:write",
    "policies:read",
    "webhooks:read",
    "webhooks:write",
)


@dataclass(frozen=True)
class Actor:
    """Whoever acts.

    Args:
        label: name in the history, such as "key/12", "operator/li" or "system/worker".
        person: the natural person behind it; two-person rules compare these, not labels.
        merchant_id: the merchant whose things the actor may touch; None for the platform's own people and jobs.
        scopes: what the actor may do.
    """

    label: str
    person: str
    merchant_id: int | None
    scopes: frozenset[str]

    def require(self, scope: str, merchant_id: int | None = None) -> None:
        """Refuse unless the actor may do `scope` to things of `merchant_id`.

        Raises:
            Forbidden: the scope is missing.
            NotFound: the thing is another merchant's; it looks as if it were not there.
        """
        if scope not in self.scopes:
            raise Forbidden(scope=scope)
        if merchant_id is not None and self.merchant_id not in (None, merchant_id):
            raise NotFound()


def operator(person: str) -> Actor:
    """Return the platform's own person at the command line, who may do everything that a scope names."""
    return Actor(label=f"operator/{person}", person=person, merchant_id=None, scopes=frozenset(SCOPES))


def system(job: str) -> Actor:
    """Return the product acting by itself: the worker, a run, an import."""
    return Actor(label=f"system/{job}", person="", merchant_id=None, scopes=frozenset(SCOPES))
