"""Pages of pools: members and who draws what, what is signed, filed and changed."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import queries as approvals
from houfu.console.pages import Form, done, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.limits import actions, pool_queries, queries
from houfu.limits.models import Change, Filing, Pool
from houfu.limits.states import POOL
from houfu.merchants import actions as merchant_actions
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies

HOME = "/console/pools"
SHOWN = 50
_FILED = ("triggered", "drafting", "in_review", "submitted", "accepted")


def may_change(by: Actor) -> bool:
    """Say whether somebody may change a pool: whoever is bound to no store, and may change limits."""
    return "limits:write" in by.scopes and by.stores is None


def listing(request: HttpRequest) -> HttpResponse:
    """List pools with what each holds, and what of it is drawn; and the stores that share or do not."""
    by, merchant_id = actor(request), mine(request)
    snapshot = queries.snapshot(by, merchant_id)
    rooms = {each.pool_id: each for each in snapshot.pools}
    stores = merchants.stores(by, merchant_id)
    found = queries.pools(by, merchant_id)
    groups = {group.id: group for group in merchants.groups(by, merchant_id)}
    pooled = {pool.group_id for pool in found if pool.state != "closed"}
    policy = policies.at(clock.now())
    return show(
        request,
        "limits/pools.html",
        t("共享池"),
        pools=[
            {
                "of": p,
                "room": rooms[p.id],
                "used_fen": p.limit_fen - rooms[p.id].free_fen,
                "group": groups.get(p.group_id),
            }
            for p in found
        ],
        stores=[{"of": s, "at": next((f for f in snapshot.stores if f.store_id == s.id), None)} for s in stores],
        groups=[(group.id, group.name) for group in groups.values() if group.id not in pooled],
        shares=_shares(policy),
        policy=policy,
        may_write=may_change(by),
        may_share="merchants:write" in by.scopes,
    )


def _shares(policy: Any) -> list[tuple[int, str]]:
    return [(share, f"1 : {share}") for share in range(policy.pools.share_min, policy.pools.share_max + 1)]


def detail(request: HttpRequest, id: int) -> HttpResponse:
    """Show a pool: its members and who draws what, the paper, the filing, and changes waiting for a signature."""
    by, merchant_id = actor(request), mine(request)
    pool = queries.access_pool(by, "limits:read", merchant_id, id)
    snapshot = queries.snapshot(by, merchant_id)
    room = next(each for each in snapshot.pools if each.pool_id == id)
    figures = {each.store_id: each for each in snapshot.stores}
    names = {store.id: store.name for store in merchants.stores(by, merchant_id)}
    members = queries.members(merchant_id, id)
    grouped = merchants.stores_of_group(merchant_id, pool.group_id)
    outside = sorted(grouped - {member.store_id for member in members})
    changes = [each for each in pool_queries.changes(by, merchant_id, limit=SHOWN) if each.pool_id == id]
    filings = [each for each in pool_queries.filings(by, merchant_id, limit=SHOWN) if each.pool_id == id]
    policy = policies.at(clock.now())
    return show(
        request,
        "limits/pool.html",
        t("共享池 {id}", id=id),
        crumbs=[(t("共享池"), HOME)],
        pool=pool,
        group=merchants.group(merchant_id, pool.group_id),
        room=room,
        used_fen=pool.limit_fen - room.free_fen,
        members=[{"of": m, "at": figures.get(m.store_id), "name": names.get(m.store_id, "")} for m in members],
        member_ids=[(m.store_id, names.get(m.store_id, str(m.store_id))) for m in members],
        grouped=[(store_id, names.get(store_id, str(store_id))) for store_id in sorted(grouped)],
        outside=[(store_id, names.get(store_id, str(store_id))) for store_id in outside],
        names=names,
        sharing=merchants.sharing(merchant_id),
        paper=_paper(pool),
        changes=[_with_approval(merchant_id, f"limit_change/{each.id}", each) for each in changes],
        filings=[_filing(merchant_id, each) for each in filings],
        approval=approvals.latest(merchant_id, f"pool/{id}") if pool.document else None,
        way=_way(pool),
        chain=" → ".join(label("role", role) for role in policy.pools.signatories),
        confirmers=" → ".join(label("role", role) for role in policy.pools.confirmers),
        shares=_shares(policy),
        policy=policy,
        may_write=may_change(by),
        may_wind_down=may_change(by) and pool.state in POOL["wind_down"][0],
    )


def _paper(pool: Pool) -> dict[str, Any] | None:
    return pool_queries.read(pool.document) if pool.document else None


def _with_approval(merchant_id: int, subject: str, each: Change | Filing) -> dict[str, Any]:
    return {"of": each, "approval": approvals.latest(merchant_id, subject)}


def _filing(merchant_id: int, each: Filing) -> dict[str, Any]:
    """Return a filing with its form and how far it is; one that came back has failed at handing in."""
    names = [label("filing", state) for state in _FILED]
    at = _FILED.index(each.state) if each.state in _FILED else 3
    ended, back = each.state == "accepted", each.state == "returned"
    return {
        **_with_approval(merchant_id, f"filing/{each.id}", each),
        "form": [(label("signed", name), value) for name, value in pool_queries.read(each.form).items()]
        if each.form
        else [],
        "done": names[: at + ended],
        "now": "" if ended or back else names[at],
        "to_come": [] if back else names[at + 1 :],
        "failed": label("filing", "returned") if back else "",
    }


def _way(pool: Pool) -> dict[str, Any]:
    """Return how far along its way a pool is."""
    way = ["draft", "awaiting_signature", "active"]
    if pool.state in ("winding_down", "closed"):
        way += ["winding_down", "closed"]
    names = [label("pool", state) for state in way]
    if pool.state == "frozen":
        return {"done": names[:2], "now": "", "to_come": [], "failed": label("pool", "frozen")}
    at = way.index(pool.state)
    ended = pool.state in ("active", "closed")
    return {"done": names[: at + ended], "now": "" if ended else names[at], "to_come": names[at + 1 :], "failed": ""}


def open_pool(request: HttpRequest) -> HttpResponse:
    """Draw up the shared limit of a group."""
    form = Form.of(request)
    group_id, share = form.number("group_id", t("店组"), least=1), form.number("share", t("比例"))
    form.settle()
    made = actions.open_pool(by=actor(request), merchant_id=mine(request), group_id=group_id, share=share)
    return done(t("已起草，请加入成员后送法人签署。"), go=f"{HOME}/{made.id}")


def sharing(request: HttpRequest, store_id: int, switch: bool) -> HttpResponse:
    """Switch sharing on or off in a store."""
    merchant_actions.set_sharing(by=actor(request), merchant_id=mine(request), id=store_id, sharing=switch)
    return done(t("已保存"), go=HOME)


def join(request: HttpRequest, id: int) -> HttpResponse:
    """Make a store a member, and move part of its own limit into the pool."""
    form = Form.of(request)
    store_id = form.number("store_id", t("店铺"), least=1)
    contribution_fen = form.fen("contribution", t("转入额度"), needed=False)
    form.settle()
    actions.join_pool(
        by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id, contribution_fen=contribution_fen
    )
    return done(t("已加入。"), go=f"{HOME}/{id}")


def leave(request: HttpRequest, id: int, store_id: int) -> HttpResponse:
    """Let a store leave."""
    actions.leave_pool(by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id)
    return done(t("已退出，转入的额度退回店铺。"), go=f"{HOME}/{id}")


def suspend(request: HttpRequest, id: int) -> HttpResponse:
    """Stop one member's new draws."""
    form = Form.of(request)
    store_id, reason = form.number("store_id", t("店铺"), least=1), form.text("reason", t("理由"))
    form.settle()
    actions.suspend_member(by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id, reason=reason)
    return done(t("已暂停这家店的新占用。"), go=f"{HOME}/{id}")


def resume(request: HttpRequest, id: int, store_id: int) -> HttpResponse:
    """Let a suspended member draw again."""
    actions.resume_member(by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id)
    return done(t("已恢复。"), go=f"{HOME}/{id}")


def ask_signature(request: HttpRequest, id: int) -> HttpResponse:
    """Ask the legal representative to sign for a pool as it is drawn up."""
    actions.ask_signature(by=actor(request), merchant_id=mine(request), pool_id=id)
    return done(t("已送签，等待法定代表人签署。"), go=f"{HOME}/{id}")


def freeze(request: HttpRequest, id: int) -> HttpResponse:
    """Stop new draws."""
    actions.freeze_pool(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已冻结，不再接受新的占用。"), go=f"{HOME}/{id}")


def unfreeze(request: HttpRequest, id: int) -> HttpResponse:
    """Let a frozen pool be drawn from again."""
    require_recent(request)
    actions.unfreeze_pool(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已恢复。"), go=f"{HOME}/{id}")


def wind_down(request: HttpRequest, id: int) -> HttpResponse:
    """End a pool."""
    actions.wind_down(by=actor(request), merchant_id=mine(request), pool_id=id)
    return done(t("清退中，占用全部释放后额度退回原处。"), go=f"{HOME}/{id}")


def change_share(request: HttpRequest, id: int) -> HttpResponse:
    """Propose another ratio, for the legal representative to sign."""
    form = Form.of(request)
    share, reason = form.number("share", t("比例")), form.text("reason", t("理由"))
    at = form.instant("effective_at", t("生效时间"), needed=False)
    form.settle()
    actions.propose_share(
        by=actor(request), merchant_id=mine(request), pool_id=id, share=share, reason=reason, effective_at=at
    )
    return done(t("已提出，签署后生效。"), go=f"{HOME}/{id}")


def change_reach(request: HttpRequest, id: int) -> HttpResponse:
    """Propose to let a member draw beyond the ratio for a while."""
    form = Form.of(request)
    store_id, amount_fen = form.number("store_id", t("店铺"), least=1), form.fen("amount", t("金额"))
    ends_at, reason = form.instant("ends_at", t("结束时间")), form.text("reason", t("理由"))
    form.settle()
    assert ends_at
    actions.propose_reach(
        by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id, amount_fen=amount_fen,
        ends_at=ends_at, reason=reason,
    )  # fmt: skip
    return done(t("已提出，签署后生效。"), go=f"{HOME}/{id}")


def change_move(request: HttpRequest, id: int) -> HttpResponse:
    """Propose to move own limit between two stores of the group."""
    form = Form.of(request)
    store_id, to_store_id = (
        form.number("store_id", t("转出店铺"), least=1),
        form.number("to_store_id", t("转入店铺"), least=1),
    )
    amount_fen, reason = form.fen("amount", t("金额")), form.text("reason", t("理由"))
    form.settle()
    actions.propose_move(
        by=actor(request), merchant_id=mine(request), pool_id=id, store_id=store_id, to_store_id=to_store_id,
        amount_fen=amount_fen, reason=reason,
    )  # fmt: skip
    return done(t("已提出，签署后生效。"), go=f"{HOME}/{id}")


def filing_draft(request: HttpRequest, id: int) -> HttpResponse:
    """Begin to write a filing's form."""
    filing = actions.draft_filing(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("可以填写备案表了。"), go=f"{HOME}/{filing.pool_id}")


def filing_review(request: HttpRequest, id: int) -> HttpResponse:
    """Write the form, and ask its reviewers."""
    form = Form.of(request)
    purpose, contact = form.text("purpose", t("池的用途")), form.text("contact", t("负责人"), longest=200)
    form.settle()
    filing = actions.review_filing(
        by=actor(request), merchant_id=mine(request), id=id, purpose=purpose, contact=contact
    )
    return done(t("已送复核。"), go=f"{HOME}/{filing.pool_id}")


def filing_submit(request: HttpRequest, id: int) -> HttpResponse:
    """Say that the reviewed form was handed in."""
    form = Form.of(request)
    reference = form.text("reference", t("提交编号"))
    form.settle()
    filing = actions.submit_filing(by=actor(request), merchant_id=mine(request), id=id, reference=reference)
    return done(t("已记录提交编号，等待受理。"), go=f"{HOME}/{filing.pool_id}")


urlpatterns = [
    path("pools", listing),
    path("pools/open", open_pool),
    path("pools/sharing/<int:store_id>/on", sharing, {"switch": True}),
    path("pools/sharing/<int:store_id>/off", sharing, {"switch": False}),
    path("pools/filings/<int:id>/draft", filing_draft),
    path("pools/filings/<int:id>/review", filing_review),
    path("pools/filings/<int:id>/submit", filing_submit),
    path("pools/<int:id>", detail),
    path("pools/<int:id>/join", join),
    path("pools/<int:id>/suspend", suspend),
    path("pools/<int:id>/members/<int:store_id>/leave", leave),
    path("pools/<int:id>/members/<int:store_id>/resume", resume),
    path("pools/<int:id>/sign", ask_signature),
    path("pools/<int:id>/freeze", freeze),
    path("pools/<int:id>/unfreeze", unfreeze),
    path("pools/<int:id>/wind-down", wind_down),
    path("pools/<int:id>/share", change_share),
    path("pools/<int:id>/reach", change_reach),
    path("pools/<int:id>/move", change_move),
]
