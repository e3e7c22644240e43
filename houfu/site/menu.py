"""The console's menu: one line for each page, in the order in which it stands there."""

from houfu.console.pages import Entry

READS_ORDERS, READS_PAYOUTS = frozenset({"orders:read"}), frozenset({"payouts:read"})

MERCHANT = (
    Entry("", "总览", "/console/", "home"),
    Entry("经营", "订单", "/console/orders", "orders", READS_ORDERS),
    Entry("经营", "预测", "/console/forecasts", "trace", READS_ORDERS),
    Entry("经营", "推演", "/console/whatifs", "tour", frozenset({"limits:read"})),
    Entry("资金", "提现", "/console/payouts", "payouts", READS_PAYOUTS),
    Entry("资金", "审批", "/console/approvals", "approvals", frozenset({"approvals:write", "history:read"})),
    Entry("资金", "收款账户", "/console/beneficiaries", "bank", READS_PAYOUTS),
    Entry("管理", "员工", "/console/people", "people", frozenset({"people:read"})),
)
PLATFORM = (Entry("", "总览", "/console/", "home"),)
