"""Reading parties, rules, divisions, splits and returns; `access_*` is the only way to a single one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from houfu.approvals import queries as approval_queries
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.merchants.models import ChannelAccount
from houfu.people.actor import Actor
from houfu.splits import rules
from houfu.splits.models import Attempt, Binding, Cap, Division, Part, Party, Return, Rule, Share, Split
from houfu.splits.rules import PartyFacts, RuleFacts, Wanted

SENT = ("submitting", "submitted", "unknown")


def access_party(by: Actor, scope: str, merchant_id: int, id: int) -> Party:
    """Return a party, if the actor may do `scope` to its merchant's things."""
    by.require(scope, merchant_id)
    return party(merchant_id, id)


def party(merchant_id: int, id: int) -> Party:
    """Return a party that the caller may see.

    Raises:
        NotFound: there is none.
    """
    found = Party.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def parties(by: Actor, merchant_id: int) -> list[Party]:
    """Return a merchant's parties."""
    by.require("payouts:read", merchant_id)
    return list(Party.objects.filter(merchant_id=merchant_id).order_by("id"))


def bindings(merchant_id: int, party_id: int) -> list[Binding]:
    """Return at which accounts a party is bound, or was asked to be."""
    return list(Binding.objects.filter(merchant_id=merchant_id, party_id=party_id).order_by("channel_account_id"))


def cap(merchant_id: int, channel_account_id: int) -> int | None:
    """Return the channel's own cap per mille of an order's net, as it last said; None if it never did."""
    found = Cap.objects.filter(merchant_id=merchant_id, channel_account_id=channel_account_id).first()
    return found.permille if found else None


def access_rule(by: Actor, scope: str, merchant_id: int, id: int) -> Rule:
    """Return a rule, if the actor may do `scope` to its store's things."""
    by.require(scope, merchant_id)
    found = Rule.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None or not by.sees(found.store_id):
        raise NotFound()
    return found


def rules_of(by: Actor, merchant_id: int, store_id: int) -> list[Rule]:
    """Return a store's rules, the latest first."""
    merchants.access_store(by, "payouts:read", merchant_id, store_id)
    return list(Rule.objects.filter(merchant_id=merchant_id, store_id=store_id).order_by("-id"))


def shares(merchant_id: int, rule_id: int) -> list[Share]:
    """Return a rule's shares in their order."""
    return list(Share.objects.filter(merchant_id=merchant_id, rule_id=rule_id).order_by("place"))


def rule_facts(merchant_id: int, store_id: int, wanted: Sequence[Wanted], at: datetime) -> RuleFacts:
    """Gather what decides whether a store's orders may be divided so from an instant on.

    Raises:
        NotFound: a party is not there.
    """
    account_id = merchants.store(merchant_id, store_id).channel_account_id
    known = [party(merchant_id, share.party_id) for share in wanted]
    bound = Binding.objects.filter(merchant_id=merchant_id, channel_account_id=account_id)
    states = dict(bound.values_list("party_id", "state"))
    facts = [
        PartyFacts(p.id, p.state, p.purpose_class, states.get(p.id, ""), p.valid_from, p.valid_until) for p in known
    ]
    return RuleFacts(clock.business_day(at), wanted, facts, cap(merchant_id, account_id))


def party_content(party: Party, contract: rules.Content | None = None) -> rules.Content:
    """Return what is shown to, and signed by, whoever confirms a party or its next contract (4.6).

    Args:
        contract: another contract than the party's.
    """
    own = {
        "contract": party.contract,
        "valid_from": party.valid_from.isoformat(),
        "valid_until": party.valid_until.isoformat(),
    }
    return {
        "party": party.id,
        "relation": party.relation,
        "kind": party.kind,
        "purpose_class": party.purpose_class,
        "holder": party.holder,
        "account_tail": party.account_tail,
        "account_digest": bytes(party.account_digest).hex(),
        **(own if contract is None else contract),
    }


def rule_content(rule: Rule) -> rules.Content:
    """Return what is shown to, and signed by, whoever agrees to a rule."""
    store = merchants.store(rule.merchant_id, rule.store_id)
    said: list[dict[str, Any]] = []
    for share in shares(rule.merchant_id, rule.id):
        to = party(rule.merchant_id, share.party_id)
        how = {"fixed_fen": share.fixed_fen} if share.permille is None else {"permille": share.permille}
        said.append({"party": to.id, "holder": to.holder, "account_tail": to.account_tail, **how})
    return {
        "rule": rule.id,
        "store": store.id,
        "store_name": store.name,
        "not_before": rule.not_before.astimezone(UTC).isoformat(),
        "shares": said,
    }


def divides(merchant_id: int) -> bool:
    """Say whether any rule of a merchant's was ever in force."""
    return Rule.objects.filter(merchant_id=merchant_id, state="approved").exists()


def division(by: Actor, merchant_id: int, order_id: str) -> Division:
    """Return what became of the net of an order, if a rule was in force when it settled."""
    by.require("payouts:read", merchant_id)
    found = Division.objects.filter(merchant_id=merchant_id, order_id=order_id).first()
    if found is None or not by.sees(found.store_id):
        raise NotFound()
    return found


def divisions(
    by: Actor, merchant_id: int, *, store_id: int | None, after: tuple[datetime, str] | None, limit: int
) -> list[Division]:
    """Return the divisions of a merchant that the actor may see, newest first."""
    by.require("payouts:read", merchant_id)
    found = Division.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if store_id is not None:
        found = found.filter(store_id=store_id)
    if after:
        found = found.extra(where=["(at, order_id) < (%s, %s)"], params=list(after))
    return db.page(found.order_by("-at", "-order_id"), limit)


def splits_of(merchant_id: int, order_id: str) -> list[Split]:
    """Return the calls by which an order was split."""
    return list(Split.objects.filter(merchant_id=merchant_id, order_id=order_id).order_by("no"))


def parts(merchant_id: int, split_ids: Iterable[int]) -> list[Part]:
    """Return the parts of splits in their order."""
    found = Part.objects.filter(merchant_id=merchant_id, split_id__in=list(split_ids))
    return list(found.order_by("split_id", "place"))


def sent_parts(merchant_id: int, split_id: int) -> list[Part]:
    """Return the parts that a split was sent with, in the order in which the channel knows them."""
    return [part for part in parts(merchant_id, [split_id]) if part.sent_fen is not None]


def returns_of(merchant_id: int, order_id: str) -> list[Return]:
    """Return what was asked back of an order's parts."""
    return list(Return.objects.filter(merchant_id=merchant_id, order_id=order_id).order_by("id"))


def attempt(merchant_id: int, **of: int) -> Attempt | None:
    """Return the one attempt of a split (`split_id`) or of a return (`return_id`), once it was begun."""
    return Attempt.objects.filter(merchant_id=merchant_id, **of).first()


def by_request_no(merchant_id: int, request_no: str) -> Attempt | None:
    """Return the attempt of a number."""
    return Attempt.objects.filter(merchant_id=merchant_id, request_no=request_no).first()


def unasked_refunds(merchant_id: int, order_id: str = "") -> list[Any]:
    """Return refunds that are to come back from parties and have not been spread over them: order, ref and amount.

    Args:
        order_id: of this order alone.
    """
    return db.rows(
        "SELECT e.order_id, e.ref, e.recalled_fen FROM orders_event e WHERE e.merchant_id = %(merchant_id)s"
        " AND e.recalled_fen > 0 AND (%(order_id)s = '' OR e.order_id = %(order_id)s) AND NOT EXISTS ("
        " SELECT FROM splits_return r"
        " WHERE (r.merchant_id, r.order_id, r.refund_ref) = (e.merchant_id, e.order_id, e.ref)) ORDER BY e.at, e.ref",
        {"merchant_id": merchant_id, "order_id": order_id},
    )


def orders_to_recall(limit: int) -> list[tuple[int, str]]:
    """Return orders, by merchant and id, with refunds that have not been spread over their parties."""
    found = db.rows(
        "SELECT DISTINCT e.merchant_id, e.order_id FROM orders_event e WHERE e.recalled_fen > 0 AND NOT EXISTS ("
        " SELECT FROM splits_return r"
        " WHERE (r.merchant_id, r.order_id, r.refund_ref) = (e.merchant_id, e.order_id, e.ref)) ORDER BY 1, 2 LIMIT %s",
        [limit],
    )
    return [(row.merchant_id, row.order_id) for row in found]


def splits_due(at: datetime, limit: int) -> list[Split]:
    """Return splits, of all merchants, whose next step is due, the longest waiting first."""
    return list(Split.objects.filter(next_action_at__lte=at).order_by("next_action_at")[:limit])


def returns_due(at: datetime, limit: int) -> list[Return]:
    """Return returns, of all merchants, whose next step is due, the longest waiting first."""
    return list(Return.objects.filter(next_action_at__lte=at).order_by("next_action_at")[:limit])


def bindings_due(at: datetime, limit: int) -> list[Binding]:
    """Return bindings, of all merchants, about which the channel is to be asked."""
    return list(Binding.objects.filter(next_action_at__lte=at).order_by("next_action_at")[:limit])


def caps_to_ask(at: datetime) -> list[ChannelAccount]:
    """Return accounts at which parties are bound and whose channel has not said its cap for a while."""
    found = db.rows(
        "SELECT DISTINCT b.merchant_id, b.channel_account_id FROM splits_binding b LEFT JOIN splits_cap c"
        " USING (merchant_id, channel_account_id) WHERE b.state = 'bound' AND coalesce(c.said_at, '-infinity') <= %s"
        " ORDER BY 1, 2",
        [at - rules.FRESH],
    )
    return [merchants.channel_account(row.merchant_id, row.channel_account_id) for row in found]


def decided_parties() -> list[tuple[int, int]]:
    """Return parties, by merchant and id, about which those asked have said something."""
    waiting = list(Party.objects.filter(waits=True).values_list("merchant_id", "id"))
    return _decided([(merchant_id, id_, f"party/{id_}") for merchant_id, id_ in waiting])


def decided_rules() -> list[tuple[int, int]]:
    """Return proposed rules, by merchant and id, about which those asked have said something."""
    waiting = list(Rule.objects.filter(state="proposed").values_list("merchant_id", "id"))
    return _decided([(merchant_id, id_, f"split_rule/{id_}") for merchant_id, id_ in waiting])


def _decided(waiting: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    states = approval_queries.states_of([(merchant_id, subject) for merchant_id, _, subject in waiting])
    return [(m, id_) for m, id_, subject in waiting if states.get((m, subject), "open") != "open"]
