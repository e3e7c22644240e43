"""Work that takes long, left and found again; and the platform's people let in, in full view, and out again."""

import re

from django.conf import settings
from scene import file_of_orders

from houfu.channels.simulator import signing
from houfu.jobs import runner
from houfu.jobs.models import Job
from houfu.kernel import isolation
from houfu.orders.models import Order
from houfu.people.models import AccessGrant
from houfu.site import upkeep
from houfu.testing import world


def waiting(scene, kind):
    with isolation.acting(world.OPERATOR):
        return Job.objects.filter(merchant_id=scene.shop.merchant_id, kind=kind, state="waiting").latest("asked_at")


def test_an_export_is_asked_for_from_the_listing_left_and_found_again(look, scene, shots):
    eye = look("owner")
    page = eye.page
    page.goto("/console/orders?state=matured", wait_until="networkidle")
    page.click("text=导出")
    page.click("text=Excel (XLSX)")
    page.wait_for_selector("#drawer[open] [name=reason]")
    assert "matured" in page.inner_text("#drawer .facts")
    assert eye.axe() == []
    page.fill("[name=reason]", "给会计师对账")
    page.click("#drawer button.primary")
    page.wait_for_selector("#export-made .tag:has-text('排队中')")
    page.screenshot(path=shots / "export-drawer.png")
    asked = waiting(scene, "export.orders")
    assert (asked.reason, asked.asked["filters"]) == ("给会计师对账", {"state": "matured"})
    page.goto("/console/jobs", wait_until="load")
    with isolation.acting(world.OPERATOR):
        assert runner.finish(asked.merchant_id, asked.id).state == "done"
    page.goto(f"/console/jobs/{asked.id}", wait_until="networkidle")
    with page.expect_download() as came:
        page.click("text=下载")
    assert came.value.suggested_filename.startswith("订单-")
    assert came.value.suggested_filename.endswith(".xlsx")
    assert eye.wrong == []


def test_files_are_shown_before_they_are_done_and_the_rest_goes_on_behind(look, scene, shots, tmp_path):
    file = tmp_path / "十一月.csv"
    file.write_text(file_of_orders(scene.shop, 1), "gb18030")
    eye = look("owner")
    page = eye.page
    eye.go("/console/orders")
    page.click("a:has-text('导入')")
    page.wait_for_url("**/console/imports")
    page.set_input_files("#f-file", file)
    page.wait_for_selector("input[name='file_content[]']", state="attached")
    page.click("button:has-text('读入并核对')")
    page.wait_for_url(re.compile("/console/imports/[0-9]+$"))
    assert "上海二店" in page.inner_text(".notice.warn")
    assert "时间无法识别" in page.inner_text("main")
    assert not Order.objects.filter(merchant_id=scene.shop.merchant_id, id="I-1-1").exists()
    page.click("button:has-text('开始执行')")
    page.click("[data-confirm-yes]")
    page.wait_for_selector(".job .tag:has-text('排队中')")
    address = page.url
    eye.go("/console/")
    asked = waiting(scene, "import.orders")
    with isolation.acting(world.OPERATOR):
        assert runner.finish(asked.merchant_id, asked.id).state == "done"
    eye.go(address)
    said = page.inner_text("main")
    assert "没有这个店铺" in said
    assert page.locator("button:has-text('开始执行')").count() == 0
    assert Order.objects.get(merchant_id=scene.shop.merchant_id, id="I-1-1").state == "shipped"
    assert eye.axe() == []
    page.screenshot(path=shots / "import-done.png", full_page=True)
    assert eye.wrong == []


def test_a_file_that_cannot_be_read_is_told_in_its_form(look, scene, tmp_path):
    file = tmp_path / "photo.csv"
    file.write_bytes(b"\x89PNG\r\n")
    eye = look("owner")
    page = eye.page
    eye.go("/console/imports")
    page.set_input_files("#f-file", file)
    page.wait_for_selector("input[name='file_content[]']", state="attached")
    page.click("button:has-text('读入并核对')")
    page.wait_for_selector(".refusal :text('文件无法识别')")
    assert not any("script" in each for each in eye.wrong)


def test_a_rules_back_test_runs_behind_and_its_figures_stay(look, scene, shots):
    eye = look("operator")
    page = eye.page
    address = "/console/platform/risk-rules/device_frequency/1"
    eye.go(address)
    page.click("button:has-text('开始回测')")
    page.wait_for_selector("#rule [role=status] .tag:has-text('排队中')")
    with isolation.acting(world.OPERATOR):
        job = Job.objects.get(merchant_id=0, kind="risk.backtest")
        assert runner.finish(0, job.id).state == "done"
    page.wait_for_selector("#rule section.card:has-text('新增命中'), #rule section.card:has-text('判断')")
    assert eye.axe() == []
    page.screenshot(path=shots / "risk-rule-tested.png", full_page=True)
    assert eye.wrong == []


def test_a_channel_that_does_not_answer_is_told_so(look, scene, tmp_path):
    signing.make_keys(tmp_path / "client.key", tmp_path / "channel.pub")
    upkeep.write_channel(
        "simulator", adapter="simulator", url="http://127.0.0.1:9", client_key=str(tmp_path / "client.key"),
        channel_key=str(tmp_path / "channel.pub"),
    )  # fmt: skip
    eye = look("operator")
    try:
        eye.go("/console/platform/health")
        eye.page.click("button:has-text('检查')")
        eye.page.wait_for_selector("#probed .tag:has-text('没有可信的应答')")
        assert "connection" in eye.page.inner_text("#probed")
    finally:
        (settings.HOME / "channels.toml").unlink()
    assert eye.wrong == []


def test_the_chain_is_recomputed_and_what_was_found_is_shown(look, scene, shots):
    eye = look("owner")
    page = eye.page
    page.goto("/console/history", wait_until="networkidle")
    page.click("text=校验整条链")
    page.wait_for_url("**/console/jobs/*")
    id = page.url.rpartition("/")[2]
    with isolation.acting(world.OPERATOR):
        job = runner.finish(scene.shop.merchant_id, id)
    assert (job.state, job.outcome["broken"]) == ("done", [])
    page.wait_for_selector("text=全部相符")
    page.screenshot(path=shots / "history-checked.png")
    assert eye.axe() == []
    assert eye.wrong == []


def test_a_key_is_shown_once_and_opens_nothing_after_it_was_revoked(look, scene):
    eye = look("owner")
    page = eye.page
    page.goto("/console/integrations", wait_until="networkidle")
    page.click("text=新建密钥")
    page.fill("[name=name]", "仓库系统")
    page.check("input[value='orders:read']")
    page.click("form:has([name=name]) button.primary")
    page.wait_for_selector("#key-made .mono")
    token = page.inner_text("#key-made .mono")
    assert token.startswith(f"hf_{scene.shop.merchant_id}_")
    ask = "t => fetch('/v1/orders', {headers: {Authorization: `Bearer ${t}`}, credentials: 'omit'}).then(r => r.status)"
    assert page.evaluate(ask, token) == 200
    page.goto("/console/integrations", wait_until="networkidle")
    assert token not in page.content()
    page.click("tr:has-text('仓库系统') button")
    page.click("#confirm [data-confirm-yes]")
    page.wait_for_selector("tr:has-text('仓库系统') .tag:has-text('已撤销')")
    assert page.evaluate(ask, token) == 401
    assert [each for each in eye.wrong if "401" not in each] == []


def let_in(scene, visitor, owner, reason):
    """Let the operator ask for access, the owner give it, and the operator go in."""
    merchant = f"/console/platform/merchants/{scene.shop.merchant_id}"
    visitor.go(merchant)
    visitor.page.fill("form:has([name=hours]) [name=reason]", reason)
    visitor.page.click("text=申请访问")
    visitor.page.wait_for_selector(f"li:has-text('{reason}')")
    owner.go("/console/access")
    owner.page.click(f"tr:has-text('{reason}') button.primary")
    owner.page.click("#confirm [data-confirm-yes]")
    owner.page.wait_for_selector(f"tr:has-text('{reason}') .tag:has-text('生效中')")
    visitor.go(merchant)
    visitor.page.click(f"li:has-text('{reason}') button.primary")
    visitor.page.wait_for_url("**/console/orders")


def end_access(owner, reason):
    """Let the owner end an access."""
    owner.go("/console/access")
    owner.page.click(f"tr:has-text('{reason}') button.danger")
    owner.page.click("#confirm [data-confirm-yes]")
    owner.page.wait_for_selector(f"tr:has-text('{reason}') .tag:has-text('已结束')")


def test_the_platform_is_let_in_by_the_owner_sees_a_banner_and_leaves(look, scene, shots):
    visitor, owner = look("operator"), look("owner")
    visitor.go("/console/orders")
    assert visitor.page.query_selector("#list tbody tr") is None
    visitor.wrong.clear()
    let_in(scene, visitor, owner, "排查一笔提现")
    visitor.page.wait_for_selector(".note-bar")
    assert visitor.page.locator("#list tbody tr").count() == 50
    assert visitor.axe() == []
    visitor.page.screenshot(path=shots / "inside.png")
    visitor.page.click(".note-bar button")
    visitor.page.wait_for_url("**/console/platform/merchants")
    assert visitor.page.query_selector(".note-bar") is None
    with isolation.acting(world.OPERATOR):
        assert AccessGrant.objects.get(merchant_id=scene.shop.merchant_id, reason="排查一笔提现").state == "given"
    end_access(owner, "排查一笔提现")
    assert visitor.wrong == owner.wrong == []


def test_an_access_that_has_ended_shows_nothing_more(look, scene):
    visitor, owner = look("operator"), look("owner")
    let_in(scene, visitor, owner, "核对一笔退款")
    visitor.page.wait_for_selector(".note-bar")
    end_access(owner, "核对一笔退款")
    visitor.go("/console/orders")
    assert visitor.page.query_selector("#list tbody tr") is None
    visitor.go("/console/")
    assert visitor.page.query_selector(".note-bar") is None


PACK = """version = "2027-01-01"
effective_from = 2027-01-01T00:00:00+08:00
title = "更小的提现"
source = "decided in December"

[payouts]
minimum_fen = {fen}
"""


def test_a_pack_to_come_is_checked_seen_and_published(look, shots):
    eye = look("operator")
    page = eye.page
    eye.go("/console/rules")
    page.click("text=新规则包")
    page.wait_for_url("**/console/rules/new")
    page.wait_for_selector("#f-text")
    page.fill("#f-text", PACK.format(fen="-5"))
    page.click("button:has-text('检查')")
    page.wait_for_selector(".refusal :text('规则包')")
    eye.wrong.clear()  # the browser tells of every refusal
    page.fill("#f-text", PACK.format(fen="5_000"))
    page.click("button:has-text('检查')")
    page.wait_for_selector("#checked td:has-text('50.00 元')")
    assert eye.axe() == []
    page.screenshot(path=shots / "pack-checked.png")
    page.click("#checked button:has-text('发布')")
    page.click("#confirm [data-confirm-yes]")
    page.wait_for_url("**/console/rules?version=2027-01-01")
    assert "更小的提现" in page.inner_text("main")
    assert eye.wrong == []
