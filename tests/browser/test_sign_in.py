"""Coming in: with a password and a new passkey, with the passkey alone, by a trial's own passkeys, and going out."""

import json
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect
from scene import PASSWORD

AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@contextmanager
def authenticator(page):
    """Give a page's browser a virtual authenticator that verifies its user."""
    debugger = page.context.new_cdp_session(page)
    debugger.send("WebAuthn.enable")
    debugger.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield debugger
    debugger.detach()


def accept(page, invitation, name):
    """Take an invitation, up to the choice of a factor."""
    page.goto(f"/console/invitation#{invitation}")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/console/factor")
    page.fill("#password", PASSWORD)
    page.click("form:has(#password) button.primary")


def test_from_an_invitation_to_the_overview_and_in_again_with_the_passkey_alone(look, scene):
    invitation = scene.invite("legal", "陈新律")
    eye = look()
    page = eye.page
    with authenticator(page):
        accept(page, invitation, scene.names["legal"])
        page.click("text=在这台设备上添加通行密钥")
        page.wait_for_url("**/console/")
        assert page.inner_text(".topbar .pop button").strip().startswith("陈新律")
        page.click(".topbar .pop > button")
        page.click("[data-sign-out]")
        page.wait_for_url("**/console/sign-in")
        page.goto("/console/orders")
        page.wait_for_url("**/console/sign-in?next=/console/orders")
        page.click("text=用通行密钥登录")
        page.wait_for_url("**/console/orders")
    assert [each for each in eye.wrong if "401" not in each] == []  # as sign-in tells that nobody is there any more


def test_a_code_is_scanned_or_typed_by_who_has_no_passkey(look, scene, shots):
    eye = look()
    page = eye.page
    accept(page, scene.invite("auditor", "吴审计二"), "auditor-of-codes@shop.example")
    page.click("text=改用动态码")
    page.wait_for_selector("img.picture:visible")
    expect(page.locator("img.picture")).to_have_js_property("complete", True)
    assert page.evaluate("document.querySelector('img.picture').naturalWidth") > 0
    page.screenshot(path=shots / "factor-code.png", full_page=True)
    assert eye.axe() == []
    assert [each for each in eye.wrong if "401" not in each and "404" not in each] == []  # how far one is


def test_a_wrong_password_is_told_and_opens_nothing(look, scene):
    scene.cookies("auditor")
    eye = look()
    eye.page.goto("/console/sign-in")
    eye.page.fill("#name", scene.names["auditor"])
    eye.page.fill("#password", "something else")
    eye.page.click("button.primary")
    eye.page.wait_for_selector("[role=alert]:visible")
    assert eye.page.inner_text("[role=alert]:visible") == "登录名或密码不正确。"


@pytest.fixture
def demo(scene, tmp_path):
    """One of the demo's people, whose passkey the trial keeps."""
    from django.conf import settings

    from houfu.site import trial, trial_keys

    scene.cookies("finance")
    key = scene.passkeys["finance"]
    account = trial_keys.account_of(key, scene.names["finance"], "韩梅梅", "finance", "杭州某某服饰有限公司")
    trial_keys.keep(settings.HOME, account)
    yield trial
    (settings.HOME / trial_keys.FILE).unlink()


def test_the_trials_people_are_listed_and_come_in_by_one_click(look, scene, demo):
    eye = look()
    eye.page.goto("/console/sign-in")
    eye.page.click("text=韩梅梅 · 财务")
    eye.page.wait_for_url("**/console/")
    assert eye.page.inner_text(".topbar .pop button").strip().startswith("韩梅梅")
    assert eye.wrong == []


def test_a_live_instance_keeps_nobodys_passkeys(look, scene, demo, monkeypatch):
    from houfu.kernel.models import Instance

    monkeypatch.setattr(demo.Instance.objects, "get", lambda: Instance(kind="live"))
    eye = look()
    eye.page.goto("/console/sign-in")
    assert eye.page.query_selector(".accounts") is None
    ask = """async account => {
        const body = JSON.stringify({account, challenge: 'AAAA'});
        const headers = {'Content-Type': 'application/json'};
        const said = await fetch('/console/trial/passkey', {method: 'POST', body, headers});
        return [said.status, await said.text()];
    }"""
    said = eye.page.evaluate(ask, scene.names["finance"])
    assert (said[0], json.loads(said[1])["code"]) == (404, "not_found")
