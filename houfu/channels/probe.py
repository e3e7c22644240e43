"""Whether channels answer: each is asked about a transfer that was never sent, and has to know of none."""

import time
from dataclasses import dataclass

from houfu.channels import registry
from houfu.channels.port import Payee, Transfer, Verdict
from houfu.kernel import clock
from houfu.kernel.errors import Refused
from houfu.merchants.models import ChannelAccount
from houfu.people.actor import Actor

NEVER_SENT = "probe-0"


@dataclass(frozen=True)
class Probe:
    """What came of asking.

    Args:
        answers: whether the channel gave a signed answer that can be believed.
        code: what was wrong with its answer, or that there was none.
    """

    channel: str
    answers: bool
    milliseconds: int
    code: str


def probe(by: Actor) -> list[Probe]:
    """Ask every channel of this instance; nothing moves there or here."""
    by.require("platform:write")
    return [_asked(name) for name in registry.names()]


def _asked(name: str) -> Probe:
    account = ChannelAccount.objects.filter(channel=name).order_by("merchant_id", "id").first()
    nobody = Payee("alipay", "nobody@probe.invalid", "probe")
    principal = account.principal if account else "probe"
    begun = time.perf_counter()
    try:
        answer = registry.channel(name).query(Transfer(principal, NEVER_SENT, 1, 0, nobody, "probe", clock.now()))
        answers, code = answer.verdict is Verdict.NOT_FOUND, answer.code
    except Refused as refusal:
        answers, code = False, refusal.code
    return Probe(name, answers, round((time.perf_counter() - begun) * 1000), code)
