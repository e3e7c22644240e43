"""The console's menu: one line for each page, in the order in which it stands there."""

from houfu.console.pages import Entry

READS_ORDERS, READS_PAYOUTS = frozenset({"orders:read"}), frozenset({"payouts:read"})

MERCHANT = (
    Entry("", "总览", "/console/", "home"),
    Entry("经营", "订单", "/console/orders", "orders", READS_ORDERS),
)
PLATFORM = (Entry("", "总览", "/console/", "home"),)
