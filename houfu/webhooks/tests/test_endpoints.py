"""Endpoints: who may have one, what it may be, and what becomes of its keys."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from standardwebhooks import Webhook

from houfu.history import queries as history
from houfu.kernel import data_keys, db
from houfu.kernel.errors import Busy, Forbidden, IllegalMove, NotFound
from houfu.kernel.vault import VaultClosed
from houfu.people.actor import Actor
from houfu.webhooks import actions, queries
from houfu.webhooks.actions import BadVerbs, NoRoom, NotActive, RotationUnderWay
from houfu.webhooks.addresses import UrlRefused
from houfu.webhooks.tests.ground import URL, Told, happen, hush, listen, notes, sender, shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ours():
    hush()
    return shop()


def seen(ours):
    """All that could have moved."""
    tables = ("webhooks_endpoint", "webhooks_key", "webhooks_delivery", "history_link")
    return [
        db.rows(f"SELECT t::text FROM {table} t WHERE merchant_id = %s ORDER BY 1", [ours.merchant_id])
        for table in tables
    ]


def test_an_endpoint_is_told_what_happens_from_now_on(ours):
    happen(ours, "payout.paid")
    ear = listen(ours, verbs=["payout.*", "endpoint.added", "payout.*"])
    assert (ear.row.url, ear.row.state, ear.row.verbs) == (URL, "active", ["endpoint.added", "payout.*"])
    actions.follow()
    assert [each.verb for each in ear.log] == ["endpoint.added"]
    assert notes(ours, "endpoint.added") == [
        (f"endpoint/{ear.id}", {"host": "hooks.example.com", "verbs": ["endpoint.added", "payout.*"]})
    ]


@pytest.mark.parametrize("verb", [f"{begin}raised" for begin in history.CONFIDENTIAL])
def test_what_only_risk_may_read_is_told_to_nobody(verb):
    wanted = "SELECT webhooks_wants_v1(%s, NULL, 1, %s, 'x/1') AS wanted"
    for verbs in (["*"], [verb], [f"{verb.partition('.')[0]}.*"]):
        assert not db.rows(wanted, [verbs, verb])[0].wanted
    assert db.rows(wanted, [["*"], "payout.paid"])[0].wanted


def test_a_url_that_carries_a_token_stands_in_no_history(ours):
    listen(ours, url="https://hooks.example.com/hook?token=canary")
    assert not any("canary" in str(link.detail) for link in history.links(ours.merchant_id))


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://2130706433/", "x"])
def test_a_url_that_may_not_be_told_anything_is_refused(ours, url):
    before = seen(ours)
    with pytest.raises(UrlRefused):
        listen(ours, url=url)
    assert seen(ours) == before


@pytest.mark.parametrize(
    "verbs", [[], ["payout"], ["payout.paid.x"], ["*.paid"], ["Payout.paid"], [""], ["a.b c.d"], ["a.b"] * 0 + ["**"],
              [f"a.{'b' * n}" for n in range(1, 52)]],
)  # fmt: skip
def test_verbs_have_a_form(ours, verbs):
    before = seen(ours)
    with pytest.raises(BadVerbs):
        listen(ours, verbs=verbs)
    assert seen(ours) == before


def test_a_merchant_has_twenty_endpoints_at_most_and_a_place_is_free_again_once_one_is_removed(ours):
    ears = [listen(ours) for _ in range(20)]
    before = seen(ours)
    with pytest.raises(NoRoom):
        listen(ours)
    assert seen(ours) == before
    ears[7].do("remove")
    assert listen(ours).row.place == 8


def test_two_that_take_the_same_place_do_not_both_get_it(ours):
    ear = listen(ours)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhooks_endpoint (merchant_id, place, url, verbs, state, told_from, cursor, added_at)"
            " SELECT merchant_id, place, url, verbs, 'active', 0, 0, added_at FROM webhooks_endpoint"
            " WHERE (merchant_id, id) = (%s, %s)",
            [ours.merchant_id, ear.id],
        )
    assert db._laws["webhooks_endpoint_place"] is Busy


def test_whoever_lacks_the_scope_or_belongs_to_another_merchant_changes_nothing(ours):
    ear, other = listen(ours), shop()
    reader = Actor("key/1", "wang", ours.merchant_id, frozenset({"webhooks:read"}))
    before = seen(ours)
    calls = [
        ("change", {"verbs": ["*"]}),
        ("rotate", {}),
        ("test", {}),
        ("disable", {}),
        ("enable", {}),
        ("remove", {}),
    ]
    for who, refusal in ((reader, Forbidden), (other.owner, NotFound)):
        for verb, said in calls:
            with pytest.raises(refusal):
                getattr(actions, verb)(by=who, merchant_id=ours.merchant_id, id=ear.id, **said)
        with pytest.raises(refusal):
            actions.add(by=who, merchant_id=ours.merchant_id, url=URL, verbs=["*"])
    with pytest.raises(NotFound):
        queries.endpoints(other.owner, ours.merchant_id)
    assert seen(ours) == before


def test_other_verbs_hold_for_what_comes_after(ours):
    ear = listen(ours, verbs=["payout.paid"])
    happen(ours, "payout.paid", "payout.late")
    actions.follow()
    ear.do("change", verbs=["payout.late"])
    happen(ours, "payout.paid", "payout.late")
    actions.follow()
    assert [each.verb for each in reversed(ear.log)] == ["payout.paid", "payout.late"]


def test_another_url_is_told_what_is_still_owed(ours, clock):
    told = Told({"hooks.example.com": "unreachable"})
    ear = listen(ours, verbs=["payout.paid"])
    happen(ours, "payout.paid")
    sender(told).work_off()
    ear.do("change", url="https://new.example.com/")
    clock.move(minutes=1)
    sender(told).work_off()
    assert (told.to(), told.to("new.example.com"), ear.states) == (["payout.paid"], ["payout.paid"], ["delivered"])


# Keys ----------------------------------------------------------------------------------------------------------------


def verifies(signer, post):
    """Say whether the other side's library accepts a message."""
    webhook = Webhook(signer.secret_text)
    text = webhook.sign(post.id, _when(post), post.raw.decode())
    return text in post.headers["webhook-signature"].split(" ")


def _when(post):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)


def sent(ours):
    told = Told()
    happen(ours, "payout.paid")
    sender(told).work_off()
    return told.posts[-1]


def test_both_keys_sign_while_they_rotate_and_the_new_one_alone_afterwards(ours, clock):
    ear = listen(ours)
    assert queries.public_keys(ours.merchant_id, ear.id) == [ear.signer.public_text]
    fresh = ear.do("rotate", overlap_hours=24)
    assert queries.public_keys(ours.merchant_id, ear.id) == [fresh.public_text, ear.signer.public_text]
    post = sent(ours)
    assert (verifies(fresh, post), verifies(ear.signer, post)) == (True, True)
    clock.move(hours=24)
    post = sent(ours)
    assert (verifies(fresh, post), verifies(ear.signer, post)) == (True, False)
    assert ear.do("rotate").secret != fresh.secret


def test_two_keys_are_the_most_that_sign(ours):
    ear = listen(ours)
    ear.do("rotate")
    before = seen(ours)
    with pytest.raises(RotationUnderWay):
        ear.do("rotate")
    assert seen(ours) == before


def test_after_a_leak_the_old_keys_stop_at_once(ours):
    ear = listen(ours)
    second = ear.do("rotate")
    third = ear.do("rotate", overlap_hours=0)
    post = sent(ours)
    assert [verifies(signer, post) for signer in (ear.signer, second, third)] == [False, False, True]


def test_secrets_are_kept_sealed_in_their_place_and_by_a_key_of_their_own(ours):
    ear, other = listen(ours), listen(ours)
    kept = db.rows("SELECT k::text AS row FROM webhooks_key k WHERE merchant_id = %s", [ours.merchant_id])
    told = db.rows("SELECT l::text AS row FROM history_link l WHERE merchant_id = %s", [ours.merchant_id])
    canaries = (ear.signer.secret.hex(), ear.signer.secret_text, ear.signer.private.hex())
    assert not any(canary in each.row for canary in canaries for each in [*kept, *told])
    key = queries._active_keys(ours.merchant_id, ear.id)[0]
    place = queries.place_of(ours.merchant_id, ear.id, key.public_key)
    m = ours.merchant_id
    assert data_keys.unseal(bytes(key.secret_sealed), f"{place}/secret", m, ring="webhooks") == ear.signer.secret.hex()
    elsewhere = queries.place_of(ours.merchant_id, other.id, key.public_key)
    for wrong in ((f"{elsewhere}/secret", "webhooks"), (f"{place}/private", "webhooks"), (f"{place}/secret", "vault")):
        with pytest.raises(VaultClosed):
            data_keys.unseal(bytes(key.secret_sealed), wrong[0], m, ring=wrong[1])


def test_what_is_removed_has_no_keys_and_is_there_no_more(ours):
    ear = listen(ours)
    happen(ours, "payout.paid")
    actions.follow()
    ear.do("remove")
    assert db.rows("SELECT FROM webhooks_key WHERE merchant_id = %s", [ours.merchant_id]) == []
    assert (ear.row.state, set(ear.states)) == ("removed", {"given_up"})
    assert queries.endpoints(ours.owner, ours.merchant_id) == []
    for verb in ("rotate", "test", "disable", "enable", "remove"):
        with pytest.raises(NotFound):
            ear.do(verb)


# Disabled ------------------------------------------------------------------------------------------------------------


def test_what_happens_while_an_endpoint_is_disabled_is_told_later(ours, clock):
    told = Told()
    ear = listen(ours, verbs=["payout.*"])
    happen(ours, "payout.paid")
    ear.do("disable")
    happen(ours, "payout.late")
    sender(told).work_off()
    assert (told.posts, ear.row.disabled_for) == ([], "asked")
    ear.do("enable")
    sender(told).work_off()
    assert told.to() == ["payout.paid", "payout.late"]


def test_what_has_happened_meanwhile_may_be_skipped(ours):
    told = Told()
    ear = listen(ours, verbs=["payout.*"])
    happen(ours, "payout.paid")
    actions.follow()
    ear.do("disable")
    happen(ours, "payout.late")
    ear.do("enable", skip=True)
    happen(ours, "payout.returned")
    sender(told).work_off()
    assert (told.to(), ear.states) == (["payout.returned"], ["given_up", "delivered"])


def test_only_what_is_active_is_disabled_tested_and_replayed(ours, clock):
    ear = listen(ours)
    with pytest.raises(IllegalMove):
        ear.do("enable")
    sender(Told()).work_off()
    delivery = ear.log[0].id
    ear.do("disable")
    before = seen(ours)
    with pytest.raises(IllegalMove):
        ear.do("disable")
    with pytest.raises(NotActive):
        ear.do("test")
    with pytest.raises(NotActive):
        ear.do("replay_range", from_=clock.now() - timedelta(days=1), to=clock.now() + timedelta(days=1))
    with pytest.raises(NotActive):
        actions.replay(by=ours.owner, merchant_id=ours.merchant_id, delivery_id=delivery)
    assert seen(ours) == before


def test_a_test_is_told_to_the_endpoint_alone_whatever_its_verbs(ours):
    told = Told()
    ear = listen(ours, verbs=["payout.paid"])
    listen(ours, url="https://other.example.com/", verbs=["payout.paid"])
    ear.do("test")
    sender(told).work_off()
    assert (told.to(), told.to("other.example.com")) == (["endpoint.tested"], [])
    assert told.posts[0].body["data"]["subject"] == f"endpoint/{ear.id}"


# The database's own law -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE webhooks_endpoint SET url = 'http://evil.example.com/'",
        "UPDATE webhooks_endpoint SET url = 'http://127.0.0.1.evil.example.com/'",
        "UPDATE webhooks_endpoint SET state = 'disabled'",
        "UPDATE webhooks_endpoint SET cursor = told_from - 1",
        "UPDATE webhooks_endpoint SET verbs = '{payout}'",
        "DELETE FROM webhooks_endpoint",
        "UPDATE webhooks_delivery SET state = 'delivered'",
        "UPDATE webhooks_delivery SET next_at = NULL",
        "UPDATE webhooks_delivery SET seq = seq + 1",
        "DELETE FROM webhooks_delivery",
        "INSERT INTO webhooks_delivery (merchant_id, endpoint_id, seq, state, next_at)"
        " SELECT merchant_id, endpoint_id, seq, 'pending', next_at FROM webhooks_delivery",
        "UPDATE webhooks_attempt SET outcome = 'delivered'",
        "DELETE FROM webhooks_attempt",
        "UPDATE webhooks_key SET secret_sealed = ''",
    ],
)
def test_the_database_refuses_what_must_not_be(ours, statement):
    listen(ours)
    sender(Told({"hooks.example.com": "not_accepted"})).work_off()
    before = seen(ours)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
    assert seen(ours) == before
