"""A request's life: asked for, signed step by step, refused, called off, overtaken, proven."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.core import context
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import User
from django.db import transaction
from django.test import RequestFactory

from houfu.approvals import actions, queries
from houfu.approvals.queries import NotApproved
from houfu.approvals.tests.signing import bent, everything, refused
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound, Refused
from houfu.people import actions as people
from houfu.people.actions import totp as people_totp
from houfu.people.models import Staff
from houfu.testing.company import PAYLOAD, answer, open_company, passkey
from houfu.testing.world import OPERATOR, WORKER, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.mark.parametrize(
    ("chain", "signers"),
    [
        (("supervisor",), ["zhao"]),
        (("legal",), ["li"]),
        (("owner", "legal"), ["zhou", "sun"]),
        (("supervisor", "legal", "owner"), ["qian", "li", "zhou"]),
    ],
)
def test_a_chain_signs_one_after_another_and_the_whole_is_proven(company, chain, signers):
    request = company.ask(*chain)
    for turn, name in enumerate(signers):
        assert company.state(request) == ("open", turn)
        assert refused(NotApproved, lambda: company.prove(request)) == ["request_not_approved", "chain_incomplete"]
        company.sign(name, request)
    assert company.state(request) == ("approved", len(chain))
    assert company.signed(request) == signers
    assert company.prove(request, chain=chain).id == request.id
    verbs = ["approval.opened", *["approval.signed"] * len(chain), "approval.approved"]
    assert company.told(f"approval/{request.id}") == verbs


def test_what_the_screen_shows_is_what_is_signed(company):
    request = company.ask("owner", "legal")
    shown = queries.challenge(company.zhou, company.m, request.id)
    assert shown.shown == {
        "subject": request.subject, "version": 1, "payload": PAYLOAD, "merchant": company.m,
        "expiry": "2025-11-13T02:00:00.000000Z",
    }  # fmt: skip
    assert (shown.turn_of, shown.reasons) == ("owner", [])
    assert [(k.credential_id, k.rp_id) for k in shown.passkeys] == [(company.keys["zhou"].credential_id, "localhost")]
    assert [r.code for r in queries.challenge(company.sun, company.m, request.id).reasons] == ["not_their_turn"]
    assert [r.code for r in queries.challenge(OPERATOR, company.m, request.id).reasons] == ["role_missing"]


def test_the_same_request_again_changes_nothing_and_another_under_its_id_is_refused(company):
    said = {"id": uuid4(), "subject": f"payout/{uuid4()}", "expires_at": clocks.now() + timedelta(days=1)}
    request = company.ask("legal", **said)
    company.sign("sun", request)
    before = everything(company.m)
    assert company.ask("legal", **said).state == "approved"
    for change in [
        {"version": 2},
        {"payload": PAYLOAD | {"amount_fen": 1}},
        {"editors": ["person/0"]},
        {"by": company.li},
    ]:
        refused(actions.IdReused, lambda change=change: company.ask("legal", **said | change))
    refused(actions.IdReused, lambda: company.ask("owner", **said))
    assert everything(company.m) == before


def test_a_higher_version_voids_what_was_signed_of_the_one_before(company):
    first = company.ask("legal")
    company.sign("sun", first)
    second = company.ask("legal", subject=first.subject, version=2, payload=PAYLOAD | {"amount_fen": 3_000_000})
    assert company.state(first) == ("void", 1)
    reasons = refused(NotApproved, lambda: company.prove(first))
    assert reasons == ["request_not_approved"]
    reasons = refused(NotApproved, lambda: company.prove(second, payload=PAYLOAD | {"amount_fen": 3_000_000}))
    assert reasons == ["request_not_approved", "chain_incomplete"]
    for version in (1, 2):
        refused(actions.VersionAsked, lambda v=version: company.ask("legal", subject=first.subject, version=v))
    company.sign("sun", second)
    assert company.prove(second, payload=PAYLOAD | {"amount_fen": 3_000_000}).version == 2


def test_the_newest_request_of_a_subject_says_what_became_of_it(company):
    rejected, renewed, other = company.ask("legal"), company.ask("legal"), company.ask("legal")
    actions.reject(by=company.sun, merchant_id=company.m, id=rejected.id, note="金额不符")
    company.ask("legal", subject=renewed.subject, version=2)
    company.sign("sun", other)
    subjects = [rejected.subject, renewed.subject, other.subject, "payout/nobody"]
    found = queries.states_of([(company.m, subject) for subject in subjects])
    assert [found.get((company.m, subject)) for subject in subjects] == ["rejected", "open", "approved", None]
    assert queries.states_of([]) == {}


def test_a_version_is_asked_about_once_whatever_became_of_it(company):
    first = company.ask("legal")
    actions.reject(by=company.sun, merchant_id=company.m, id=first.id, note="金额不符")
    before = everything(company.m)
    refused(actions.VersionAsked, lambda: company.ask("legal", subject=first.subject))
    assert everything(company.m) == before
    assert company.ask("legal", subject=first.subject, version=2).state == "open"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "payout"}, {"subject": "Payout/1"}, {"subject": "payout/ 1"}, {"subject": "payout/" + "x" * 120},
        {"version": 0}, {"version": -1}, {"payload": {"text": "x" * 20_001}},
        {"expires_at": clocks.shanghai(2025, 11, 10, 10)},
    ],
)  # fmt: skip
def test_what_cannot_be_asked(company, wrong):
    before = everything(company.m)
    refused(actions.BadRequest, lambda: company.ask("legal", **wrong))
    assert everything(company.m) == before


@pytest.mark.parametrize("chain", [(), ("legal",) * 9])
def test_a_chain_has_one_to_eight_roles(company, chain):
    refused(actions.BadRequest, lambda: company.ask(*chain))


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({"payload": PAYLOAD | {"amount_fen": 2_000_001}}, ["payload_differs", "signature_not_genuine"]),
        ({"payload": PAYLOAD | {"lots": ["D2", "D1"]}}, ["payload_differs", "signature_not_genuine"]),
        ({"payload": {}}, ["payload_differs", "signature_not_genuine"]),
        ({"version": 2}, ["request_unknown"]),
        ({"subject": "payout/another"}, ["request_unknown"]),
        ({"chain": ["owner", "legal"]}, ["chain_differs", "chain_incomplete"]),
        ({"chain": ["supervisor"]}, ["chain_differs", "chain_incomplete"]),
    ],
)
def test_the_gate_lets_only_this_very_payload_through_under_this_very_chain(company, changed, reasons):
    request = company.ask("legal")
    company.sign("sun", request)
    assert company.prove(request, chain=["legal"])
    assert refused(NotApproved, lambda: company.prove(request, **changed)) == reasons


def test_a_bent_answer_signs_nothing_and_says_what_is_wrong(company):
    request = company.ask("legal")
    key, challenge = company.keys["sun"], queries.challenge(company.sun, company.m, request.id).challenge
    before = everything(company.m)
    straight = answer(key, challenge)
    for wrong, reasons in [
        (bent(key, challenge[::-1], count=50), ["assertion_other_challenge"]),
        (bent(key, challenge, said={"origin": "https://evil.example"}, count=50), ["assertion_other_origin"]),
        (bent(key, challenge, rp_id="evil.example", count=50), ["assertion_other_party"]),
        (bent(key, challenge, flags=1, count=50), ["assertion_unverified"]),
        (
            replace(straight, signature=straight.signature[:-1] + bytes([straight.signature[-1] ^ 1])),
            ["assertion_signature_wrong"],
        ),
        (replace(straight, credential_id=passkey().credential_id), ["passkey_unknown"]),
        (answer(company.keys["li"], challenge), ["passkey_unknown"]),
    ]:
        reached = refused(
            actions.SignatureRefused,
            lambda wrong=wrong: actions.sign(by=company.sun, merchant_id=company.m, id=request.id, assertion=wrong),
        )
        assert reached == reasons
    assert everything(company.m) == before


def test_an_answer_serves_once(company):
    first, second = company.ask("legal"), company.ask("legal")
    used = company.answer("sun", first)
    actions.sign(by=company.sun, merchant_id=company.m, id=first.id, assertion=used)
    reasons = refused(
        actions.SignatureRefused,
        lambda: actions.sign(by=company.sun, merchant_id=company.m, id=second.id, assertion=used),
    )
    assert reasons == ["assertion_other_challenge"]
    reasons = refused(
        actions.SignatureRefused,
        lambda: actions.sign(by=company.sun, merchant_id=company.m, id=first.id, assertion=used),
    )
    assert reasons == ["request_closed", "counted_already", "assertion_counter_back"]


def test_a_copied_authenticator_gives_itself_away(company):
    requests = [company.ask("legal") for _ in range(2)]
    ahead = answer(company.keys["sun"], queries.challenge(company.sun, company.m, requests[0].id).challenge)
    behind = bent(company.keys["sun"], queries.challenge(company.sun, company.m, requests[1].id).challenge, count=1)
    actions.sign(by=company.sun, merchant_id=company.m, id=requests[0].id, assertion=ahead)
    reasons = refused(
        actions.SignatureRefused,
        lambda: actions.sign(by=company.sun, merchant_id=company.m, id=requests[1].id, assertion=behind),
    )
    assert reasons == ["assertion_counter_back"]


def test_who_asks_or_edits_does_not_sign_by_any_account(company):
    identity = "33010619900101123X"
    sales = company.hire("second", "store_manager", identity=identity)
    company.hire("second_legal", "legal", identity=identity)
    asked, edited = company.ask("legal", by=sales), company.ask("legal", editors=[sales.person])
    assert refused(actions.SignatureRefused, lambda: company.sign("second_legal", asked)) == ["own_request"]
    assert refused(actions.SignatureRefused, lambda: company.sign("second_legal", edited)) == ["own_edit"]
    by_key = company.ask("legal", by=replace(sales, label="key/5", kind="key", staff_id=None))
    assert refused(actions.SignatureRefused, lambda: company.sign("second_legal", by_key)) == ["own_request"]
    reasons = refused(
        actions.SignatureRefused,
        lambda: actions.reject(by=company.second_legal, merchant_id=company.m, id=asked.id, note="不同意"),
    )
    assert reasons == ["own_request"]


def test_one_person_with_two_roles_counts_once(company):
    identity = "33010619900101124X"
    company.hire("as_owner", "owner", identity=identity)
    company.hire("as_legal", "legal", identity=identity)
    request = company.ask("owner", "legal")
    company.sign("as_owner", request)
    assert refused(actions.SignatureRefused, lambda: company.sign("as_legal", request)) == ["counted_already"]
    company.sign("li", request)
    assert company.signed(request) == ["as_owner", "li"]


def test_neither_keys_nor_jobs_nor_operators_nor_other_roles_sign(company):
    request = company.ask("legal")
    given = company.answer("sun", request)
    before = everything(company.m)
    key = replace(company.sun, label="key/1", kind="key", staff_id=None)
    for by, kind in [
        (key, Forbidden),
        (WORKER, Forbidden),
        (OPERATOR, queries.StaffNeeded),
        (company.manager, Forbidden),
        (company.shop.assistant, Forbidden),
    ]:
        for do in (
            lambda by=by: actions.sign(by=by, merchant_id=company.m, id=request.id, assertion=given),
            lambda by=by: actions.reject(by=by, merchant_id=company.m, id=request.id, note="不同意"),
        ):
            with pytest.raises(kind):
                do()
    assert everything(company.m) == before


def test_another_merchants_request_looks_as_if_it_were_not_there(company):
    request, stranger = company.ask("legal"), open_shop(own_limit_fen=0)
    outsider = stranger.hire("legal", "旁人")
    before = everything(company.m)
    for by in (stranger.owner, outsider):
        for do in (
            lambda by=by: queries.challenge(by, company.m, request.id),
            lambda by=by: queries.challenge(by, by.merchant_id, request.id),
            lambda by=by: queries.requests(by, company.m),
            lambda by=by: queries.inbox(by, company.m),
            lambda by=by: queries.delegations(by, company.m),
            lambda by=by: actions.sign(
                by=by, merchant_id=company.m, id=request.id, assertion=company.answer("sun", request)
            ),
            lambda by=by: actions.reject(by=by, merchant_id=company.m, id=request.id, note="不同意"),
            lambda by=by: actions.withdraw(by=by, merchant_id=company.m, id=request.id),
            lambda by=by: actions.allow_totp(by=stranger.owner, merchant_id=company.m, allowed=True),
        ):
            with pytest.raises(NotFound):
                do()
    assert everything(company.m) == before
    assert queries.requests(outsider, stranger.merchant_id) == []


def test_who_sees_what(company):
    request = company.ask("legal")
    assert queries.challenge(company.manager, company.m, request.id).request.id == request.id
    colleague = company.shop.hire("store_manager", "colleague")
    with pytest.raises(NotFound):
        queries.challenge(colleague, company.m, request.id)
    assert queries.requests(colleague, company.m) == []
    edited = company.ask("legal", editors=[colleague.person])
    assert [row.id for row in queries.requests(colleague, company.m)] == [edited.id]
    auditor = company.shop.hire("auditor", "auditor")
    assert request.id in {row.id for row in queries.requests(auditor, company.m, state="open", limit=500)}
    with pytest.raises(Forbidden):
        queries.inbox(auditor, company.m)


def test_the_inbox_holds_what_this_very_person_may_sign_now(company):
    shop = open_company()
    mine = [shop.ask("legal"), shop.ask("owner", "legal")]
    shop.ask("legal", by=shop.sun)
    shop.ask("legal", editors=[shop.sun.person])
    late = shop.ask("legal", expires_at=clocks.now() + timedelta(seconds=1))
    assert {row.id for row in queries.inbox(shop.sun, shop.m)} == {mine[0].id, late.id}
    assert [row.id for row in queries.inbox(shop.zhou, shop.m)] == [mine[1].id]
    shop.sign("zhou", mine[1])
    assert {row.id for row in queries.inbox(shop.sun, shop.m)} == {mine[0].id, mine[1].id, late.id}
    assert queries.inbox(shop.zhou, shop.m) == []
    page = queries.inbox(shop.sun, shop.m, limit=1)
    rest = queries.inbox(shop.sun, shop.m, after=(page[0].opened_at, page[0].id))
    assert len(rest) == 2
    with clocks.standing_at(clocks.SteppedClock(clocks.now() + timedelta(seconds=1))):
        assert late.id not in {row.id for row in queries.inbox(shop.sun, shop.m)}


def test_a_no_ends_the_whole_chain_and_says_why(company):
    request = company.ask("owner", "legal")
    company.sign("zhou", request)
    before = everything(company.m)
    for note in ("", "不行", "   x   ", "x" * 501):
        refused(
            actions.NoteMissing,
            lambda n=note: actions.reject(by=company.sun, merchant_id=company.m, id=request.id, note=n),
        )
    assert everything(company.m) == before
    closed = actions.reject(by=company.sun, merchant_id=company.m, id=request.id, note=" 发票不符 ")
    assert (closed.state, closed.note, closed.closed_by) == ("rejected", "发票不符", company.sun.label)
    assert refused(NotApproved, lambda: company.prove(request)) == ["request_not_approved", "chain_incomplete"]


def test_only_who_asked_or_edited_calls_off_and_only_what_is_open(company):
    request = company.ask("owner", "legal", editors=[company.shop.assistant.person])
    with pytest.raises(Forbidden):
        actions.withdraw(by=company.zhou, merchant_id=company.m, id=request.id)
    assert actions.withdraw(by=company.shop.assistant, merchant_id=company.m, id=request.id).state == "withdrawn"
    approved = company.ask("legal")
    company.sign("sun", approved)
    with pytest.raises(IllegalMove):
        actions.withdraw(by=company.manager, merchant_id=company.m, id=approved.id)
    assert company.state(approved) == ("approved", 1)


@pytest.mark.parametrize("end", ["approved", "rejected", "void", "withdrawn", "expired"])
def test_what_has_ended_takes_no_step_any_more(company, end):
    request = company.ask("legal")
    other = company.answer("li", request)
    if end == "approved":
        company.sign("sun", request)
    elif end == "rejected":
        actions.reject(by=company.sun, merchant_id=company.m, id=request.id, note="发票不符")
    elif end == "void":
        assert actions.void(by=WORKER, merchant_id=company.m, subject=request.subject, reason="changed")
    elif end == "withdrawn":
        actions.withdraw(by=company.manager, merchant_id=company.m, id=request.id)
    at = clocks.now() + timedelta(days=3 if end == "expired" else 0)
    with clocks.standing_at(clocks.SteppedClock(at)):
        if end == "expired":
            actions.lapse(by=WORKER)
        assert company.state(request)[0] == end
        before = everything(company.m)
        for do, kind in [
            (lambda: actions.sign(by=company.li, merchant_id=company.m, id=request.id, assertion=other), Refused),
            (lambda: actions.reject(by=company.li, merchant_id=company.m, id=request.id, note="发票不符"), Refused),
            (lambda: actions.withdraw(by=company.manager, merchant_id=company.m, id=request.id), IllegalMove),
        ]:
            with pytest.raises(kind):
                do()
        assert everything(company.m) == before
    assert actions.void(by=WORKER, merchant_id=company.m, subject=request.subject, reason="again") == (
        end == "approved"
    )
    assert company.state(request)[0] == ("void" if end == "approved" else end)


def test_after_its_expiry_nothing_is_signed_and_nothing_proven(company):
    request = company.ask("owner", "legal")
    signed = company.ask("legal")
    company.sign("sun", signed)
    given = company.answer("zhou", request)
    with clocks.standing_at(clocks.SteppedClock(request.expires_at - timedelta(microseconds=1))):
        assert company.prove(signed)
    with clocks.standing_at(clocks.SteppedClock(request.expires_at)):
        reasons = refused(
            actions.SignatureRefused,
            lambda: actions.sign(by=company.zhou, merchant_id=company.m, id=request.id, assertion=given),
        )
        assert reasons == ["request_expired"]
        assert refused(NotApproved, lambda: company.prove(signed)) == ["request_expired"]
        actions.lapse(by=WORKER)
        assert company.state(request) == ("expired", 0)
        assert company.state(signed) == ("approved", 1)


def test_somebody_whose_account_was_recovered_waits(company):
    new = company.hire("recovered", "legal")
    request = company.ask("legal")
    until = clocks.now() + timedelta(hours=72)
    Staff.objects.filter(merchant_id=company.m, id=new.staff_id).update(approvals_blocked_until=until)
    assert queries.inbox(new, company.m) == []
    given = company.answer("recovered", request)
    assert refused(actions.SignatureRefused, lambda: company.sign("recovered", request)) == ["recently_recovered"]
    ends = {"delegate_staff_id": company.li.staff_id, "ends_at": clocks.now() + timedelta(days=1)}
    assert refused(actions.DelegationRefused, lambda: actions.delegate(by=new, merchant_id=company.m, **ends)) == [
        "recently_recovered"
    ]
    longer = company.ask("legal", expires_at=until + timedelta(days=1))
    with clocks.standing_at(clocks.SteppedClock(until)):
        assert company.sign("recovered", longer).state == "approved"
    assert given.credential_id == company.keys["recovered"].credential_id


def test_a_removed_passkey_signs_nothing_more_but_what_it_signed_stays(company):
    by = company.hire("careless", "legal")
    old, signed, waiting = company.keys["careless"], company.ask("legal"), company.ask("legal")
    company.sign("careless", signed)
    late = answer(old, queries.challenge(by, company.m, waiting.id).challenge)
    with clocks.standing_at(clocks.SteppedClock(clocks.now() + timedelta(minutes=1))):
        people.remove_passkey(by=by, merchant_id=company.m, staff_id=by.staff_id, credential_id=old.credential_id)
        reasons = refused(
            actions.SignatureRefused,
            lambda: actions.sign(by=by, merchant_id=company.m, id=waiting.id, assertion=late),
        )
        assert reasons == ["passkey_removed"]
        assert queries.challenge(by, company.m, waiting.id).passkeys == []
        assert company.prove(signed).id == signed.id
        company.give_passkey("careless")
        assert company.sign("careless", waiting).state == "approved"
        assert company.prove(waiting)


@pytest.fixture
def coded(monkeypatch):
    """A company of the test's own whose legal has an authenticator app, and a way to read its code."""
    shop, instant = open_company(), [1_762_740_000]
    monkeypatch.setattr(totp.time, "time", lambda: instant[0])
    user = User.objects.create(username=f"sun-{shop.m}@shop.example")
    db.rows("INSERT INTO people_login VALUES (%s, %s, %s)", [user.pk, shop.m, shop.sun.staff_id])
    secret = totp.generate_totp_secret()
    request = RequestFactory().get("/")
    request.user = user
    with context.request_context(request):
        db.action(totp.TOTP.activate)(user, secret)

    def shown(later=0):
        instant[0] += later
        return totp.format_hotp_value(totp.hotp_value(secret, instant[0] // 30))

    return shop, shown


def by_code(shop, request, code, name="sun"):
    return actions.sign(by=shop.people[name], merchant_id=shop.m, id=request.id, assertion=code)


def test_codes_sign_only_while_the_profile_allows_them(coded):
    shop, shown = coded
    request = shop.ask("legal")
    assert refused(actions.SignatureRefused, lambda: by_code(shop, request, shown())) == ["code_not_allowed"]
    with pytest.raises(Forbidden):
        actions.allow_totp(by=shop.sun, merchant_id=shop.m, allowed=True)
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=True)
    assert by_code(shop, request, shown()).state == "approved"
    assert shop.prove(request)
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=False)
    assert refused(NotApproved, lambda: shop.prove(request)) == ["signature_not_genuine"]


def test_a_code_is_used_once_and_a_wrong_one_is_counted(coded):
    shop, shown = coded
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=True)
    first, second = shop.ask("legal"), shop.ask("legal")
    by_code(shop, first, shown())
    before = everything(shop.m)
    refused(people_totp.CodeWrong, lambda: by_code(shop, second, shown()))
    right = shown(later=90)
    for code in [right[::-1] + "0", "", "abc", "000 00"]:
        refused(people_totp.CodeWrong, lambda code=code: by_code(shop, second, code))
    refused(people_totp.CodesPaused, lambda: by_code(shop, second, right))
    with transaction.atomic():
        refused(people_totp.CodeAlone, lambda: by_code(shop, second, right))
    assert everything(shop.m) == before
    assert shop.told(f"staff/{shop.sun.staff_id}").count("code.wrong") == 5


def test_a_code_is_not_used_up_where_somebody_may_not_sign(coded):
    shop, shown = coded
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=True)
    own, other = shop.ask("legal", by=shop.sun), shop.ask("legal")
    assert refused(actions.SignatureRefused, lambda: by_code(shop, own, shown())) == ["own_request"]
    assert by_code(shop, other, shown()).state == "approved"


def test_who_has_no_authenticator_app_has_no_right_code(coded):
    shop, shown = coded
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=True)
    refused(people_totp.CodeWrong, lambda: by_code(shop, shop.ask("legal"), shown(), "li"))


def test_a_seal_stands_for_this_signature_alone(coded):
    shop, shown = coded
    actions.allow_totp(by=shop.zhou, merchant_id=shop.m, allowed=True)
    request = shop.ask("legal")
    by_code(shop, request, shown())
    [signature] = queries.signatures(request)
    over = queries.challenge(shop.sun, shop.m, request.id).challenge
    assert bytes(signature.seal) == queries.seal(signature, over)
    for name, value in [
        ("step", 1),
        ("role", "owner"),
        ("staff_id", 1),
        ("person", "person/0"),
        ("request_id", uuid4()),
    ]:
        other = queries.signatures(request)[0]
        setattr(other, name, value)
        assert queries.seal(other, over) != bytes(signature.seal)
    assert queries.seal(signature, over[::-1]) != bytes(signature.seal)
