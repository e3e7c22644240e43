"""The style page: every part of the kit, as pages use it."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse

from houfu.console.pages import done, said, show
from houfu.console.words import t
from houfu.kernel import clock
from houfu.kernel.errors import Reason

STATES = ("authorised", "received", "settled", "matured", "disputed", "declined")


def page(request: HttpRequest) -> HttpResponse:
    """Show the kit; its form shows what a refusal and a toast look like."""
    if request.method == "POST":
        said(request)
        return done(t("已保存"), go="/console/style")
    now = clock.now()
    months = ["06", "07", "08", "09", "10", "11"]
    return show(
        request,
        "console/style.html",
        t("样式"),
        now=now,
        orders=[(f"D{n:05d}", 123_450 * n, state) for n, state in enumerate(STATES, 1)],
        page={"items": [1] * 6, "next_cursor": ""},
        tones=["good", "warn", "bad", "info", "calm"],
        entries=[
            {"at": now - timedelta(hours=26), "title": t("下单"), "text": t("金额 {yuan} 元", yuan="1,234.50")},
            {"at": now - timedelta(hours=3), "title": t("收货"), "tone": "good"},
            {"at": now, "title": t("争议"), "tone": "bad"},
        ],
        reasons=[
            Reason("below_minimum", "P4", {"minimum_fen": 10_000}, "Ask for at least 100.00 yuan."),
            Reason("cover_too_thin", "P5", {"largest_fen": 185_546}, "Ask for at most 1,855.46 yuan."),
        ],
        option={
            "legend": {},
            "xAxis": {"type": "category", "data": months},
            "yAxis": {"type": "value"},
            "series": [
                {"name": t("订单"), "type": "bar", "data": [12000, 18500, 16000, 21000, 24000, 39000]},
                {"name": t("退款"), "type": "line", "data": [800, 900, 1500, 700, 1100, 2000]},
            ],
        },
    )  # fmt: skip
