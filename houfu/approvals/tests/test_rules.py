"""Who may sign, and why not: every requester, editor, approver and chain; and chains as they are signed at random."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.approvals import rules
from houfu.approvals.rules import Asked, Right, Signed, Signer
from houfu.kernel.clock import shanghai

NOW = shanghai(2025, 11, 10, 10)
LATER = NOW + timedelta(days=1)
CHAINS = [("supervisor",), ("legal",), ("owner", "legal")]
# Who there is: their role, and whose delegate they are.
PEOPLE = {
    "wang": "store_manager",
    "zhao": "supervisor",
    "qian": "supervisor",
    "sun": "legal",
    "li": "legal",
    "zhou": "owner",
    "wu": "auditor",
}


def signer(person, *, role="", lent=(), delegations=(), blocked_until=None):
    rights = (Right(role or PEOPLE[person]), *(Right(each, 1) for each in lent))
    return Signer(person, rules.stands_for(person, delegations), rights, blocked_until)


def asked(chain, turn=0, *, requester="wang", editors=(), counted=(), state="open", expires_at=LATER):
    return Asked(state, tuple(chain), turn, requester, frozenset(editors), frozenset(counted), expires_at)


def codes(reasons):
    return [reason.code for reason in reasons]


def expected(chain, requester, editor, approver):
    """Say again, in other words, what is against a first signature by someone."""
    if approver == requester:
        yield "own_request"
    if approver == editor:
        yield "own_edit"
    if PEOPLE[approver] != chain[0]:
        yield "not_their_turn" if PEOPLE[approver] in chain[1:] else "role_missing"


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_every_requester_editor_and_approver(chain):
    seen = set()
    for requester, editor, approver in product(PEOPLE, [None, *PEOPLE], PEOPLE):
        found = codes(
            rules.refusals(asked(chain, requester=requester, editors={editor} - {None}), signer(approver), NOW)
        )
        assert found == [*expected(chain, requester, editor, approver)], (requester, editor, approver)
        seen.add(tuple(found))
    assert () in seen
    assert ("own_request", "own_edit") in seen


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
@pytest.mark.parametrize("role", sorted({*PEOPLE.values()}))
def test_a_delegate_counts_as_themselves_and_as_who_lent_the_role(chain, role):
    lent = [("boss", "zheng")]
    delegate = signer("zheng", role="auditor", lent=[role], delegations=lent)
    for requester, editors, counted, against in [
        ("wang", (), (), []),
        ("zheng", (), (), ["own_request"]),
        ("wang", ("zheng",), (), ["own_edit"]),
        ("boss", (), (), ["delegate_of_requester"]),
        ("wang", ("boss",), (), ["delegate_of_requester"]),
        ("wang", (), ("zheng",), ["counted_already"]),
        ("wang", (), ("boss",), ["counted_for_delegator"]),
        ("wang", (), ("boss", "zheng"), ["counted_already"]),
    ]:
        turn = [] if role == chain[0] else ["not_their_turn" if role in chain else "role_missing"]
        found = codes(
            rules.refusals(asked(chain, requester=requester, editors=editors, counted=counted), delegate, NOW)
        )
        assert found == against + turn


def test_counting_follows_delegations_of_delegations_and_circles():
    lent = [("a", "b"), ("b", "c"), ("c", "a"), ("x", "y")]
    assert rules.stands_for("c", lent) == {"a", "b", "c"}
    assert rules.stands_for("y", lent) == {"x", "y"}
    assert rules.stands_for("z", lent) == {"z"}


def test_somebody_acts_in_their_own_role_before_a_lent_one():
    both = signer("sun", lent=["legal", "owner"])
    assert rules.right(both, "legal") == Right("legal")
    assert rules.right(both, "owner") == Right("owner", 1)
    assert rules.right(both, "finance") is None
    assert rules.right(both, None) is None


@pytest.mark.parametrize(
    ("changes", "who", "at", "against"),
    [
        ({"state": "approved", "turn": 2}, signer("zhou"), NOW, ["request_closed"]),
        ({"state": "void"}, signer("zhou"), NOW, ["request_closed"]),
        ({}, signer("zhou"), LATER - timedelta(microseconds=1), []),
        ({}, signer("zhou"), LATER, ["request_expired"]),
        ({}, signer("zhou", blocked_until=NOW), NOW, []),
        ({}, signer("zhou", blocked_until=NOW + timedelta(microseconds=1)), NOW, ["recently_recovered"]),
        ({"turn": 1, "counted": ("zhou",)}, signer("zhou"), NOW, ["counted_already", "not_their_turn"]),
        (
            {"requester": "zhou", "editors": ("zhou",), "state": "void"}, signer("zhou", role="auditor"), NOW,
            ["request_closed", "own_request", "own_edit", "role_missing"],
        ),
    ],
)  # fmt: skip
def test_all_reasons_come_together(changes, who, at, against):
    full = asked(("owner", "legal"), **{"turn": 0, **changes})
    assert codes(rules.refusals(full, who, at)) == against


def test_whoever_has_a_role_of_the_chain_may_say_no_even_after_signing():
    request = asked(("owner", "legal"), 1, counted=("zhou",))
    assert rules.refusals_to_reject(request, signer("zhou"), NOW) == []
    assert rules.refusals_to_reject(request, signer("sun"), NOW) == []
    assert codes(rules.refusals_to_reject(request, signer("zhao"), NOW)) == ["role_missing"]
    assert codes(rules.refusals_to_reject(request, signer("wang", role="owner"), NOW)) == ["own_request"]
    assert codes(rules.refusals_to_reject(asked(("legal",), editors=("sun",)), signer("sun"), NOW)) == ["own_edit"]


def signed(chain, *persons):
    return [
        Signed(step, role, person, frozenset({person}), NOW + timedelta(minutes=step), True, True)
        for step, (role, person) in enumerate(zip(chain, persons, strict=False))
    ]


@pytest.mark.parametrize(
    ("spoilt", "against"),
    [
        (lambda s: s, []),
        (lambda s: s[:1], ["chain_incomplete"]),
        (lambda s: s[1:], ["chain_incomplete"]),
        (lambda s: [], ["chain_incomplete"]),
        (lambda s: [*s, replace(s[1], step=2, person="li", stands_for=frozenset({"li"}))], ["chain_incomplete"]),
        (lambda s: [s[0], replace(s[1], role="owner")], ["chain_incomplete"]),
        (lambda s: [s[0], replace(s[1], signed_at=NOW - timedelta(minutes=1))], ["chain_out_of_order"]),
        (lambda s: [s[0], replace(s[1], genuine=False)], ["signature_not_genuine"]),
        (lambda s: [replace(s[0], holds_role=False), s[1]], ["signer_lost_role"]),
        (lambda s: [s[0], replace(s[1], stands_for=frozenset({"zhou", "sun"}))], ["persons_not_distinct"]),
        (lambda s: [replace(s[0], stands_for=frozenset({"zhou", "sun"})), s[1]], ["persons_not_distinct"]),
        (lambda s: [s[0], replace(s[1], stands_for=frozenset({"wang", "sun"}))], ["persons_not_distinct"]),
        (lambda s: [s[0], replace(s[1], stands_for=frozenset({"edith"}))], ["persons_not_distinct"]),
        (lambda s: [s[0], replace(s[1], signed_at=LATER)], ["signed_too_late"]),
    ],
)
def test_a_chain_stands_only_whole_in_order_genuine_and_of_distinct_people(spoilt, against):
    chain = ("owner", "legal")
    found = rules.unproven(chain, {"wang", "edith"}, spoilt(signed(chain, "zhou", "sun")), LATER)
    assert codes(found) == against


def test_the_product_itself_is_nobody_whom_a_signer_could_be():
    chain = ("owner",)
    assert rules.unproven(chain, {""}, signed(chain, "zhou"), LATER) == []
    assert rules.refusals(asked(chain, requester=""), signer("zhou"), NOW) == []


ROLES = ("supervisor", "legal", "owner", "finance")
TEAM = tuple("abcdefgh")


@st.composite
def companies(draw):
    roles = {person: draw(st.sampled_from(ROLES)) for person in TEAM}
    pairs = draw(st.lists(st.tuples(st.sampled_from(TEAM), st.sampled_from(TEAM)), max_size=4))
    return roles, [(lender, delegate) for lender, delegate in pairs if lender != delegate]


@settings(max_examples=150, deadline=None)
@given(
    companies(),
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=4),
    st.sampled_from(TEAM),
    st.sets(st.sampled_from(TEAM), max_size=2),
    st.lists(st.sampled_from(TEAM), max_size=30),
)
def test_whoever_comes_in_whatever_order_a_signed_chain_is_lawful(company, chain, requester, editors, comers):
    """Everybody tries to sign whenever they like; what has been signed in the end must hold on its own terms."""
    roles, lent = company
    taken = []
    for minute, person in enumerate(comers):
        counted = {name for each in taken for name in each.stands_for}
        request = asked(chain, len(taken), requester=requester, editors=editors, counted=counted)
        request = replace(request, state="approved" if len(taken) == len(chain) else "open")
        rights = (Right(roles[person]), *(Right(roles[a], n) for n, (a, b) in enumerate(lent) if b == person))
        who = Signer(person, rules.stands_for(person, lent), rights)
        if not rules.refusals(request, who, NOW):
            role = rules.next_role(chain, len(taken))
            at = NOW + timedelta(minutes=minute)
            taken.append(Signed(len(taken), role, person, who.stands_for, at, True, True))
    assert [each.role for each in taken] == chain[: len(taken)]
    persons = [each.person for each in taken]
    assert len(set(persons)) == len(persons)
    assert not {requester, *editors} & {name for each in taken for name in each.stands_for}
    for lender, delegate in lent:
        assert not {lender, delegate} <= set(persons)
    proof = rules.unproven(chain, {requester, *editors}, taken, NOW + timedelta(days=1))
    assert codes(proof) == ([] if len(taken) == len(chain) else ["chain_incomplete"])
