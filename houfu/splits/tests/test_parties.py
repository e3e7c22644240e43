"""Parties: who may get parts of orders, and who says so (L8, P8, I-14)."""

from datetime import date, timedelta

import pytest

from houfu.approvals import queries as approvals
from houfu.channels.port import Bond
from houfu.kernel import clock as clocks
from houfu.kernel import db as database
from houfu.merchants import queries as merchants
from houfu.people.actor import PersonNeeded, system
from houfu.splits import actions as splits
from houfu.splits import queries
from houfu.splits.actions.parties import BadParty, CarrierNeeded, PartyDenied, PartyNotConfirmed, PartyRegistered
from houfu.splits.models import Binding, Party
from houfu.testing.world import OPERATOR, WORKER
from houfu.verify import queries as verify


def test_a_party_is_confirmed_by_a_second_person(chain):
    party = chain.register()
    request = approvals.latest(chain.m, f"party/{party.id}")
    assert (request.chain, request.person, party.state) == (["legal"], chain.finance.person, "registered")
    assert chain.confirm(party).state == "confirmed"
    assert verify.run("i14").findings == []


def test_the_account_is_sealed_and_shown_by_its_tail(chain):
    party = chain.register(account="mill-88990011@mill.example")
    stored = database.rows(
        "SELECT account_sealed::text || holder || account_tail AS said FROM splits_party WHERE id = %s", [party.id]
    )
    assert "88990011" not in stored[0].said
    assert party.account_tail == "mple"


def test_one_that_is_not_confirmed_is_bound_nowhere(chain):
    party = chain.register()
    with pytest.raises(PartyNotConfirmed):
        splits.bind(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id)
    assert not Binding.objects.filter(merchant_id=chain.m).exists()


@pytest.mark.parametrize("purpose", ["platform_service_fee", "wages", "third_party_profit_share"])
def test_nobody_gets_parts_for_a_denied_purpose(chain, purpose):
    with pytest.raises(PartyDenied):
        chain.register(purpose_class=purpose)
    assert not Party.objects.filter(merchant_id=chain.m).exists()


@pytest.mark.parametrize("wrong", [
    {"relation": "platform"}, {"kind": "cash"}, {"holder": ""}, {"contract": ""}, {"account": "abc"},
    {"purpose_class": "anything"}, {"valid_until": date(2024, 12, 31)},
])  # fmt: skip
def test_a_party_needs_all_of_it(chain, wrong):
    with pytest.raises(BadParty):
        chain.register(**wrong)
    assert not Party.objects.filter(merchant_id=chain.m).exists()


def test_an_account_is_one_partys_and_no_program_registers_one(chain):
    chain.register()
    with pytest.raises(PartyRegistered):
        chain.register()
    with pytest.raises(PersonNeeded):
        splits.register(
            by=system("x"), merchant_id=chain.m, relation="supplier", kind="alipay", purpose_class="supplier_payment",
            holder="x", account="other@mill.example", contract="x",
            valid_from=date(2025, 1, 1), valid_until=date(2025, 1, 2),
        )  # fmt: skip


def test_the_present_contract_holds_until_the_next_is_confirmed(chain):
    party = chain.confirm(chain.register())
    splits.renew(
        by=chain.finance, merchant_id=chain.m, id=party.id, contract="HT-2026", valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    )  # fmt: skip
    assert (queries.party(chain.m, party.id).contract, queries.party(chain.m, party.id).waits) == ("HT-2025-01", True)
    renewed = chain.confirm(party)
    assert (renewed.contract, renewed.valid_until, renewed.waits) == ("HT-2026", date(2026, 12, 31), False)
    assert verify.run("i14").findings == []


def test_one_that_nobody_confirms_in_time_is_revoked(chain, clock):
    from houfu.approvals import actions

    party = chain.register()
    clock.move(hours=73)
    while actions.lapse(by=WORKER):  # others wait here too, and each round has its share
        pass
    assert splits.follow_confirmation(by=WORKER, merchant_id=chain.m, id=party.id) == "revoked"


def test_what_the_channel_says_of_a_binding_is_kept_and_asked_again_where_it_says_nothing(chain, clock):
    party = chain.confirm(chain.register())
    asked = splits.bind(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id)
    key = {"by": WORKER, "merchant_id": chain.m, "id": asked.id}
    assert splits.note_bond(**key, bond=Bond.UNKNOWN) == "asked"
    assert Binding.objects.get(merchant_id=chain.m, id=asked.id).next_action_at == clocks.now() + timedelta(seconds=10)
    assert splits.note_bond(**key, bond=Bond.REFUSED) == "refused"
    assert (
        splits.bind(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id).state
        == "asked"
    )
    assert splits.note_bond(**key, bond=Bond.BOUND) == "bound"
    splits.release(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id)
    assert splits.note_bond(**key, bond=Bond.BOUND) == "releasing"
    assert splits.note_bond(**key, bond=Bond.RELEASED) == "released"


# Logistics agreements: T+1 (O4) --------------------------------------------------------------------------------------


def agree(chain, carrier, **said):
    asked = {
        "channel_account_id": chain.shop.account_id, "document": "WL-2025-11", "valid_from": date(2025, 11, 1),
        "valid_until": date(2025, 11, 30), **said,
    }  # fmt: skip
    return splits.agree_logistics(by=OPERATOR, merchant_id=chain.m, carrier_id=carrier.id, **asked)


@pytest.fixture
def slow(db):
    """A shop whose account has agreed nothing of its own: T+7."""
    from houfu.splits.tests.ground import Chain

    return Chain(maturity_days=None, stores=2)


def days(chain, order_id):
    lot = chain.lot(order_id)
    return (lot.matures_at - clocks.start_of(clocks.business_day(lot.settled_at))).days


def test_under_a_logistics_agreement_money_matures_at_t_plus_one(slow):
    assert days(slow, slow.sell(1_000)) == 7
    agree(slow, slow.party("carrier"))
    assert days(slow, slow.sell(1_000)) == 1
    assert slow.shop.mature(clocks.start_of(date(2025, 11, 11))) == 1


def test_it_is_for_its_store_and_its_days(slow):
    carrier = slow.party("carrier")
    agree(slow, carrier, store_id=slow.shop.stores[1])
    agree(slow, carrier, valid_from=date(2025, 11, 11))
    agree(slow, carrier, valid_until=date(2025, 11, 9))
    assert days(slow, slow.sell(1_000)) == 7
    slow.shop.place(1_000, store=slow.shop.stores[1])
    (order_id,) = slow.shop.placed
    slow.shop.receive(order_id)
    slow.shop.settle({order_id: 1_000})
    assert days(slow, order_id) == 1


def test_once_it_was_ended_it_does_nothing_more(slow, clock):
    from houfu.merchants import actions

    noted = agree(slow, slow.party("carrier"))
    clock.move(minutes=1)
    actions.end_logistics_agreement(by=OPERATOR, merchant_id=slow.m, id=noted.id)
    assert days(slow, slow.sell(1_000)) == 7
    assert merchants.logistics_agreements(OPERATOR, slow.m)[0].ended_at == clocks.now()


def test_it_never_makes_money_mature_later_than_the_merchant_agreed(db):
    from houfu.splits.tests.ground import Chain

    chain = Chain(maturity_days=0)
    agree(chain, chain.party("carrier"))
    assert days(chain, chain.sell(1_000)) == 0


def test_it_is_with_a_confirmed_carrier(slow):
    for party in (slow.party("supplier"), slow.register("carrier", "carrier@road.example")):
        with pytest.raises(CarrierNeeded):
            agree(slow, party)
    assert merchants.logistics_agreements(OPERATOR, slow.m) == []


def test_orders_that_are_settled_one_by_one_mature_alike(slow):
    """The plain way and the other give the same days."""
    agree(slow, slow.party("carrier"))
    slow.shop.place(1_000)
    (order_id,) = slow.shop.placed
    slow.shop.receive(order_id)
    from houfu.limits import actions as limits

    limits.lend(by=slow.shop.owner, merchant_id=slow.m, store_id=slow.shop.store, amount_fen=100_000)  # no plain order
    slow.shop.settle({order_id: 1_000})
    assert days(slow, order_id) == 1
