"""Evidence packages: whole, sealed part by part, released by a second person, sent by nobody (K7)."""

import hashlib
import json

import pytest

from houfu.history import queries as history
from houfu.kernel.errors import Forbidden, IllegalMove
from houfu.risk import actions as risk
from houfu.risk import queries
from houfu.risk.actions.packages import PackageAltered, ReviewedByMaker
from houfu.risk.models import Package
from houfu.risk.tests.people import LI, ZHAO, staff
from houfu.risk.tests.test_cases import held
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")


def made(shop):
    hold = held(shop)
    risk.investigate(by=LI, merchant_id=shop.merchant_id, id=hold.case_id)
    risk.add_evidence(
        by=LI, merchant_id=shop.merchant_id, id=hold.case_id, kind="statement", text="the manager says nothing"
    )
    risk.decide(by=LI, merchant_id=shop.merchant_id, id=hold.case_id, outcome="report", note="looks like cash-out")
    return hold, risk.make_package(by=LI, merchant_id=shop.merchant_id, case_id=hold.case_id)


def test_a_package_holds_all_that_is_known_under_digests_that_anybody_can_compute():
    shop = open_shop(own_limit_fen=0)
    hold, package = made(shop)
    document = json.loads(package.document)
    parts = {part["name"]: part for part in document["parts"]}
    once = ("case", "decisions", "observations", "alerts", "holds", "evidence")
    assert {name: len(parts[name]["rows"]) for name in once} == dict.fromkeys(once, 1)
    assert parts["holds"]["rows"][0]["subject"] == hold.subject
    assert {row["verb"] for row in parts["history"]["rows"]} >= {"hold.placed", "case.decided", "hold.confirmed"}

    def said(value):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    lines = [said(document["about"])]
    for part in document["parts"]:
        digest = hashlib.sha256(said(part["rows"]).encode()).hexdigest()
        assert digest == part["digest"], part["name"]
        lines.append(f"{part['name']} {digest}")
    assert hashlib.sha256("\n".join(lines).encode()).digest() == bytes(package.digest)


def test_it_counts_once_a_second_person_has_read_it():
    shop = open_shop(own_limit_fen=0)
    _, package = made(shop)
    assert package.state == "in_review"
    with pytest.raises(ReviewedByMaker):
        risk.release_package(by=LI, merchant_id=shop.merchant_id, id=package.id)
    with pytest.raises(Forbidden):
        risk.release_package(by=staff(shop, "owner", "wu"), merchant_id=shop.merchant_id, id=package.id)
    assert queries.access_package(LI, shop.merchant_id, package.id).state == "in_review"
    released = risk.release_package(by=ZHAO, merchant_id=shop.merchant_id, id=package.id, note="complete")
    assert (released.state, released.reviewed_by) == ("released", "zhao")
    with pytest.raises(IllegalMove):
        risk.reject_package(by=ZHAO, merchant_id=shop.merchant_id, id=package.id, note="on second thoughts")
    verbs = [link.verb for link in history.links(shop.merchant_id, subject=f"package/{package.id}")]
    assert verbs == ["package.released", "package.made"]


def test_a_package_that_was_altered_is_not_released():
    shop = open_shop(own_limit_fen=0)
    hold, package = made(shop)
    for document in (
        package.document.replace("cash-out", "cash-in"),
        package.document.replace('"made_by":"li"', '"made_by":"wu"'),
    ):
        assert document != package.document
        assert risk.digest_of(document) != bytes(package.digest)
    altered = package.document.replace("the manager says nothing", "the manager has confessed")
    forged = Package(
        merchant_id=shop.merchant_id, id=package.id, case_id=hold.case_id, document=altered, digest=package.digest
    )
    queries_package, queries.access_package = queries.access_package, lambda *_: forged
    try:
        with pytest.raises(PackageAltered):
            risk.release_package(by=ZHAO, merchant_id=shop.merchant_id, id=package.id)
    finally:
        queries.access_package = queries_package
