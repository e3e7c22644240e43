"""The `houfu` command, assembled from the rooms: `houfu <noun> <verb>`.

Exit codes: 0 done, 1 something does not hold (`verify`, `history verify`, `limit whatif`, `channel probe`, `demo`,
`bench`), 2 usage, 3 refused.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from houfu.cli import opening
from houfu.kernel.errors import Refused

NOUNS = {
    "approvals": ("houfu.approvals.cli:cli", "What must be agreed to, and by whom. 审批"),
    "bench": ("houfu.bench.cli:cli", "How fast this machine is. 性能"),
    "beneficiary": ("houfu.payouts.cli:beneficiary", "Accounts that may be paid out to. 收款账户"),
    "buyer": ("houfu.buyers.cli:cli", "What buyers may owe, from their scores. 买家额度"),
    "calendar": ("houfu.calendars.cli:cli", "Workdays, windows, run days. 日历"),
    "channel": ("houfu.cli.channel:channel", "A merchant's accounts at payment channels. 通道"),
    "conversion": ("houfu.limits.conversions_cli:conversion", "Limit moved to another platform. 跨平台额度互通"),
    "db": ("houfu.cli.db:cli", "The database: migrate, check. 数据库"),
    "demo": ("houfu.demo.cli:cli", "Play the stories on an instance of their own. 演示"),
    "emergency": ("houfu.limits.pools_cli:emergency", "A loan, settled orders, restoration. 应急下单"),
    "filing": ("houfu.limits.pools_cli:filing", "The form of large pools. 备案"),
    "forecast": ("houfu.insight.cli:cli", "Demand that is to come. 预测"),
    "export": ("houfu.cli.job:export", "Listings as files. 导出"),
    "group": ("houfu.merchants.cli:group", "Groups of stores that may share limits. 集团"),
    "history": ("houfu.history.cli:cli", "What happened, by whom; verify the chains. 行为流水"),
    "import": ("houfu.cli.imports:cli", "Take in files of order events. 导入"),
    "instance": ("houfu.cli.instance:cli", "Whose database this is. 实例"),
    "intake": ("houfu.cli.up:intake", "The door for new orders alone. 接单入口"),
    "job": ("houfu.cli.job:job", "Long work in the background. 后台任务"),
    "key": ("houfu.merchants.cli:key", "API keys. 接口密钥"),
    "ledger": ("houfu.ledger.cli:cli", "Balances. 账本"),
    "limit": ("houfu.cli.limit:limit", "Own limits, loans, tolerance. 额度"),
    "merchant": ("houfu.merchants.cli:merchant", "Legal persons. 商户"),
    "order": ("houfu.cli.order:cli", "Orders and what happens to them. 订单"),
    "party": ("houfu.splits.cli:party", "Suppliers and carriers that get parts of orders. 分账方"),
    "payout": ("houfu.payouts.cli:payout", "Money out. 提现"),
    "people": ("houfu.people.cli:people", "Who works at a merchant, in which role. 员工"),
    "policy": ("houfu.policies.cli:cli", "The rules in force. 规则参数"),
    "pool": ("houfu.limits.dynamic_cli:pool", "Shared limits. 额度共享"),
    "recognition": ("houfu.limits.conversions_cli:recognition", "Platforms that recognise each other. 资质互认"),
    "reconciliation": ("houfu.reconciliation.cli:cli", "Statements and breaks. 对账"),
    "risk": ("houfu.risk.cli:cli", "Rules, alerts, cases, appeals, scores. 风控"),
    "simulator": ("houfu.cli.up:simulator", "A payment channel that behaves by script. 模拟通道"),
    "split": ("houfu.splits.cli:split", "Orders divided between bound parties. 分账"),
    "store": ("houfu.merchants.cli:store", "Stores. 店铺"),
    "up": ("houfu.cli.up:up", "Start everything on this machine. 启动"),
    "vault": ("houfu.cli.vault:cli", "The keys by which merchants' data is sealed. 保险箱"),
    "verify": ("houfu.verify.cli:cli", "Prove the invariants from the books. 核验"),
    "weather": ("houfu.channels.weather.cli:weather", "What pools know of the weather. 天气"),
    "web": ("houfu.cli.up:web", "The web process alone. 网页进程"),
    "webhooks": ("houfu.cli.webhooks:cli", "History told to other systems. 通知"),
    "worker": ("houfu.cli.up:worker", "The worker process alone. 后台进程"),
}
ALSO_CALLED = {"limits": "limit"}
WITHOUT_DATABASE = {"bench", "demo", "intake", "simulator", "up", "web", "worker"}


class Nouns(click.Group):
    """Finds a noun's commands in its room, and opens the database for those that need it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(NOUNS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = ALSO_CALLED.get(name, name)
        if name not in NOUNS:
            return None
        opening.setup_django()
        if name not in WITHOUT_DATABASE and "--help" not in sys.argv[1:]:
            ctx.with_resource(opening.database(prepared=name != "db"))
        module, _, attribute = NOUNS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Nouns"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(NOUNS.items())])


@click.command(cls=Nouns)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, param, home: _take_home(home),
    help="Data folder; HOUFU_HOME, else ~/.houfu.",
)
@click.version_option(package_name="houfu")
def cli() -> None:
    """Houfu 后付: limits, books and payouts for merchants who sell on pay-later terms.

    Example: houfu up
    """


def _take_home(home: Path | None) -> None:
    """Set the data folder before anything reads it."""
    if home:
        os.environ["HOUFU_HOME"] = str(home.absolute())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and turn a refusal into one line (or one JSON object) and exit code 3.

    Args:
        arguments: those of this process unless given.
    """
    if arguments is not None:
        sys.argv[1:] = arguments
    try:
        cli()
    except Refused as refusal:
        if "--json" in sys.argv:
            click.echo(json.dumps(refused(refusal), ensure_ascii=False, default=str))
        else:
            click.echo(f"refused: {refusal.code}: {refusal}", err=True)
            for reason in refusal.reasons:
                click.echo(f"  {reason.code} ({reason.rule}): {reason.cure} {reason.figures or ''}", err=True)
        sys.exit(3)


def refused(refusal: Refused) -> dict[str, object]:
    """Return a refusal as the JSON that commands print."""
    return {
        "refused": refusal.code,
        "message": refusal.message,
        "details": refusal.details,
        "reasons": [{"code": r.code, "rule": r.rule, "figures": r.figures, "cure": r.cure} for r in refusal.reasons],
    }
