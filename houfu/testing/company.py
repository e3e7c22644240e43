"""A merchant whose people have passkeys, for tests that read like the domain."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from houfu.approvals import actions, queries
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Request
from houfu.history import queries as history
from houfu.kernel import clock, db
from houfu.people import actions as people
from houfu.people.actor import Actor
from houfu.testing.passkeys import SoftwarePasskey, unb64
from houfu.testing.world import Shop, open_shop

ORIGIN, RP_ID = "http://localhost:8900", "localhost"
PAYLOAD = {"amount_fen": 2_000_000, "payee": "某某", "tail": "0001", "lots": ["D1", "D2"]}


@dataclass
class Company:
    """A shop, its people by name, and the passkeys that they have."""

    shop: Shop
    people: dict[str, Actor] = field(default_factory=dict)
    keys: dict[str, SoftwarePasskey] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Actor:
        people: dict[str, Actor] = self.__dict__["people"]
        if name not in people:
            raise AttributeError(name)
        return people[name]

    @property
    def m(self) -> int:
        return self.shop.merchant_id

    def hire(self, name: str, role: str, identity: str = "") -> Actor:
        """Take somebody on, and let them make a passkey."""
        self.people[name] = self.shop.hire(role, name, identity=identity)
        self.give_passkey(name)
        return self.people[name]

    def give_passkey(self, name: str) -> SoftwarePasskey:
        """Let somebody make a passkey; they sign with it from now on."""
        by, key = self.people[name], passkey()
        assert by.staff_id
        people.add_passkey(
            by=by,
            merchant_id=self.m,
            staff_id=by.staff_id,
            credential_id=key.credential_id,
            public_key=key.public_key,
            rp_id=key.rp_id,
        )
        self.keys[name] = key
        return key

    def ask(self, *chain: str, by: Actor | None = None, subject: str = "", **changes: Any) -> Request:
        """Ask for approval of a payout by the store's manager."""
        said: dict[str, Any] = {
            "id": uuid4(),
            "subject": subject or f"payout/{uuid4()}",
            "version": 1,
            "payload": PAYLOAD,
            "editors": [],
            "expires_at": clock.now() + timedelta(days=3),
            **changes,
        }
        return actions.open(by=by or self.manager, merchant_id=self.m, chain=chain, **said)

    def answer(self, name: str, request: Request) -> Assertion:
        """Let somebody's passkey answer what the screen shows."""
        return answer(self.keys[name], queries.challenge(self.people[name], self.m, request.id).challenge)

    def sign(self, name: str, request: Request) -> Request:
        """Let somebody sign."""
        return actions.sign(
            by=self.people[name], merchant_id=self.m, id=request.id, assertion=self.answer(name, request)
        )

    def prove(self, request: Request, **changes: Any) -> Request:
        """Prove, as whoever submits would, in an action of its own."""
        said: dict[str, Any] = {"subject": request.subject, "version": request.version, "payload": PAYLOAD, **changes}
        return db.action(queries.prove)(self.m, **said)

    def state(self, request: Request) -> tuple[str, int]:
        found = Request.objects.get(merchant_id=self.m, id=request.id)
        return found.state, found.turn

    def signed(self, request: Request) -> list[str]:
        """Return the names of those whose signatures stand, in the order of the chain."""
        names = {actor.staff_id: name for name, actor in self.people.items()}
        return [names[each.staff_id] for each in queries.signatures(request)]

    def told(self, subject: str) -> list[str]:
        """Return what the history says of a thing, the oldest first."""
        return [link.verb for link in reversed(history.links(self.m, subject=subject))]

    def change(self, name: str, role: str) -> None:
        """Give somebody another role."""
        staff_id = self.people[name].staff_id
        assert staff_id
        people.change(by=self.shop.owner, merchant_id=self.m, id=staff_id, settings=people.Settings(role))


def open_company() -> Company:
    """Open a merchant with a manager who asks, and two people in every role that approves."""
    company = Company(open_shop(own_limit_fen=0))
    company.people["manager"] = company.shop.hire("store_manager", "manager")
    for name, role in [
        ("zhao", "supervisor"), ("qian", "supervisor"), ("sun", "legal"), ("li", "legal"), ("zhou", "owner"),
    ]:  # fmt: skip
        company.hire(name, role)
    return company


def passkey() -> SoftwarePasskey:
    """Return a new passkey for us."""
    return SoftwarePasskey(ORIGIN, RP_ID)


def answer(key: SoftwarePasskey, challenge: bytes) -> Assertion:
    """Return what a passkey answers to a challenge."""
    said = key.sign_bytes(challenge)
    data, client, signature = (
        unb64(said["response"][name]) for name in ("authenticatorData", "clientDataJSON", "signature")
    )
    return Assertion(unb64(said["rawId"]), data, client, signature)
