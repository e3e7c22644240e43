"""All long work that can be asked for: importing a room's module is what makes its kinds known."""

from houfu.imports import work as imports
from houfu.insight import work as insight
from houfu.jobs import history_check, history_export
from houfu.ledger import exports as ledger
from houfu.limits import exports as limits
from houfu.orders import exports as orders
from houfu.payouts import exports as payouts
from houfu.risk import work as risk

EXPORTS = (ledger.ENTRIES, history_export.HISTORY, limits.LIMITS, orders.ORDERS, payouts.PAYOUTS)
CHECKS = (history_check.VERIFY,)
WORK = (imports.TAKE_IN, insight.WHAT_IF, insight.BACK_TEST, risk.BACK_TEST)
