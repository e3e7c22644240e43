"""The main job in a browser: from an order to an approved payout, signed with passkeys; and a payout by keys alone."""

import re
from contextlib import ExitStack

from playwright.sync_api import expect
from scene import NAMES
from test_sign_in import accept, authenticator

from houfu.approvals import queries as approvals
from houfu.payouts import actions as payouts
from houfu.payouts.models import Payout
from houfu.testing.world import WORKER


def newcomer(stack, look, scene, role):
    """Return somebody at a browser with an authenticator of their own, who has come in by an invitation."""
    eye = look()
    page = eye.page
    stack.enter_context(authenticator(page))
    invitation = scene.invite(role, NAMES[role] + "二")
    accept(page, invitation, scene.names[role])
    page.click("text=在这台设备上添加通行密钥")
    page.wait_for_url("**/console/")
    return eye


def sign(page, id):
    """Find a payout among what waits for a signature, and sign it."""
    page.goto("/console/approvals", wait_until="networkidle")
    page.click(f"#list a[href='/console/approvals/{id}']")
    page.click("text=用通行密钥签署")
    page.click("[data-confirm-yes]")
    expect(page.locator(".toast")).to_contain_text("已签署")


def test_from_an_order_to_a_payout_that_two_have_signed(look, scene, shots):
    with ExitStack() as stack:
        finance = newcomer(stack, look, scene, "finance")
        page = finance.page
        page.goto("/console/orders?state=matured", wait_until="networkidle")
        page.click("tbody tr:first-child td:nth-child(2)")
        expect(page.locator("#drawer")).to_contain_text("收货凭证")
        page.keyboard.press("Escape")

        page.goto("/console/payouts/new", wait_until="networkidle")
        page.fill("[name=amount]", "1000000")
        expect(page.locator("#quote .reasons")).to_contain_text("余额覆盖不足")
        page.fill("[name=amount]", "1000.00")
        expect(page.locator("#quote .notice.good")).to_be_visible()
        expect(page.locator("#quote")).to_contain_text("992.00")
        expect(page.locator("#quote")).to_contain_text("店主 → 法务")
        page.screenshot(path=shots / "quote.png")
        page.click("[data-tour=submit]")
        page.click("[data-confirm-yes]")
        page.wait_for_url(re.compile(r"/console/payouts/[0-9a-f-]{36}$"))
        expect(page.locator(".toast")).to_contain_text("等待审批")
        id = page.url.rsplit("/", 1)[1]

        for role in ("owner", "legal"):
            signer = newcomer(stack, look, scene, role)
            sign(signer.page, id)
            signer.page.screenshot(path=shots / f"signed-{role}.png")
            assert signer.wrong == []

        merchant_id = scene.shop.merchant_id
        assert approvals.latest(merchant_id, f"payout/{id}").state == "approved"
        payouts.follow(by=WORKER, merchant_id=merchant_id, id=id)
        page.goto(f"/console/payouts/{id}", wait_until="networkidle")
        expect(page.locator(".head .tag")).to_have_text("待发送")
        assert len(page.query_selector_all("text=平台事件")) >= 1
        page.screenshot(path=shots / "payout.png", full_page=True)
        assert finance.wrong == []
        assert Payout.objects.get(merchant_id=merchant_id, id=id).state == "scheduled"


def test_a_payout_by_keys_alone(look, scene):
    with ExitStack() as stack:
        eye = newcomer(stack, look, scene, "regional_manager")
        page = eye.page
        before = Payout.objects.filter(merchant_id=scene.shop.merchant_id).count()

        def tab_to(selector):
            for _ in range(60):
                page.keyboard.press("Tab")
                if page.evaluate("s => document.activeElement.matches(s)", selector):
                    return
            raise AssertionError(f"no way to {selector}")

        page.goto("/console/", wait_until="networkidle")
        tab_to("a.skip")
        page.keyboard.press("Enter")
        page.goto("/console/", wait_until="networkidle")
        tab_to("a[href='/console/payouts']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/payouts")
        tab_to("[data-tour=ask]")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/payouts/new")
        tab_to("[name=amount]")
        page.keyboard.type("150.5")
        expect(page.locator("#quote .notice.good")).to_be_visible()
        tab_to("[data-tour=submit]")
        page.keyboard.press("Enter")
        expect(page.locator("[data-confirm-yes]")).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/console/payouts/[0-9a-f-]{36}$"))
        assert Payout.objects.filter(merchant_id=scene.shop.merchant_id).count() == before + 1
        assert eye.wrong == []


def test_the_tour_leads_through_the_main_job(look):
    eye = look("finance")
    page = eye.page
    page.goto("/console/", wait_until="networkidle")
    page.click(".topbar .pop > button")
    page.click("[data-tour-start]")
    for path in ("/console/", "/console/orders", "/console/payouts", "/console/payouts/new", "/console/approvals"):
        page.wait_for_url(f"**{path}")
        expect(page.locator(".tour")).to_be_visible()
        page.click(".tour .primary")
    expect(page.locator(".tour")).to_have_count(0)
    assert eye.wrong == []
