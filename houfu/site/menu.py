"""The console's menu: one line for each page, in the order in which it stands there."""

from houfu.console.pages import Entry

READS_ORDERS, READS_PAYOUTS = frozenset({"orders:read"}), frozenset({"payouts:read"})
READS_LIMITS, READS_RISK = frozenset({"limits:read"}), frozenset({"risk:read"})

MERCHANT = (
    Entry("", "总览", "/console/", "home"),
    Entry("经营", "订单", "/console/orders", "orders", READS_ORDERS),
    Entry("经营", "导入", "/console/imports", "plus", frozenset({"orders:write"}), whole=True),
    Entry("经营", "额度", "/console/limits", "limits", READS_LIMITS),
    Entry("经营", "共享池", "/console/pools", "pools", READS_LIMITS),
    Entry("经营", "预测", "/console/forecasts", "trace", READS_ORDERS),
    Entry("经营", "推演", "/console/whatifs", "tour", frozenset({"limits:read"})),
    Entry("资金", "提现", "/console/payouts", "payouts", READS_PAYOUTS),
    Entry("资金", "审批", "/console/approvals", "approvals", frozenset({"approvals:write", "history:read"})),
    Entry("资金", "收款账户", "/console/beneficiaries", "bank", READS_PAYOUTS),
    Entry("管理", "风控", "/console/risk", "risk", READS_RISK),
    Entry("管理", "员工", "/console/people", "people", frozenset({"people:read"})),
    Entry("管理", "规则一览", "/console/rules", "rules", frozenset({"policies:read"})),
    Entry("管理", "集成", "/console/integrations", "plug", frozenset({"webhooks:read", "merchants:write"})),
    Entry("管理", "操作记录", "/console/history", "history", frozenset({"history:read"})),
    Entry("管理", "访问授权", "/console/access", "key", frozenset({"people:write"})),
    Entry("管理", "任务", "/console/jobs", "jobs"),
    Entry("管理", "设置", "/console/settings", "settings", frozenset({"merchants:read"})),
)
PLATFORM = (
    Entry("", "总览", "/console/", "home"),
    Entry("平台", "商户", "/console/platform/merchants", "merchants", frozenset({"platform:write"})),
    Entry("平台", "案件", "/console/platform/cases", "risk", frozenset({"risk:write"})),
    Entry("平台", "提现批次", "/console/platform/runs", "payouts", frozenset({"platform:write"})),
    Entry("平台", "风控规则", "/console/platform/risk-rules", "trace", frozenset({"risk:write"})),
    Entry("平台", "规则一览", "/console/rules", "rules", frozenset({"policies:read"})),
    Entry("平台", "运行状况", "/console/platform/health", "health", frozenset({"platform:write"})),
)
