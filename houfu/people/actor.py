"""The actor: on whose behalf something happens, and which natural person stands behind it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from houfu.kernel import isolation
from houfu.kernel.errors import Forbidden, NotFound

SCOPES = (
    "approvals:write",
    "beneficiaries:write",
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
    "people:read",
    "people:write",
    "platform:write",
    "policies:read",
    "risk:read",
    "risk:write",
    "webhooks:read",
    "webhooks:write",
)
PERSONAL = frozenset(
    {"approvals:write", "beneficiaries:write", "people:write", "webhooks:write"}
)  # what no key may carry
PLATFORM = frozenset({"platform:write", "risk:write"})  # what no key of a merchant may carry
PARTNER = "limits:watch"  # what a partner's key carries, and nobody else: the limits of named stores as they stand (L8)
KEY_SCOPES = tuple(scope for scope in SCOPES if scope not in PERSONAL)


# What moves money or opens a way to it: by a key that has a public key, in a signed request alone (4.11).
SIGNED = frozenset({"limits:write", "merchants:write", "payouts:write", "platform:write"})
EVERYBODY = -1  # a duty towards all merchants
# Whoever signs in has not said of which merchant: until that is found, it is the product that looks among all logins.
SIGN_IN = isolation.Party("system/sign_in", None)


class PersonNeeded(Forbidden):
    """This is for people alone: no key and no job may do it."""

    code = "person_needed"


class AccessNeeded(Forbidden):
    """The platform's people see and change a merchant's things while its owner's access grant holds, else never."""

    code = "access_needed"


class SignatureNeeded(Forbidden):
    """By this key, what moves money goes in a signed request alone (RFC 9421)."""

    code = "signature_needed"


class WholeMerchantNeeded(Forbidden):
    """This belongs to no single store, so it is not for those who are bound to stores."""

    code = "whole_merchant_needed"


@dataclass(frozen=True)
class Actor:
    """Whoever acts.

    Args:
        label: name in the history, such as "staff/3", "key/12", "operator/li" or "system/worker".
        person: the natural person behind it; two-person rules compare these, not labels.
        merchant_id: the merchant whose things the actor may touch; None for the platform's own people and jobs.
        duty: the merchant for whom somebody of the platform does one of its duties; EVERYBODY for all of them.
        grant_id: the access grant by which a merchant lets somebody of the platform in (4.6).
        unsigned: whether this is a key that should have signed the request, and has not.
        api_version: the version of the API that a key was made for.
        called: the name of a member of the staff, for showing.
        scopes: what the actor may do.
        kind: a member of the staff, a key, the operator at the command line, or the product by itself.
        staff_id: which member of the staff.
        role: their role.
        stores: the stores that the actor is bound to; None for all of the merchant.
        device: digest of what tells the actor's device apart, where it is known.
        ip: the address that the request came from, where there was one.
        stepped_up_at: when they last proved by a passkey that it is them, in this session (S8).
    """

    label: str
    person: str
    merchant_id: int | None
    scopes: frozenset[str]
    kind: Literal["staff", "key", "operator", "system"] = "system"
    staff_id: int | None = None
    role: str = ""
    stores: frozenset[int] | None = None
    device: str = ""
    ip: str = ""
    stepped_up_at: datetime | None = None
    duty: int | None = None
    grant_id: int | None = None
    unsigned: bool = False
    api_version: str = ""
    called: str = field(default="", repr=False, compare=False)

    @property
    def reach(self) -> str:
        """Whose rows the database lets the actor touch, as `isolation.InForce` has it."""
        if self.merchant_id is not None:
            return f"{self.merchant_id}@{self.grant_id}" if self.grant_id else str(self.merchant_id)
        if self.kind in ("operator", "system") or self.duty == EVERYBODY:
            return "*"
        return str(self.duty or 0)

    def require(self, scope: str, merchant_id: int | None = None, store_id: int | None = None) -> None:
        """Refuse unless the actor may do `scope` to things of `merchant_id`, and of `store_id` where one is named.

        Raises:
            Forbidden: the scope is missing.
            SignatureNeeded: a key should have signed this.
            AccessNeeded: the actor is of the platform, and this is neither a duty nor does a grant hold.
            NotFound: the thing is another merchant's or store's; it looks as if it were not there.
        """
        if scope not in self.scopes:
            raise Forbidden(scope=scope)
        if self.unsigned and scope in SIGNED:
            raise SignatureNeeded(scope=scope)
        if (merchant_id and self.reach == "0") or (merchant_id and self.duty not in (None, EVERYBODY, merchant_id)):
            raise AccessNeeded()
        if merchant_id is not None and self.merchant_id not in (None, merchant_id):
            raise NotFound()
        if store_id is not None and not self.sees(store_id):
            raise NotFound()

    @property
    def watches(self) -> str:
        """The scope by which the actor looks at limits as they stand; a partner has one for that alone (L8)."""
        return PARTNER if PARTNER in self.scopes else "limits:read"

    def sees(self, store_id: int) -> bool:
        """Say whether a store of the actor's merchant is among those that the actor may look at."""
        return self.stores is None or store_id in self.stores

    def require_whole(self) -> None:
        """Refuse actors that are bound to stores: this is a matter of the whole merchant.

        Raises:
            WholeMerchantNeeded: the actor is bound to stores.
        """
        if self.stores is not None:
            raise WholeMerchantNeeded()

    def require_person(self) -> None:
        """Refuse whatever is no natural person: approvals, beneficiaries, tiers and appeals are for people (S7).

        Raises:
            PersonNeeded: the actor is a key or the product by itself.
        """
        if self.kind not in ("staff", "operator"):
            raise PersonNeeded()


def operator(person: str) -> Actor:
    """Return the platform's own person at the command line, who may do everything that a scope names."""
    return Actor(f"operator/{person}", person, None, frozenset(SCOPES), kind="operator")


def system(job: str) -> Actor:
    """Return the product acting by itself: the worker, a run, an import."""
    return Actor(f"system/{job}", "", None, frozenset(SCOPES))
