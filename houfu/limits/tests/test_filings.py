"""The form 《跨店资金管理备案表》: raised once per pool, written, reviewed, submitted, accepted (G10, I-22)."""

from datetime import timedelta

import pytest

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import queries as history
from houfu.kernel.clock import SteppedClock, shanghai, standing_at
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.limits import actions as limits
from houfu.limits import pool_queries, tasks
from houfu.limits.models import Filing, Pool
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
FIGURE_FEN = 50_000_000
WORDS = {"purpose": "五店共用备货额度", "contact": "王芳 13800000000"}


def grant(shop, pool_id, fen):
    limits.grant_pool(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=pool_id, amount_fen=fen)


def filings(shop):
    return list(Filing.objects.filter(merchant_id=shop.merchant_id).order_by("id"))


def filed_at(shop, pool_id):
    return Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).filed_at


def raised(shop):
    pool_id = pool(shop, grant_fen=FIGURE_FEN + 1)
    return pool_id, filings(shop)[0].id


def to_review(shop, id, **words):
    limits.draft_filing(by=shop.assistant, merchant_id=shop.merchant_id, id=id)
    return limits.review_filing(by=shop.assistant, merchant_id=shop.merchant_id, id=id, **(WORDS | words))


def test_a_filing_falls_due_one_fen_above_the_figure_and_once():
    shop = open_shop(stores=2)
    pool_id = pool(shop, grant_fen=FIGURE_FEN)
    tasks.tend(WORKER)
    assert filings(shop) == []
    grant(shop, pool_id, 1)
    grant(shop, pool_id, 1_000)
    tasks.tend(WORKER)
    [filing] = filings(shop)
    assert (filing.state, filing.limit_fen, filing.figure_fen) == ("triggered", FIGURE_FEN + 1, FIGURE_FEN)
    assert [link.verb for link in history.links(shop.merchant_id, subject=f"filing/{filing.id}")] == [
        "filing.triggered"
    ]
    limits.leave_pool(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id, store_id=shop.store)
    grant(shop, pool_id, 5)
    assert len(filings(shop)) == 1


def test_a_draft_that_holds_more_files_when_it_runs():
    shop = open_shop(own_limit_fen=60_000_000)
    pool(shop, contribution_fen=FIGURE_FEN + 1)
    assert [each.limit_fen for each in filings(shop)] == [FIGURE_FEN + 1]


def test_a_pool_that_is_large_when_the_rule_comes_files_at_the_turn():
    with standing_at(SteppedClock(shanghai(2023, 8, 31, 12))) as clock:
        shop = open_shop()
        pool(shop, grant_fen=FIGURE_FEN + 1)
        clock.at = shanghai(2023, 9, 1) - timedelta(microseconds=1)
        tasks.tend(WORKER)
        assert filings(shop) == []
        clock.at = shanghai(2023, 9, 1)
        tasks.tend(WORKER)
        tasks.tend(WORKER)
        assert [(each.state, each.policy) for each in filings(shop)] == [("triggered", "2023-09-01")]


def test_many_grants_at_once_raise_it_once():
    """I-22."""
    shop = open_shop()
    pool_id = pool(shop)
    outcomes = in_threads(lambda _: grant(shop, pool_id, FIGURE_FEN // 4), range(6))
    assert outcomes == [None] * 6
    assert [each.limit_fen for each in filings(shop)] == [FIGURE_FEN // 4 * 5]


def test_the_form_states_the_pool_and_its_acceptance_opens_what_lies_above(clock):
    shop = open_shop(stores=2)
    pool_id, id = raised(shop)
    to_review(shop, id)
    request = approval_queries.latest(shop.merchant_id, f"filing/{id}")
    form = pool_queries.read(request.payload)
    assert request.chain == ["legal"]
    assert (form["limit_fen"], form["share"], form["principal"]) == (FIGURE_FEN + 1, 1, shop.principal)
    assert [each["store_id"] for each in form["members"]] == shop.stores
    assert len(form["uscc"]) == 18
    at = {"merchant_id": shop.merchant_id, "id": id}
    with pytest.raises(approval_queries.NotApproved):
        limits.submit_filing(by=shop.assistant, **at, reference="BA-2025-001")
    assert filings(shop)[0].state == "in_review"
    shop.agree(f"filing/{id}")
    limits.submit_filing(by=shop.assistant, **at, reference=" BA-2025-001 ")
    with pytest.raises(Forbidden):
        limits.accept_filing(by=shop.owner, **at, acceptance="OK-1")
    assert filed_at(shop, pool_id) is None
    clock.move(days=1)
    limits.accept_filing(by=OPERATOR, **at, acceptance="OK-1")
    [filing] = filings(shop)
    assert (filing.state, filing.reference, filing.acceptance) == ("accepted", "BA-2025-001", "OK-1")
    assert filed_at(shop, pool_id) == filing.accepted_at == clock.now()
    with pytest.raises(IllegalMove):
        limits.return_filing(by=OPERATOR, **at, note="缺章")


def test_a_form_that_comes_back_is_written_and_reviewed_anew():
    shop = open_shop()
    pool_id, id = raised(shop)
    at = {"merchant_id": shop.merchant_id, "id": id}
    to_review(shop, id)
    shop.agree(f"filing/{id}")
    limits.submit_filing(by=shop.assistant, **at, reference="BA-1")
    limits.return_filing(by=OPERATOR, **at, note="缺联系人")
    grant(shop, pool_id, 99)
    to_review(shop, id, contact="赵敏")
    form = pool_queries.read(filings(shop)[0].form)
    assert (form["contact"], form["limit_fen"], filings(shop)[0].version) == ("赵敏", FIGURE_FEN + 100, 2)
    with pytest.raises(approval_queries.NotApproved):
        limits.submit_filing(by=shop.assistant, **at, reference="BA-2")
    shop.agree(f"filing/{id}")
    limits.submit_filing(by=shop.assistant, **at, reference="BA-2")
    assert (filings(shop)[0].state, filed_at(shop, pool_id)) == ("submitted", None)


def test_reviewers_send_a_form_back_to_its_writer():
    shop = open_shop()
    _, id = raised(shop)
    to_review(shop, id)
    legal, _ = shop.signer("legal")
    request = approval_queries.latest(shop.merchant_id, f"filing/{id}")
    approvals.reject(by=legal, merchant_id=shop.merchant_id, id=request.id, note="用途不清")
    tasks.tend(WORKER)
    assert (filings(shop)[0].state, filings(shop)[0].note) == ("drafting", "用途不清")


@pytest.mark.parametrize("reference", ["", "  ", "x" * 101])
def test_a_filing_is_submitted_under_a_number(reference):
    shop = open_shop()
    _, id = raised(shop)
    to_review(shop, id)
    shop.agree(f"filing/{id}")
    with pytest.raises(limits.BadReference):
        limits.submit_filing(by=shop.assistant, merchant_id=shop.merchant_id, id=id, reference=reference)
    assert filings(shop)[0].state == "in_review"


def test_another_merchants_filing_is_not_there():
    shop, stranger = open_shop(), open_shop()
    _, id = raised(shop)
    for by, error in ((stranger.owner, NotFound), (shop.hire("clerk"), Forbidden)):
        with pytest.raises(error):
            limits.draft_filing(by=by, merchant_id=shop.merchant_id, id=id)
    assert filings(shop)[0].state == "triggered"
