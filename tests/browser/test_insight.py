"""Forecasts and what-ifs on their pages: asked for there, done by the runner, and read when they are done."""

import pytest
from playwright.sync_api import expect

from houfu.insight import work
from houfu.insight.tests.test_forecast import daily, sell
from houfu.jobs import queries, runner
from houfu.site import kinds as all_kinds

assert all_kinds.WORK


def finish(scene, kind):
    """Let the runner do the latest job of a kind, while no page asks for anything, and return it."""
    job = queries.jobs(scene.shop.owner, scene.shop.merchant_id, kind=kind, limit=1)[0]
    return runner.finish(job.merchant_id, job.id)


def sound(eye, shots, name):
    """See that a page shuts nobody out, nor goes wrong."""
    eye.page.wait_for_load_state("networkidle")
    eye.page.screenshot(path=shots / f"{name}.png", full_page=True)
    assert eye.axe() == []
    assert eye.wrong == []


def test_a_what_if_is_asked_for_left_and_found_again(look, shots, scene):
    eye = look("owner")
    page = eye.page
    page.goto("/console/whatifs", wait_until="networkidle")
    page.fill(f"#c-{scene.shop.stores[2]}", "+900000")
    page.fill("#f-reason", "三店提额试算")
    page.click("button:has-text('开始推演')")
    page.wait_for_url("**/console/whatifs/*-*")
    expect(page.locator("#work")).to_contain_text("排队中")
    sound(eye, shots, "whatif-waiting")
    address = page.url
    page.goto("/console/orders", wait_until="networkidle")
    job = finish(scene, work.WHAT_IF.name)
    assert (job.state, job.outcome["reproduced"]) == ("done", True)
    page.goto("/console/whatifs", wait_until="networkidle")
    page.click("tbody tr td:first-child a")
    page.wait_for_url(address)
    expect(page.locator(".notice.good")).to_contain_text("完全一致")
    expect(page.locator("#work")).to_contain_text("800,000.00")  # the order that 80 ten thousand yuan were lacking for
    sound(eye, shots, "whatif-done")
    for lang, theme in (("en", "dark"), ("zh-hans", "dark"), ("en", "light")):
        other = look("owner", lang, theme)
        other.go(address)
        sound(other, shots, f"whatif-done-{lang}-{theme}")
    phone = look("owner", width=360)
    phone.go(address)
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_that_waits_shows_the_end_by_itself(look, scene):
    eye = look("owner")
    eye.go("/console/whatifs")
    eye.page.click("button:has-text('开始推演')")
    eye.page.wait_for_url("**/console/whatifs/*-*")
    expect(eye.page.locator("#work")).to_contain_text("排队中")
    eye.page.once("dialog", lambda dialog: dialog.accept())
    other = look("owner")
    other.go(eye.page.url)
    other.page.click("button:has-text('取消推演')")
    if other.page.locator("dialog[open] button.primary").count():
        other.page.click("dialog[open] button.primary")
    expect(eye.page.locator("#work")).to_contain_text("已取消", timeout=6_000)
    assert eye.wrong == []


def test_what_is_to_come_and_how_far_it_has_held(look, shots, scene):
    eye = look("owner")
    page = eye.page
    sell(scene.shop, daily(70, 9, 20))
    page.goto("/console/forecasts", wait_until="networkidle")
    page.click("button:has-text('重新回测')")
    expect(page.locator("#work")).to_contain_text("排队中")
    page.goto("/console/orders", wait_until="networkidle")
    assert finish(scene, work.BACK_TEST.name).state == "done"
    page.goto("/console/forecasts?grain=day", wait_until="networkidle")
    expect(page.locator("#work")).to_contain_text("照搬上周同期")
    expect(page.locator("#work")).to_contain_text("日期与小时画像")
    page.locator("[data-chart] canvas, [data-chart] svg").first.wait_for()
    sound(eye, shots, "forecast-tested")
    page.select_option("#grain", "hour")
    page.wait_for_url("**grain=hour**")
    expect(page.locator("#list")).to_contain_text("九成不超过")
    assert eye.wrong == []


@pytest.mark.parametrize("name", ["/console/forecasts", "/console/whatifs"])
def test_who_is_bound_to_a_store_sees_no_more_than_it(look, scene, name):
    eye = look("store_manager")
    eye.go(name)
    assert eye.page.locator("button:has-text('开始推演'), button:has-text('提出建议')").count() == 0
    assert eye.wrong == []
