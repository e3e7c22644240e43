"""Every page, in both languages and both themes: nothing goes wrong, nothing shuts anybody out, all of it fits."""

import pytest
from playwright.sync_api import expect

PAGES = {
    "overview": ("owner", "/console/"),
    "orders": ("owner", "/console/orders"),
    "limits": ("owner", "/console/limits"),
    "limit": ("store_manager", "/console/limits/{store}"),
    "emergency": ("regional_manager", "/console/limits/emergencies/{emergency}"),
    "dynamic": ("owner", "/console/limits/dynamic/{pool}"),
    "pools": ("owner", "/console/pools"),
    "pool": ("owner", "/console/pools/{pool}"),
    "forecasts": ("owner", "/console/forecasts"),
    "what-ifs": ("owner", "/console/whatifs"),
    "payouts": ("owner", "/console/payouts"),
    "ask": ("finance", "/console/payouts/new"),
    "automatic": ("finance", "/console/payouts/automatic"),
    "approvals": ("owner", "/console/approvals"),
    "beneficiaries": ("finance", "/console/beneficiaries"),
    "risk": ("owner", "/console/risk"),
    "risk-work": ("risk_officer", "/console/risk"),
    "alert": ("risk_officer", "/console/risk/alerts/{alert}"),
    "case": ("risk_officer", "/console/risk/cases/{case}"),
    "people": ("owner", "/console/people"),
    "settings": ("owner", "/console/settings"),
    "settings-clerk": ("clerk", "/console/settings"),
    "history": ("owner", "/console/history"),
    "history-link": ("owner", "/console/history/7"),
    "integrations": ("owner", "/console/integrations"),
    "endpoint": ("owner", "/console/integrations/webhooks/1"),
    "rules": ("owner", "/console/rules"),
    "rules-compared": ("owner", "/console/rules/compared"),
    "jobs": ("owner", "/console/jobs"),
    "export": ("owner", "/console/exports/orders?state=matured&format=csv"),
    "imports": ("owner", "/console/imports"),
    "import": ("owner", "/console/imports/{import}"),
    "access": ("owner", "/console/access"),
    "platform": ("operator", "/console/"),
    "merchants": ("operator", "/console/platform/merchants"),
    "merchant": ("operator", "/console/platform/merchants/1"),
    "cases": ("operator", "/console/platform/cases"),
    "platform-case": ("operator", "/console/platform/cases/1/1"),
    "risk-rules": ("operator", "/console/platform/risk-rules"),
    "risk-rule": ("operator", "/console/platform/risk-rules/device_frequency/1"),
    "runs": ("operator", "/console/platform/runs"),
    "run": ("operator", "/console/platform/runs/{run_day}"),
    "health": ("operator", "/console/platform/health"),
    "platform-rules": ("operator", "/console/rules"),
    "packs": ("operator", "/console/rules/new"),
    "style": ("owner", "/console/style"),
    "sign-in": ("", "/console/sign-in"),
    "invitation": ("", "/console/invitation#hi_1_2_x"),
}


WAYS = [("zh-hans", "light"), ("zh-hans", "dark"), ("en", "light"), ("en", "dark")]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound(look, scene, shots, table, name):
    """In the dark only colours differ, so only they are looked at again; a phone is the same page, made narrow."""
    role, address = PAGES[name][0], PAGES[name][1].format(**scene.ids)
    eye = look(role)
    for lang, theme in WAYS:
        eye.show_in(lang, theme)
        eye.go(address)
        assert eye.page.get_attribute("html", "data-theme") == theme
        for chart in eye.page.query_selector_all("[data-chart]"):
            chart.wait_for_element_state("visible")
        violations = eye.axe(*(() if theme == "light" else ("color-contrast",)))
        eye.page.screenshot(path=shots / f"{name}-{lang}-{theme}.png", full_page=True)
        table.append((name, lang, theme, str(len(violations) + len(eye.wrong)), str(eye.first_paint())))
        assert (lang, theme, eye.wrong, violations) == (lang, theme, [], [])
    eye.page.set_viewport_size({"width": 360, "height": 900})
    eye.settle()
    eye.page.screenshot(path=shots / f"{name}-phone.png", full_page=True)
    wide = eye.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"{wide} wide"
    assert eye.wrong == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_order_opens_in_the_drawer_and_as_a_page(look, shots, theme):
    eye = look("owner", "zh-hans", theme)
    page = eye.page
    page.goto("/console/orders?state=matured", wait_until="networkidle")
    page.click("tbody tr:nth-child(3) td:nth-child(2)")
    page.wait_for_selector("#drawer[open] h3:has-text('提现去向')")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    assert eye.axe() == []
    page.screenshot(path=shots / f"order-drawer-{theme}.png")
    page.keyboard.press("Escape")
    page.wait_for_selector("#drawer:not([open])", state="attached")
    page.goto(page.get_attribute("tbody tr:nth-child(3) a", "href"), wait_until="networkidle")
    assert eye.axe() == []
    assert eye.wrong == []


def test_filters_change_the_listing_and_the_address(look):
    eye = look("owner")
    page = eye.page
    page.goto("/console/orders", wait_until="networkidle")
    page.select_option("#state", "disputed")
    page.wait_for_url("**state=disputed**")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "争议中" in page.inner_text("#list tbody")
    page.go_back()
    expect(page.locator("#list tbody tr")).to_have_count(50)
    assert eye.wrong == []
