"""Limits, pools, risk and settings in a browser: what may be done there is done, and what may not is refused."""

from playwright.sync_api import expect

from houfu.limits.models import Adjustment, Member
from houfu.merchants.models import Store


def test_a_proposal_is_accepted_with_its_source_in_sight(look, scene):
    eye = look("regional_manager")
    page = eye.page
    page.goto(f"/console/limits/dynamic/{scene.ids['pool']}", wait_until="networkidle")
    row = page.locator("tr", has_text="holt-winters")
    row.locator("text=采纳").click()
    page.click("[data-confirm-yes]")
    expect(page.locator("tr", has_text="holt-winters").locator(".tag")).to_have_text("已采纳")
    made = Adjustment.objects.get(merchant_id=scene.shop.merchant_id, kind="forecast")
    assert (made.state, made.decided_by[:6]) == ("accepted", "staff/")
    assert eye.wrong == []


def test_a_second_loan_is_not_offered_and_a_member_that_draws_cannot_leave(look, scene):
    eye = look("regional_manager")
    page = eye.page
    page.goto(f"/console/limits/{scene.shop.store}", wait_until="networkidle")
    expect(page.locator("text=未还的借额")).to_be_visible()
    assert page.locator("text=申请临时借额").count() == 0
    page.goto(f"/console/pools/{scene.ids['pool']}", wait_until="networkidle")
    page.locator("tr", has_text="2 号店").locator("text=退出").click()
    page.click("[data-confirm-yes]")
    expect(page.locator(".refusal .reasons, #refusal .reasons").first).to_be_visible()
    key = {"merchant_id": scene.shop.merchant_id, "store_id": scene.shop.stores[1]}
    assert Member.objects.get(**key).state != "removed"


def test_staff_see_the_class_of_a_reason_and_compliance_the_numbers(look, scene):
    eye = look("owner")
    eye.go("/console/risk")
    said = eye.page.inner_text("main")
    assert "退货" in said
    assert "判断依据" not in said
    assert eye.page.locator("a[href*='/risk/alerts/']").count() == 0
    eye.page.goto(f"/console/risk/alerts/{scene.ids['alert']}")
    assert "判断依据" not in eye.page.inner_text("body")
    officer = look("risk_officer")
    officer.go(f"/console/risk/alerts/{scene.ids['alert']}")
    expect(officer.page.locator("h3:has-text('判断依据') + dl dd").first).to_be_visible()
    assert officer.wrong == []


def test_ones_own_factors_and_sessions_are_listed(look, scene):
    eye = look("clerk")
    page = eye.page
    page.goto("/console/settings", wait_until="networkidle")
    expect(page.locator("[x-data=own] li")).to_have_count(2)  # the passkey, and the recovery codes that come with it
    expect(page.locator("[x-data=ownSessions] li")).to_have_count(1)
    expect(page.locator("[x-data=ownSessions] .tag.good")).to_be_visible()
    assert page.locator("[hx-post='/console/settings/profile']").count() == 0
    assert eye.wrong == []


def test_sharing_is_switched_off_and_on(look, scene):
    eye = look("owner")
    page = eye.page
    key = {"merchant_id": scene.shop.merchant_id, "id": scene.shop.stores[2]}
    page.goto("/console/pools", wait_until="networkidle")
    page.click(f"[hx-post='/console/pools/sharing/{key['id']}/off']")
    page.click("[data-confirm-yes]")
    page.wait_for_selector(f"[hx-post='/console/pools/sharing/{key['id']}/on']")
    page.wait_for_load_state()  # a button is seen before the page's scripts have run
    assert not Store.objects.get(**key).sharing
    page.click(f"[hx-post='/console/pools/sharing/{key['id']}/on']")
    page.wait_for_selector(f"[hx-post='/console/pools/sharing/{key['id']}/off']")
    assert Store.objects.get(**key).sharing
    assert eye.wrong == []
