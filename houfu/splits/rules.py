"""Pure decisions about splits: every reason against a rule, what falls on whom, and the numbers of requests."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from houfu.kernel.errors import Reason
from houfu.kernel.money import share_down

FRESH = timedelta(days=1)  # how long a channel's word about its cap is not asked for again


@dataclass(frozen=True)
class Wanted:
    """A share as somebody proposes it: per mille of the net, or a fixed amount."""

    party_id: int
    permille: int | None = None
    fixed_fen: int | None = None


@dataclass(frozen=True)
class PartyFacts:
    """What of a party decides whether it may get a share from a day on."""

    party_id: int
    state: str
    purpose_class: str
    binding: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True)
class RuleFacts:
    """What decides whether a store's orders may be divided so.

    Args:
        day: the business day from which.
        cap_permille: what the channel says that it gives to others at most; None while it has not said.
    """

    day: date
    shares: Sequence[Wanted]
    parties: Sequence[PartyFacts]
    cap_permille: int | None


def refusals(facts: RuleFacts, order_permille: int, denied: Sequence[str]) -> list[Reason]:
    """Return every reason against a rule, each with its figures and its cure (L8, P8).

    Args:
        order_permille: the policy's cap on all shares together.
        denied: the purposes for which nobody gets money.
    """
    found: list[Reason] = []
    for party in facts.parties:
        who = {"party_id": party.party_id}
        if party.state != "confirmed":
            found.append(Reason("party_not_confirmed", "L8", who, "Let a second person confirm the party."))
            continue
        if party.purpose_class in denied:
            found.append(Reason("purpose_denied", "P8", who, "Name another party: nobody is paid for this purpose."))
        if party.binding != "bound":
            found.append(Reason("party_unbound", "L8", who, "Bind the party at the channel first."))
        if facts.day < party.valid_from:
            figures = {**who, "valid_from": party.valid_from.isoformat()}
            found.append(Reason("contract_not_begun", "L8", figures, "Let the rule begin when the contract does."))
        if facts.day > party.valid_until:
            figures = {**who, "valid_until": party.valid_until.isoformat()}
            found.append(Reason("contract_expired", "L8", figures, "Renew the contract first."))
    total = sum(share.permille or 0 for share in facts.shares)
    if total > order_permille:
        figures = {"permille": total, "most": order_permille}
        found.append(Reason("beyond_policy_cap", "L8", figures, f"Let the shares be {order_permille} ‰ at most."))
    if not facts.shares:
        return found
    if facts.cap_permille is None:
        found.append(Reason("cap_unknown", "L8", {}, "Wait until the channel has said how much it gives to others."))
    elif total > facts.cap_permille:
        figures = {"permille": total, "most": facts.cap_permille}
        found.append(Reason("beyond_channel_cap", "L8", figures, f"Let the shares be {facts.cap_permille} ‰ at most."))
    return found


def spread(total_fen: int, weights: Sequence[int]) -> list[int]:
    """Divide an amount by weights, exactly: rounded down, and the rest to the largest remainders, earlier ones first.

    Args:
        weights: none negative; together at least the amount, so that no part exceeds its weight.
    """
    whole = sum(weights)
    if not total_fen:
        return [0] * len(weights)
    parts = [share_down(total_fen, weight, whole) for weight in weights]
    order = sorted(range(len(weights)), key=lambda n: (-(total_fen * weights[n] % whole), n))
    for n in order[: total_fen - sum(parts)]:
        parts[n] += 1
    return parts


def request_no(kind: str, merchant_id: int, *content: object) -> str:
    """Return the number under which a channel knows a split or a return: made of its content (I-08).

    Args:
        kind: "split" or "return".
    """
    text = "\n".join([f"houfu-{kind}-v1", str(merchant_id), *map(str, content)])
    return f"H{kind[0].upper()}" + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:30]


Content = dict[str, Any]  # what approvers see and sign
