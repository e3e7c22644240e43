"""The kit: what forms say, how amounts and times are shown, which files are sent."""

from datetime import UTC, datetime

import pytest
from django.test import Client, RequestFactory
from django.utils import translation

from houfu.console import assets, words
from houfu.console.pages import FieldMissing, Form
from houfu.console.templatetags import kit
from houfu.kernel.errors import Reason


def form(**values):
    return Form(values)


def test_an_amount_is_read_in_yuan_and_kept_in_fen():
    assert form(amount="1,234.5").fen("amount", "金额") == 123_450


@pytest.mark.parametrize("said", ["", "0", "-1", "1e3", "1.234", "１００", "abc"])
def test_what_is_no_amount_is_told(said):
    asked = form(amount=said)
    asked.fen("amount", "金额")
    with pytest.raises(FieldMissing) as refused:
        asked.settle()
    assert [reason.figures for reason in refused.value.reasons] == [{"field": "amount"}]


def test_all_that_is_wrong_with_a_form_is_told_at_once():
    asked = form(amount="x", note="", count="12x")
    asked.fen("amount", "金额")
    asked.text("note", "说明")
    asked.number("count", "次数", least=1, most=5)
    with pytest.raises(FieldMissing) as refused:
        asked.settle()
    assert [reason.figures["field"] for reason in refused.value.reasons] == ["amount", "note", "count"]


def test_times_are_shanghais_and_amounts_have_separators():
    assert kit.when(datetime(2025, 11, 10, 2, 5, tzinfo=UTC)) == "2025-11-10 10:05"
    assert (kit.yuan(123_456_789), kit.yuan(None)) == ("1,234,567.89", "—")


@pytest.mark.parametrize(
    ("used", "most", "tone", "width"), [(0, 0, "", 0), (7, 10, "warn", 700), (15, 10, "bad", 1000)]
)
def test_a_meter_never_leaves_its_frame(used, most, tone, width):
    drawn = kit.meter(used, most, lent=10_000)
    assert f'class="meter {tone}"' in drawn
    assert f'class="used" width="{width}"' in drawn


def test_a_reason_is_read_in_either_language_with_its_figures():
    reason = Reason(
        "below_minimum", "P4", {"amount_fen": 5_000, "minimum_fen": 10_000}, "Ask for at least 100.00 yuan."
    )
    with translation.override("en"):
        assert words.reason_shown(reason)["cure"] == "Ask for at least 100.00 yuan."
    with translation.override("zh-hans"):
        shown = words.reason_shown(reason)
    assert (shown["title"], shown["cure"]) == ("低于单笔最低金额", "请至少申请 100.00 元。")


def test_data_for_a_script_cannot_end_it():
    assert "</script><" not in kit.script_json({"x": "</script><script>"}, "a").removesuffix("</script>")


def test_a_file_is_sent_under_the_digest_of_its_content_alone(db):
    url = assets.url("console.css")
    sent = Client().get(url, headers={"Accept-Encoding": "gzip"})
    assert (sent.status_code, sent["Cache-Control"], sent["Content-Encoding"]) == (200, assets.FOREVER, "gzip")
    digest = url.split("/")[2]
    for other in (url.replace(digest, "0" * 16), f"/static/{digest}/../pages.py", f"/static/{digest}/x.css"):
        assert Client().get(other).status_code == 404


def test_a_package_that_was_not_built_is_told():
    with pytest.raises(assets.AssetsMissing):
        assets.url("vendor/nothing.js")


def test_the_drawer_is_told_apart_by_what_htmx_says():
    from houfu.console.pages import in_drawer

    asked = RequestFactory().get("/console/orders", headers={"HX-Request": "true", "HX-Target": "div#drawer-body"})
    assert in_drawer(asked)
    assert not in_drawer(RequestFactory().get("/console/orders"))
