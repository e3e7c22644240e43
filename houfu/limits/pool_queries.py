"""Reading what pools are signed for, changed by and filed under, and what emergencies wait for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db.models import Q

from houfu.approvals import queries as approvals
from houfu.approvals.challenge import canonical
from houfu.kernel import db
from houfu.kernel.errors import NotFound
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits import pooling, queries
from houfu.limits.models import Change, Emergency, Filing, Member, Pool
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor

RUNNING = ("begun", "repaying", "restoration_open", "in_review")


def lock_pool(merchant_id: int, id: int) -> Pool:
    """Return a pool and hold it until the action ends."""
    found = Pool.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def candidate(pool: Pool, store_id: int) -> pooling.Candidate:
    """Return what decides whether a store may be a member of a pool (G1, G2)."""
    store = merchants.store(pool.merchant_id, store_id)
    return pooling.Candidate(
        store_id=store_id,
        sharing=store.sharing,
        store_state=store.state,
        of_group=store.group_id == pool.group_id,
        uscc_verified=merchants.merchant(pool.merchant_id).uscc_verified_at is not None,
    )


def pool_document(pool: Pool) -> dict[str, Any]:
    """Return what the legal representative signs for: the pool as it is now (G2)."""
    return {
        **_legal(pool),
        "share": pool.share,
        "members": [
            {
                "store_id": each.store_id,
                "store": _named(pool.merchant_id, each.store_id),
                "contribution_fen": each.contributed_fen,
            }
            for each in queries.members(pool.merchant_id, pool.id)
        ],
    }  # fmt: skip


def _legal(pool: Pool) -> dict[str, Any]:
    """Return whose pool it is: legal person, code, group, principal."""
    merchant, group = merchants.merchant(pool.merchant_id), merchants.group(pool.merchant_id, pool.group_id)
    account = merchants.channel_account(pool.merchant_id, group.channel_account_id)
    return {
        "pool_id": pool.id,
        "legal_person": merchant.name,
        "uscc": merchant.uscc,
        "group_id": group.id,
        "group": group.name,
        "channel": account.channel,
        "principal": account.principal,
    }


def _named(merchant_id: int, store_id: int) -> str:
    return merchants.store(merchant_id, store_id).name


def written(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return a document as it is kept, and its digest: SHA-256 of that text, in hexadecimal."""
    text = canonical(document)
    return text, sha256(text.encode()).hexdigest()


def read(text: str) -> dict[str, Any]:
    """Return the document that a text is."""
    found: dict[str, Any] = json.loads(text)
    return found


def share_at(pool: Pool, at: datetime) -> int:
    """Return the ratio that a pool had at an instant: old decisions keep the share that they were made by (G8)."""
    changed = Change.objects.filter(merchant_id=pool.merchant_id, pool_id=pool.id, kind="share", state="effective")
    later = changed.filter(took_effect_at__gt=at).order_by("took_effect_at", "id").first()
    return pool.share if later is None else later.share_before or 0


def signatures_waited_for() -> list[tuple[int, int]]:
    """Return the pools about which their legal representatives have decided, of all merchants, as (merchant, id)."""
    return _decided("pool", Pool.objects.filter(state="awaiting_signature"))


def changes_waited_for(at: datetime) -> list[tuple[int, int]]:
    """Return the changes that have been decided on and are due, of all merchants."""
    found = Change.objects.filter(Q(state="proposed") | Q(state="signed", effective_at__lte=at))
    return _decided("limit_change", found)


def reviews_waited_for() -> list[tuple[int, int]]:
    """Return the filings whose review is over and that wait for their merchants to say so, of all merchants."""
    found = Filing.objects.filter(state="in_review")
    return [each for each in _decided("filing", found) if _state("filing", each) != "approved"]


def applications_waited_for() -> list[tuple[int, int]]:
    """Return the emergencies whose review is over, of all merchants."""
    return _decided("emergency", Emergency.objects.filter(state="in_review"))


def _decided(noun: str, rows: Any) -> list[tuple[int, int]]:
    waiting = list(rows.order_by("merchant_id", "id").values_list("merchant_id", "id"))
    said = approvals.states_of([(merchant_id, f"{noun}/{id}") for merchant_id, id in waiting])
    return [(m, id) for m, id in waiting if said.get((m, f"{noun}/{id}"), "open") != "open"]


def _state(noun: str, of: tuple[int, int]) -> str:
    merchant_id, id = of
    return approvals.states_of([(merchant_id, f"{noun}/{id}")]).get((merchant_id, f"{noun}/{id}"), "")


def winding_down() -> list[tuple[int, int]]:
    """Return the pools that wind down, of all merchants."""
    found = Pool.objects.filter(state="winding_down").order_by("merchant_id", "id")
    return list(found.values_list("merchant_id", "id"))


def unfiled(figure_fen: int) -> list[tuple[int, int]]:
    """Return the pools that hold more than a figure and have raised no filing, of all merchants (G10)."""
    rows = db.rows(
        "SELECT merchant_id, id FROM limits_pool p WHERE state IN ('active', 'frozen') AND limit_fen > %s AND NOT"
        " EXISTS (SELECT FROM limits_filing f WHERE (f.merchant_id, f.pool_id) = (p.merchant_id, p.id)) ORDER BY 1, 2",
        [figure_fen],
    )
    return [(row.merchant_id, row.id) for row in rows]


def probations_over(at: datetime) -> Iterable[Member]:
    """Return members whose probation is over and not yet marked so, held until the action ends."""
    found = Member.objects.select_for_update(no_key=True).filter(state="probation", probation_until__lte=at)
    return found.order_by("merchant_id", "id")


def reaches_over(at: datetime) -> Iterable[Member]:
    """Return members whose reach beyond the ratio has ended, held until the action ends."""
    found = Member.objects.select_for_update(no_key=True).filter(extra_fen__gt=0, extra_until__lte=at)
    return found.order_by("merchant_id", "id")


def proposal(pool: Pool, kind: str, at: datetime, said: Mapping[str, Any]) -> pooling.Proposal:
    """Return what decides whether a change of a pool may be."""
    drawing = Member.present.filter(merchant_id=pool.merchant_id, pool_id=pool.id, state__in=["probation", "active"])
    giving = Account("q:own:free", said.get("store_id") or 0)
    return pooling.Proposal(
        kind=kind,
        pool_state=pool.state,
        pool_limit_fen=pool.limit_fen,
        share_before=pool.share,
        members=frozenset(drawing.values_list("store_id", flat=True)),
        in_group=merchants.stores_of_group(pool.merchant_id, pool.group_id),
        at=at,
        share=said.get("share") or 0,
        store_id=said.get("store_id") or 0,
        to_store_id=said.get("to_store_id") or 0,
        amount_fen=said.get("amount_fen") or 0,
        free_fen=ledger.balances(pool.merchant_id, owner=giving.owner).get(giving, 0) if kind == "move" else 0,
        ends_at=said.get("ends_at"),
    )


def keep(change: Change) -> int:
    """Insert a change, and return the number that it got."""
    names = [f.attname for f in change._meta.concrete_fields if f.attname not in ("pk", "id")]
    columns, places = ", ".join(names), ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO limits_change ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608  the model's
    return int(db.rows(statement, [getattr(change, name) for name in names])[0].id)


def change_document(change: Change, pool: Pool) -> dict[str, Any]:
    """Return what is signed of a change: whose it is, what it is to be, and from when on (G8, G9)."""
    m = change.merchant_id
    stores = {"store_id": change.store_id, "to_store_id": change.to_store_id}
    numbers = {"amount_fen": change.amount_fen, "share_before": change.share_before, "share": change.share}
    return {
        **_legal(pool),
        "change_id": change.id,
        "kind": change.kind,
        **{name: value for name, value in (stores | numbers).items() if value is not None},
        **{name.removesuffix("_id"): _named(m, store) for name, store in stores.items() if store is not None},
        "effective_at": _at(change.effective_at),
        **({"ends_at": _at(change.ends_at)} if change.ends_at else {}),
        "reason": change.reason,
    }


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def filing_facts(pool: Pool, filing: Filing) -> dict[str, Any]:
    """Return the facts that the form asks for, as they are now (G10)."""
    return {
        **pool_document(pool),
        "limit_fen": pool.limit_fen,
        "granted_fen": pool.granted_fen,
        "figure_fen": filing.figure_fen,
        "triggered_at": _at(filing.triggered_at),
    }


def changes(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[Change]:
    """Return the changes of the pools that the actor may see, newest first."""
    return _of_pools(by, merchant_id, Change, before, limit)


def access_change(by: Actor, merchant_id: int, id: int) -> Change:
    """Return a change of a pool that the actor may see."""
    found: Change = _of_pool(by, "limits:read", merchant_id, Change, id)
    return found


def filings(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[Filing]:
    """Return the filings of the pools that the actor may see, newest first."""
    return _of_pools(by, merchant_id, Filing, before, limit)


def access_filing(by: Actor, scope: str, merchant_id: int, id: int) -> Filing:
    """Return the filing of a pool that the actor may see, and may do `scope` to."""
    found: Filing = _of_pool(by, scope, merchant_id, Filing, id)
    return found


def lock_filing(merchant_id: int, id: int) -> Filing:
    """Return a filing and hold it until the action ends."""
    found: Filing = Filing.objects.select_for_update(no_key=True).get(merchant_id=merchant_id, id=id)
    return found


def _of_pools(by: Actor, merchant_id: int, model: Any, before: int | None, limit: int) -> list[Any]:
    seen = [pool.id for pool in queries.pools(by, merchant_id)]
    found = model.objects.filter(merchant_id=merchant_id, pool_id__in=seen)
    if before is not None:
        found = found.filter(id__lt=before)
    return db.page(found.order_by("-id"), limit)


def _of_pool(by: Actor, scope: str, merchant_id: int, model: Any, id: int) -> Any:
    by.require(scope, merchant_id)
    found = model.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    queries.access_pool(by, scope, merchant_id, found.pool_id)
    return found


def emergencies(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[Emergency]:
    """Return the emergencies of the stores that the actor may see, newest first."""
    by.require("limits:read", merchant_id)
    found = Emergency.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if before is not None:
        found = found.filter(id__lt=before)
    return db.page(found.order_by("-id"), limit)


def access_emergency(by: Actor, scope: str, merchant_id: int, id: int) -> Emergency:
    """Return an emergency of a store that the actor may see, and may do `scope` to."""
    by.require(scope, merchant_id)
    found = Emergency.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    by.require(scope, merchant_id, found.store_id)
    return found


def emergencies_repaying(merchant_id: int, store_ids: Sequence[int], at: datetime) -> Iterable[Emergency]:
    """Return emergencies of some stores that wait for orders to settle in time, held until the action ends."""
    found = Emergency.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, store_id__in=store_ids)
    return found.filter(state__in=["begun", "repaying"], opens_at=None, settle_until__gt=at).order_by("store_id")


def emergencies_due(at: datetime) -> Iterable[Emergency]:
    """Return emergencies that open or lapse now, of all merchants, held until the action ends."""
    late = Q(state__in=["begun", "repaying"], opens_at=None, settle_until__lte=at)
    opening = Q(state="repaying", opens_at__lte=at)
    over = Q(state="restoration_open", apply_until__lte=at)
    found = Emergency.objects.select_for_update(no_key=True).filter(late | opening | over)
    return found.order_by("merchant_id", "id")


def reduced(merchant_id: int, store_id: int) -> int:
    """Return what is missing of a store's original limit, in fen."""
    return ledger.balances(merchant_id, owner=store_id).get(Account("q:reduced", store_id), 0)


def application_document(each: Emergency) -> dict[str, Any]:
    """Return what a second person reviews of an emergency (L3)."""
    return {
        "emergency_id": each.id,
        "store_id": each.store_id,
        "store": _named(each.merchant_id, each.store_id),
        "begun_at": _at(each.begun_at),
        "orders_settled": each.settled,
        "amount_fen": each.amount_fen or 0,
    }
