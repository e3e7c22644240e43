"""Keys at the door: looked up together, each for itself; one that opens nothing does not spoil the others' look."""

import asyncio

import pytest

from houfu.kernel.db import OutcomeUnknown
from houfu.kernel.errors import Unauthenticated
from houfu.orders.intake import keys
from houfu.orders.intake.keys import Keys
from houfu.orders.intake.threads import Threads
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actor import Actor
from houfu.testing.world import open_shop


def scope(token):
    return {"headers": [(b"authorization", f"Bearer {token}".encode())], "client": ("127.0.0.1", 1)}


@pytest.fixture
def looks(monkeypatch):
    """What was looked up together, and who is found: whoever's token begins with "good"."""
    asked_together = []

    def actors_of(asked):
        asked_together.append([token for token, _ in asked])
        if any(token == "lost" for token, _ in asked):
            raise OutcomeUnknown()
        return [
            Actor(f"key/{token}", "wang", 1, frozenset()) if token.startswith("good") else Unauthenticated()
            for token, _ in asked
        ]

    monkeypatch.setattr(keys.people, "actors_of", actors_of)
    return asked_together


def answered(*turns):
    """Return what each token of each turn was answered; a turn begins when the one before has its answers."""

    async def steps():
        threads = Threads(2, "look")
        door = Keys(threads)
        found = []
        for tokens in turns:
            found += await asyncio.gather(*(door.actor(scope(token)) for token in tokens), return_exceptions=True)
        threads.close()
        return found

    return asyncio.run(asyncio.wait_for(steps(), 10))


def test_what_comes_together_is_looked_up_together_and_once(looks):
    found = answered(["good1", "good2", "bad", "good1"], ["good2", "good3"])
    assert looks == [["good1", "good2", "bad"], ["good3"]]
    assert [getattr(each, "label", type(each)) for each in found] == [
        "key/good1", "key/good2", Unauthenticated, "key/good1", "key/good2", "key/good3",
    ]  # fmt: skip


def test_a_key_is_looked_up_anew_when_its_time_is_over(looks, monkeypatch):
    monkeypatch.setattr(keys, "TRUST", -1)
    answered(["good1"], ["good1"])
    assert looks == [["good1"], ["good1"]]


def test_whoever_is_looked_up_with_a_lost_database_is_told_so_and_may_ask_again(looks):
    found = answered(["good1", "lost"], ["good1"])
    assert [type(each) for each in found] == [OutcomeUnknown, OutcomeUnknown, Actor]


@pytest.mark.usefixtures("db")
def test_many_tokens_are_told_as_each_alone():
    shops = [open_shop() for _ in range(3)]
    tokens, expected = [], []
    for shop in shops:
        mine = {"by": shop.owner, "merchant_id": shop.merchant_id}
        for name, more in (("plain", {}), ("elsewhere", {"networks": ["203.0.113.0/24"]}), ("revoked", {})):
            key, token = people.create_key(**mine, name=name, scopes=["orders:read"], **more)
            if name == "revoked":
                people.revoke_key(**mine, id=key.id)
            tokens.append(token)
            expected.append(f"key/{key.id}" if name == "plain" else Unauthenticated)
    first, second = tokens[0].split("_", 3), tokens[3].split("_", 3)
    tokens += ["", "hf_1", "hf_x_1_y", "_".join([*first[:3], second[3]]), "_".join([second[0], second[1], *first[2:]])]
    expected += [Unauthenticated] * 5
    found = queries.actors_of([(token, "198.51.100.7") for token in tokens])
    assert [getattr(each, "label", type(each)) for each in found] == expected
    for token, each in zip(tokens, found, strict=True):
        try:
            assert queries.actor_of(token, "198.51.100.7") == each
        except Unauthenticated:
            assert isinstance(each, Unauthenticated)
