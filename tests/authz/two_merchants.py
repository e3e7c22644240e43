"""Two merchants alike, with one of everything that the API knows, and somebody for every role and key."""

import json
import time
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID, uuid4

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.test import Client

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.buyers import actions as buyers
from houfu.channels.port import Bond
from houfu.imports import work as imports
from houfu.jobs import actions as jobs
from houfu.jobs import exports, runner
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.limits import actions as limits
from houfu.limits.models import Filing
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.merchants.models import Store
from houfu.orders import actions as orders
from houfu.payouts import actions as payouts
from houfu.people import actions as people
from houfu.people import rules as people_rules
from houfu.people.actor import KEY_SCOPES, Actor, operator
from houfu.people.sign_in import sessions
from houfu.risk import actions as risk
from houfu.risk.models import Alert, Decision
from houfu.splits import actions as splits
from houfu.splits.rules import Wanted
from houfu.testing.company import PAYLOAD, answer, passkey
from houfu.testing.passkeys import b64
from houfu.testing.world import (
    MERCHANT_SCOPES,
    OPERATOR,
    WORKER,
    at_work,
    new_identity,
    new_uscc,
    open_shop,
    share_on,
    signed_pool,
)
from houfu.webhooks import actions as webhooks
from houfu.webhooks.models import Delivery

LI, CHEN = operator("li"), operator("chen")
RULE = "device_frequency"
BOUND = ("clerk", "store_manager")
STAFF = (*BOUND, "regional_manager", "owner", "supervisor", "legal", "finance", "risk_officer", "auditor")
READING = frozenset(scope for scope in MERCHANT_SCOPES if scope.endswith(":read"))
KEYS = {
    "key_all": MERCHANT_SCOPES - {"risk:write"},
    "key_read": READING,
    "key_orders": {"orders:read", "orders:write"},
}


@dataclass
class Caller:
    """Somebody who sends requests: by a key, by a session, or by nothing."""

    merchant_id: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    session: sessions.SessionStore | None = None

    def prove(self, seconds_ago: float = 0) -> None:
        """Have used a passkey so many seconds ago."""
        if self.session is not None:
            used = {"method": "mfa", "type": "webauthn", "at": time.time() - seconds_ago}
            self.session[AUTHENTICATION_METHODS_SESSION_KEY] = [used]
            self.session.save()

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Send a request and return status and body."""
        http = Client(raise_request_exception=False, SERVER_NAME="localhost", headers=self.headers)
        content = "" if body is None else json.dumps(body)
        said = http.generic(method, f"/v1{path}", content, "application/json")
        return said.status_code, said.getvalue().decode()


def signed_in(by) -> Caller:
    """Open a session for a member of the staff, as signing in by a passkey would."""
    user = User(username=f"{by.merchant_id or 0}-{by.staff_id}")
    user.set_unusable_password()
    user.save(force_insert=True)
    db.rows("INSERT INTO people_login VALUES (%s, %s, %s)", [user.pk, by.merchant_id or 0, by.staff_id])
    session = sessions.SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    sessions.begin(session, people_rules.idle(by.role))
    caller = Caller(by.merchant_id, session=session)
    caller.prove()
    UserSession.objects.create(user=user, session_key=session.session_key, ip="192.0.2.1", user_agent="tests")
    caller.headers["X-Session-Token"] = session.token
    return caller


def with_key(merchant_id, scopes) -> tuple[Caller, int]:
    key, token = people.create_key(
        by=OPERATOR, merchant_id=merchant_id, name="erp", person="erp", scopes=sorted(scopes)
    )
    return Caller(merchant_id or None, {"Authorization": f"Bearer {token}"}), key.id


class Ground:
    """A merchant and its things by name: its own store's, another store's, each in the states that the lines need."""

    def __init__(self) -> None:
        self.shop = open_shop(stores=15)
        self.merchant_id, self.stores = self.shop.merchant_id, self.shop.stores
        self.own: dict[str, object] = {"merchant": self.merchant_id, "channel_account": self.shop.account_id}
        self.other: dict[str, object] = {}
        self.hire()
        self.open_stores()
        self.bind()
        self.sell()
        self.share()
        self.ask()
        self.approve()
        self.convert()
        self.look()
        self.listen()
        self.export()
        self.take_in()

    def hire(self) -> None:
        shop, bound = self.shop, [self.stores[0], self.stores[2]]
        self.people = {role: shop.hire(role, stores=bound if role in BOUND else None) for role in STAFF[:3]}
        self.people["owner"] = shop.owner
        self.people |= {role: shop.hire(role) for role in STAFF[4:]}
        self.asker = shop.hire("store_manager", stores=bound)
        self.own["staff"] = shop.hire("clerk", stores=bound).staff_id
        self.own["approver"] = shop.hire("legal").staff_id
        disabled = shop.hire("auditor").staff_id
        people.disable(by=shop.owner, merchant_id=self.merchant_id, id=disabled, reason="离职")
        self.own["staff_disabled"] = disabled

    def open_stores(self) -> None:
        a, b, owing, joining, alone, frozen, *measured, elsewhere, cold, bare, drafted, reviewed, submitted = (
            self.stores
        )
        self.measured = measured
        self.own |= {
            "store": a, "store_owing": owing, "store_joining": joining, "store_alone": alone, "store_frozen": frozen,
        }  # fmt: skip
        self.other["store"] = b
        self.drafted = drafted, reviewed, submitted
        share_on(self.shop, joining)
        groups = [self._group(*stores) for stores in ((a, b, owing, joining), (elsewhere,), (cold,), (bare,))]
        self.own["group"], self.own["group_bare"] = groups[0], groups[3]
        pools = [self._pool(groups[0], a, b, owing), self._pool(groups[1], elsewhere), self._pool(groups[2], cold)]
        self.own["pool"], self.other["pool"], self.own["pool_frozen"] = pools
        limits.freeze_pool(by=self.shop.owner, merchant_id=self.merchant_id, id=pools[2])
        with clocks.standing_at(clocks.SteppedClock(clocks.now() - timedelta(days=1))):
            self.own["emergency"] = self._emergency(owing, settled=3)
        self.other["emergency"] = self._emergency(elsewhere)
        self.own["pool_static"] = pools[2]
        for pool_id, things in ((pools[0], self.own), (pools[1], self.other)):
            self._follow(pool_id, things)
        merchants.freeze_store(by=LI, merchant_id=self.merchant_id, id=frozen, reason="disputes")

    def _follow(self, pool_id: int, things: dict[str, object]) -> None:
        """Let a pool be dynamic, with an adjustment and a table of bands that wait, and one each that was rejected."""
        key = {"by": self.shop.owner, "merchant_id": self.merchant_id}
        limits.set_dynamic(**key, pool_id=pool_id, base_fen=10**9)
        until = clocks.now() + timedelta(days=3)
        for name in ("adjustment_rejected", "adjustment"):
            made = limits.propose(
                **key, pool_id=pool_id, kind="manual", amount_fen=100, valid_from=clocks.now(), valid_until=until,
                reason="备货", source={},
            )  # fmt: skip
            things[name] = made.id
        for name in ("bands_rejected", "bands"):
            things[name] = limits.propose_bands(**key, pool_id=pool_id, reason="早晚市", source={}).id
        limits.reject_adjustment(**key, id=things["adjustment_rejected"])
        limits.reject_bands(**key, id=things["bands_rejected"])

    def _emergency(self, store_id: int, *, settled: int = 0) -> int:
        """Let an emergency begin in a store, of which restoration may be applied for the day after."""
        by, m = self.shop.owner, self.merchant_id
        limits.reduce(by=LI, merchant_id=m, store_id=store_id, amount_fen=100_000, reason="复核")
        begun = limits.begin_emergency(by=by, merchant_id=m, store_id=store_id, amount_fen=100_000)
        for _ in range(settled):
            self.shop.place(1_000, store=store_id)
            self.shop.receive()
            self.shop.settle({self.shop.placed[0]: 1_000})
        return begun.id

    def share(self) -> None:
        """Have a change proposed and a filing in every state that a line needs, a pool drawn up, and one closed."""
        by, m, large = self.shop.assistant, self.merchant_id, 50_000_001
        drafted, reviewed, submitted = self.drafted
        pools = {"pool_reviewed": reviewed, "pool_submitted": submitted, "pool_closed": drafted}
        found = {name: self._pool(self._group(store), store) for name, store in pools.items()}
        limits.wind_down(by=by, merchant_id=m, pool_id=found["pool_closed"])
        group_id = Store.objects.get(merchant_id=m, id=drafted).group_id
        draft = limits.open_pool(by=by, merchant_id=m, group_id=group_id, share=3).id
        limits.join_pool(by=by, merchant_id=m, pool_id=draft, store_id=drafted)
        self.own |= {"pool_draft": draft, "pool_closed": found["pool_closed"]}
        filed = {
            "filing": self.own["pool"], "filing_drafting": self.own["pool_frozen"],
            "filing_reviewed": found["pool_reviewed"], "filing_submitted": found["pool_submitted"],
        }  # fmt: skip
        for name, pool_id in filed.items():
            limits.grant_pool(by=OPERATOR, merchant_id=m, pool_id=pool_id, amount_fen=large)
            self.own[name] = Filing.objects.get(merchant_id=m, pool_id=pool_id).id
        limits.grant_pool(by=OPERATOR, merchant_id=m, pool_id=self.other["pool"], amount_fen=large)
        self.other["filing"] = Filing.objects.get(merchant_id=m, pool_id=self.other["pool"]).id
        for name in ("filing_drafting", "filing_reviewed", "filing_submitted"):
            limits.draft_filing(by=by, merchant_id=m, id=self.own[name])
        for name in ("filing_reviewed", "filing_submitted"):
            id_ = self.own[name]
            limits.review_filing(by=by, merchant_id=m, id=id_, purpose="共用备货额度", contact="王芳")
            self.shop.agree(f"filing/{id_}")
        limits.submit_filing(by=by, merchant_id=m, id=self.own["filing_submitted"], reference="BA-1")
        a, b, owing, *_ = self.stores
        limits.suspend_member(by=by, merchant_id=m, pool_id=self.own["pool"], store_id=owing, reason="盘点")
        self.own["change"] = limits.propose_move(
            by=by, merchant_id=m, pool_id=self.own["pool"], store_id=a, to_store_id=b, amount_fen=100, reason="跨店调货"
        ).id
        self.other["change"] = limits.propose_share(
            by=by, merchant_id=m, pool_id=self.other["pool"], share=2, reason="跨店调货"
        ).id

    def _group(self, *stores: int) -> int:
        made = merchants.form_group(
            by=self.shop.owner, merchant_id=self.merchant_id, name="华东", channel_account_id=self.shop.account_id,
            store_ids=stores,
        )  # fmt: skip
        return made.id

    def _pool(self, group_id: int, *stores: int) -> int:
        return signed_pool(self.shop, group_id, stores, share=3)

    def bind(self) -> None:
        """Have a supplier and a carrier, and a rule in two stores by which the supplier gets a tenth."""
        shop, m, finance = self.shop, self.merchant_id, self.people["finance"]
        account = merchant_queries.channel_account(m, shop.account_id)
        splits.note_cap(by=WORKER, account=account, permille=900)
        for name, relation in (("party", "supplier"), ("carrier", "carrier"), ("party_revoked", "supplier")):
            party = splits.register(
                by=finance, merchant_id=m, relation=relation, kind="alipay", purpose_class="supplier_payment",
                holder="某某", account=f"{name}@mill.example", contract="HT", valid_from=date(2025, 1, 1),
                valid_until=date(2025, 12, 31),
            )  # fmt: skip
            shop.agree(f"party/{party.id}")
            splits.follow_confirmation(by=WORKER, merchant_id=m, id=party.id)
            bound = splits.bind(by=finance, merchant_id=m, id=party.id, channel_account_id=shop.account_id)
            splits.note_bond(by=WORKER, merchant_id=m, id=bound.id, bond=Bond.BOUND)
            self.own[name] = party.id
        splits.revoke(by=finance, merchant_id=m, id=self.own["party_revoked"])
        for store in self.stores[:2]:
            rule = self._rule(store)
            shop.agree(f"split_rule/{rule}")
            splits.follow_agreement(by=WORKER, merchant_id=m, id=rule)
        self.own["split_rule_off"] = self._rule(self.own["store_alone"])
        splits.call_off(by=finance, merchant_id=m, id=self.own["split_rule_off"])
        self.own["split_rule"] = self._rule(self.own["store_alone"])
        agreed = splits.agree_logistics(
            by=OPERATOR, merchant_id=m, carrier_id=self.own["carrier"], channel_account_id=shop.account_id,
            document="WL", valid_from=date(2025, 1, 1), valid_until=date(2025, 12, 31),
        )  # fmt: skip
        self.own["agreement"] = agreed.id

    def _rule(self, store: int) -> int:
        shares = [Wanted(self.own["party"], permille=100)]
        by = self.people["finance"]
        return splits.propose(by=by, merchant_id=self.merchant_id, store_id=store, shares=shares).id

    def sell(self) -> None:
        shop, (a, b, *_) = self.shop, self.stores
        for store, things in ((a, self.own), (b, self.other)):
            things["order_split"] = shop.earn(500_000, store=store)[0]
            things["order"] = shop.place(1_000, store=store)[0].id
        self.own["order_cancelled"] = shop.place(1_000, store=a)[0].id
        orders.cancel(by=shop.owner, merchant_id=self.merchant_id, steps=shop.steps(self.own["order_cancelled"]))
        shop.place(9_000_000, store=self.own["store_joining"])  # enough of their limits for an alert each (K1)
        shop.place(9_000_000, store=self.own["store_alone"])

    def ask(self) -> None:
        shop, (a, b, *_) = self.shop, self.stores
        self.own["beneficiary_revoked"] = shop.payee().id
        payouts.revoke(by=shop.owner, merchant_id=self.merchant_id, id=self.own["beneficiary_revoked"])
        unverified = payouts.register(
            by=OPERATOR, merchant_id=self.merchant_id, kind="alipay", purpose_class="goods_settlement",
            holder="某某", account="unverified@shop.example",
        )  # fmt: skip
        self.own["beneficiary_confirmed"] = unverified.id
        self.own["beneficiary"] = shop.payee().id
        asked = [shop.request(10_000, store=store) for store in (a, b, a)]
        self.own["payout"], self.other["payout"], self.own["payout_cancelled"] = (payout.id for payout in asked)
        payouts.cancel(by=shop.owner, merchant_id=self.merchant_id, id=asked[2].id)

    def approve(self) -> None:
        supervisor, key = self.people["supervisor"], passkey()
        people.add_passkey(
            by=supervisor, merchant_id=self.merchant_id, staff_id=supervisor.staff_id,
            credential_id=key.credential_id, public_key=key.public_key, rp_id=key.rp_id,
        )  # fmt: skip
        self.own["approval"] = self._request(self.asker, "supervisor")
        self.own["approval_asked"] = self._request(self.people["regional_manager"], "legal")
        closed = self._request(self.people["regional_manager"], "supervisor")
        approvals.withdraw(by=self.people["regional_manager"], merchant_id=self.merchant_id, id=closed)
        self.own["approval_closed"] = closed
        shown = approval_queries.challenge(supervisor, self.merchant_id, self.own["approval"])
        self.own["assertion"] = {name: b64(part) for name, part in vars(answer(key, shown.challenge)).items()}
        lent = approvals.delegate(
            by=self.shop.hire("finance"), merchant_id=self.merchant_id,
            delegate_staff_id=self.people["risk_officer"].staff_id, ends_at=clocks.now() + timedelta(days=2),
        )  # fmt: skip
        self.own["delegation"] = lent.id

    def convert(self) -> None:
        m, main = self.merchant_id, self.shop.account_id
        jd, tmall, free = (
            merchants.open_channel_account(by=LI, merchant_id=m, channel=channel, principal=self.shop.principal).id
            for channel in ("jd", "tmall", "douyin")
        )
        self.own |= {"account_other": jd, "account_free": free, "store_giving": self.stores[-1]}
        taking = merchants.open_store(by=LI, merchant_id=m, code="JD", name="京东店", channel_account_id=jd)
        self.own["store_taking"] = taking.id
        self.own["recognition"] = self._recognition(main, jd)
        for account in (main, jd):
            self.shop.agree(f"recognition/{self.own['recognition']}/{account}")
            limits.accept_document(
                by=CHEN, merchant_id=m, id=self.own["recognition"], channel_account_id=account
            )  # fmt: skip
        limits.follow_recognition(by=WORKER, merchant_id=m, id=self.own["recognition"])
        self.own["recognition_refused"] = self._recognition(main, tmall)
        limits.refuse_recognition(by=CHEN, merchant_id=m, id=self.own["recognition_refused"], note="资质已过期")
        self.own["recognition_open"] = self._recognition(main, tmall)
        asked = [
            limits.convert(
                by=LI, merchant_id=m, from_store_id=self.stores[-1], to_store_id=taking.id, amount_fen=100
            ).id
            for _ in range(2)
        ]  # fmt: skip
        self.own["conversion"], self.own["conversion_refused"] = asked
        limits.refuse_conversion(by=CHEN, merchant_id=m, id=asked[1], note="不再需要")

    def _recognition(self, *accounts: int) -> int:
        documents = [limits.Document(account, "商家资质", "0" * 64) for account in accounts]
        return limits.propose_recognition(by=LI, merchant_id=self.merchant_id, documents=documents).id

    def _request(self, by, role: str) -> UUID:
        id_ = uuid4()
        approvals.open(
            by=by, merchant_id=self.merchant_id, id=id_, subject=f"payout/{uuid4()}", version=1, payload=PAYLOAD,
            editors=[], chain=[role], expires_at=clocks.now() + timedelta(days=3),
        )  # fmt: skip
        return id_

    def look(self) -> None:
        m, (a, b, owing, *_) = self.merchant_id, self.stores
        risk.look(by=WORKER, merchant_id=m)
        self.own["alert"], self.own["alert_seen"] = Alert.objects.filter(merchant_id=m).values_list("id", flat=True)[:2]
        risk.acknowledge(by=LI, merchant_id=m, id=self.own["alert_seen"])
        self.own["decision"] = Decision.objects.filter(merchant_id=m)[0].id
        self.own["case"] = self._case(f"store/{a}")
        self.own["case_investigated"] = self._case(f"store/{b}", "investigate")
        self.own["case_waiting"] = self._case(f"store/{owing}", "investigate")
        risk.wait(by=LI, merchant_id=m, id=self.own["case_waiting"], note="等材料到齐", until=clocks.now())
        self.own["case_decided"] = self._case(f"merchant/{m}", "investigate", outcome="clear")
        measures = [self._case(f"store/{store}", "investigate", outcome="freeze") for store in self.measured]
        self.own["case_measure"] = measures[0]
        appeals = [
            risk.appeal(by=self.shop.owner, merchant_id=m, case_id=case, grounds="一批破损的货")
            for case in measures[1:]
        ]
        self.own["appeal"], self.own["appeal_in_review"] = (appeal.id for appeal in appeals)
        risk.take_up(by=CHEN, merchant_id=m, id=appeals[1].id)
        packages = [risk.make_package(by=LI, merchant_id=m, case_id=self.own["case_decided"]).id for _ in range(2)]
        self.own["package"], self.own["package_rejected"] = packages
        risk.reject_package(by=CHEN, merchant_id=m, id=packages[1], note="材料不全")

    def _case(self, subject: str, *steps: str, outcome: str = "") -> int:
        m = self.merchant_id
        case_id = risk.open_case(by=LI, merchant_id=m, subject=subject, reason_class="disputes").id
        for step in steps:
            getattr(risk, step)(by=LI, merchant_id=m, id=case_id)
        if outcome:
            risk.decide(by=LI, merchant_id=m, id=case_id, outcome=outcome, note="已查明情况")
        return case_id

    def let_in(self, visitor: Actor) -> None:
        by, m = replace(visitor, duty=self.merchant_id), self.merchant_id
        grants = [people.ask_access(by=by, merchant_id=m, reason="排查", hours=1).id]
        people.refuse_access(by=self.shop.owner, merchant_id=m, id=grants[0])
        grants.append(people.ask_access(by=by, merchant_id=m, reason="排查", hours=1).id)
        self.own["grant_refused"], self.own["grant"] = grants

    def listen(self) -> None:
        m, owner = self.merchant_id, self.shop.owner
        endpoints = [
            webhooks.add(by=owner, merchant_id=m, url=f"https://hooks.example.com/{name}", verbs=["*"])[0].id
            for name in ("on", "off")
        ]
        self.own["endpoint"], self.own["endpoint_disabled"] = endpoints
        webhooks.disable(by=owner, merchant_id=m, id=endpoints[1])
        for _ in range(2):
            webhooks.test(by=owner, merchant_id=m, id=endpoints[0])
        webhooks.follow()
        told = Delivery.objects.filter(merchant_id=m, endpoint_id=endpoints[0]).order_by("id").values_list("id")
        (self.own["delivery"],), (self.own["delivery_pending"],) = told[:2]
        webhooks.conclude(
            by=WORKER, ended=[webhooks.Ended(m, self.own["delivery"], webhooks.Answer("delivered", 204, 5))]
        )
        _, self.own["key"] = with_key(m, {"orders:read"})

    def export(self) -> None:
        for name, by in (
            ("job", self.shop.owner), ("job_done", self.shop.owner), ("job_waiting", self.people["regional_manager"]),
            ("job_asked", self.people["store_manager"]), ("job_cancelled", self.shop.owner),
            ("job_history", self.shop.owner),
        ):  # fmt: skip
            asked = exports.ask(
                by=by, merchant_id=self.merchant_id, what="history" if name == "job_history" else "orders",
                format="csv", filters={}, reason="对账",
            )  # fmt: skip
            self.own[name] = asked.id
        jobs.cancel(by=self.shop.owner, merchant_id=self.merchant_id, id=self.own["job_cancelled"])
        for name in ("job_done", "job_asked"):
            runner.finish(self.merchant_id, self.own[name])

    def take_in(self) -> None:
        said = {
            "by": self.shop.owner,
            "merchant_id": self.merchant_id,
            "mapping_text": imports.mapping_text("events", ""),
        }
        for name in ("import", "import_done"):
            content = f"kind,order_id,at\nreceived,{name},2025-11-10T10:00:00\n".encode()
            self.own[name] = imports.take(uploads=[imports.Upload("events.csv", content)], **said).id
        asked = imports.ask(by=self.shop.owner, merchant_id=self.merchant_id, import_id=self.own["import_done"])
        runner.finish(self.merchant_id, asked.id)


@dataclass
class World:
    """Two grounds, ours and a stranger's, the platform's things, and everybody who calls by name."""

    ours: Ground
    theirs: Ground
    callers: dict[str, Caller]
    shared: dict[str, object]


def _versions() -> dict[str, object]:
    """Put a rule's version on record in every state that a line needs."""
    versions = [
        risk.draft(by=LI, rule=RULE, parameters={"device_payouts": n}, why="更严一些").version for n in (2, 3, 4)
    ]
    draft, tested, retired = versions
    day = clocks.business_day(clocks.now()) - timedelta(days=1)
    risk.watch(by=LI, rule=RULE, version=tested)
    risk.backtest(by=LI, rule=RULE, version=tested, first=day, last=day)
    risk.retire(by=LI, rule=RULE, version=retired)
    return {"rule_draft": draft, "rule_tested": tested, "rule_retired": retired}


def _callers(ours: Ground, visitor: Actor) -> dict[str, Caller]:
    m, shop = ours.merchant_id, ours.shop
    callers = {"anonymous": Caller(m)}
    callers |= {role: signed_in(by) for role, by in ours.people.items()}
    callers |= {name: with_key(m, scopes)[0] for name, scopes in KEYS.items()}
    _, token = splits.create_key(
        by=OPERATOR, merchant_id=m, party_id=ours.own["party"], name="mill", store_ids=[ours.own["store"]]
    )
    callers["key_partner"] = Caller(m, {"Authorization": f"Bearer {token}"})
    callers["key_platform"], _ = with_key(0, KEY_SCOPES)
    callers["operator"] = operator_ = signed_in(visitor)
    let_in = people.ask_access(
        by=replace(visitor, duty=m), merchant_id=m, reason="排查", hours=8, scopes=sorted(people_rules.GRANTABLE)
    )
    people.give_access(by=shop.owner, merchant_id=m, id=let_in.id)
    callers["operator_let_in"] = Caller(m, {**operator_.headers, "Houfu-Grant": str(let_in.id)}, operator_.session)
    gone, moved = shop.hire("owner"), shop.hire("owner")
    callers["session_disabled"], callers["session_of_old_role"] = signed_in(gone), signed_in(moved)
    people.disable(by=shop.owner, merchant_id=m, id=gone.staff_id, reason="离职")
    people.change(by=shop.owner, merchant_id=m, id=moved.staff_id, settings=people.Settings("auditor"))
    callers["key_revoked"], key_id = with_key(m, KEYS["key_all"])
    people.revoke_key(by=OPERATOR, merchant_id=m, id=key_id)
    return callers


def open_world() -> World:
    """Put it all together, as of the clock that is read."""
    first, _ = people.create_owner(by=OPERATOR, merchant_id=0, name="平台", identity=new_identity())
    second, _ = people.invite(
        by=OPERATOR, merchant_id=0, name="平台", identity=new_identity(), settings=people.Settings("operator")
    )
    visitor, other = at_work(first), at_work(second)
    ours, theirs = Ground(), Ground()
    buyers.score(by=OPERATOR, channel="simulator", buyer="buyer-7", score=600, scored_at=clocks.now())
    for ground in (ours, theirs):
        ground.let_in(other)
    uscc = new_uscc()
    fresh = merchants.register(by=OPERATOR, name="杭州某某服饰有限公司", uscc=uscc)
    asked = merchants.register(by=OPERATOR, name="苏州某某服饰有限公司", uscc=new_uscc()).merchant_id
    people.ask_access(by=replace(visitor, duty=asked), merchant_id=asked, reason="排查", hours=1)
    shared = {
        **_versions(),
        "merchant_new": fresh.merchant_id,
        "merchant_asked": asked,
        "uscc_taken": uscc,
        "uscc": new_uscc(),
    }
    return World(ours, theirs, _callers(ours, visitor), shared)
