"""The authorisation matrix: every operation, as everybody, about one's own and other people's things (C8).

`authz.yml` says what each answer must be; nothing here knows who may do what. Calls that may change something run in
a transaction that is rolled back, so that their order does not matter; refusals must leave every table as it was.
"""

import asyncio
import itertools
import json
import re
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import yaml
from two_merchants import World, open_world

from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.orders.intake import serve
from houfu.people.actor import KEY_SCOPES
from houfu.site import duties
from houfu.site.api import api
from houfu.testing.plugin import MONDAY_TEN

FILE = yaml.safe_load((Path(__file__).parent / "authz.yml").read_text())
LINES = FILE["operations"]
PRINCIPALS = FILE["principals"]
EVERYBODY = list(itertools.chain(*PRINCIPALS.values()))
STATUS = {code: status for status, codes in FILE["codes"].items() for code in codes}
HIDDEN = "not_found"
LONG_AGO = 600  # seconds: no step-up counts for as long
NOWHERE = {int: 10**9, UUID: UUID(int=7), str: "NOWHERE"}


@pytest.fixture(autouse=True)
def now():
    with clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)):
        yield


@pytest.fixture(scope="module")
def world(platform) -> World:
    with clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)):
        return open_world()


class RolledBack(Exception):
    """Carries an answer out of the transaction in which it was made, so that nothing of it stays."""


@db.action
def _and_undo(call):
    raise RolledBack(call())


def undone(call):
    """Return a call's answer, and undo whatever it did."""
    try:
        return _and_undo(call)
    except RolledBack as back:
        return back.args[0]


@cache
def _state_of_tables():
    names = db.rows(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND relname <> 'django_session' AND has_table_privilege(oid, 'SELECT') ORDER BY 1"
    )
    parts = [f"SELECT '{t.name}', count(*), max(xmin::text::bigint) FROM {t.name}" for t in names]
    return " UNION ALL ".join(parts)


def state():
    """Return how many rows every table has and by which transaction the latest was written: any write shows."""
    return [tuple(row) for row in db.rows(_state_of_tables(), into=lambda *row: row)]


class Line:
    """A line of the file."""

    def __init__(self, name, said):
        self.method, self.path = name.split(" (")[0].split(" ", 1)
        self.where, self.ok, self.said = said["in"], said.get("ok", 200), said
        self.things = {p: f"${p.removesuffix('_id')}" for p in re.findall(r"\{(\w+)\}", self.path)}
        self.things |= said.get("with", {})

    def may(self, who):
        """Return what somebody gets for their own thing: a status, or the code of a refusal."""
        said = self.said
        if self.where == "public":
            return self.ok
        if who in PRINCIPALS["nobody"]:
            return "unauthenticated"
        for code, names in said.get("apart", {}).items():
            if who in names:
                return code
        if self.where == "merchant" and who in PRINCIPALS["platform"]:
            return "merchant_key_needed"
        if who not in said.get("may", FILE["scopes"].get(said.get("needs"), ())):
            return "forbidden"
        if said.get("people") and who.startswith("key_"):
            return "person_needed"
        if said.get("whole") and who in PRINCIPALS["bound"]:
            return "whole_merchant_needed"
        return self.ok

    def another_store(self, who):
        """Return what somebody who is bound gets for another store's thing; None where a store plays no part."""
        rule = self.said.get("store")
        own = self.may(who)
        if rule is None or who not in PRINCIPALS["bound"] or own == "forbidden":
            return None
        found = rule[who] if isinstance(rule, dict) and who in rule else rule
        return HIDDEN if found == "hidden" else self.ok if found == "listing" else found

    @property
    def names(self):
        """The things that a request of this line names."""
        return set(re.findall(r"\$(\w+)", str([self.things, self.said.get("body"), self.said.get("query")])))

    def request(self, look, *, wrong=False, merchant=None):
        """Return path and body with things as `look` finds them.

        Args:
            merchant: the merchant that the query names, if any.
        """
        other = self.said["wrong"] if wrong else {}
        said = {**self.things, **other.get("with", {})}
        path = self.path.format(**{name: filled(thing, look) for name, thing in said.items()})
        query = {**self.said.get("query", {}), **({"merchant_id": merchant} if merchant else {})}
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        body = other.get("body", self.said.get("body"))
        return path + (f"?{asked}" if asked else ""), None if body is None else filled(body, look)


def filled(said, look):
    """Return something with its `$things` replaced."""
    if isinstance(said, dict):
        return {name: filled(part, look) for name, part in said.items()}
    if isinstance(said, list):
        return [filled(part, look) for part in said]
    if isinstance(said, str) and (whole := re.fullmatch(r"\$(\w+)", said)):
        found = look(whole[1])
        return str(found) if isinstance(found, UUID) else found
    if isinstance(said, str):
        return re.sub(r"\$(\w+)", lambda thing: str(look(thing[1])), said)
    return said if isinstance(said, int | bool) else str(said)


class Asker:
    """Asks the requests of a line and compares the answers."""

    def __init__(self, world, line):
        self.world, self.line, self.calls = world, line, 0
        self.wrong: dict[str, list[str]] = {}

    def look(self, where, name):
        """Return a thing: `own`, of `another_store`, of `another_merchant`, or `nowhere`."""
        if name == "uuid":
            return uuid4()
        if name == "new":
            return "NEW-1"
        ours, theirs = self.world.ours, self.world.theirs
        if name in self.world.shared:
            return self.world.shared[name]
        if name == "assertion" or where == "own":
            return ours.own[name]
        if where == "another_store":
            return ours.other.get(name, ours.own[name])
        if where == "another_merchant":
            return theirs.own[name]
        return NOWHERE[type(ours.own[name])]

    def places(self, who):
        """Return the merchant that the query names, if it does so for somebody about their own things."""
        named = self.line.where == "query" and (self.line.said.get("named") or who in PRINCIPALS["platform"])
        return self.world.ours.merchant_id if named else None

    def ask(self, who, expected, where="own", *, keep=(), undo=None, **changes):
        """Send a request, and note an answer that is not the expected one; return its text.

        Args:
            keep: things that stay one's own wherever the others are.
        """
        self.calls += 1
        kept = {"merchant_new", *keep}
        look = lambda name: self.look("own" if name in kept else where, name)  # noqa: E731
        about_theirs = "merchant" in changes
        changes.setdefault("merchant", self.places(who))
        path, body = self.line.request(look, **changes)
        call = lambda: self.world.callers[who](self.line.method, path, body)  # noqa: E731
        status, text = undone(call) if isinstance(expected, int) else call()
        if self.leaks(who, where, text):
            self.note(who, f"{where}: shows what is somebody else's")
        code = re.search(r'"code": "(\w+)"', text)
        found = code[1] if status >= 400 and code else status
        if found != expected or status != STATUS.get(expected, expected):
            what = " wrong state" if changes.get("wrong") else " under their number" if about_theirs else ""
            self.note(who, f"{where}{what}: {status} {found}, not {expected}")
        for name in self.line.names:
            if name not in kept:
                text = re.sub(rf"(?<![\w-]){re.escape(str(look(name)))}(?![\w-])", "·", text)
        return text

    def hidden(self, who, expected, where, **how):
        """Ask about somebody else's thing and about one that is not there: the answers must be the same."""
        theirs, nobodys = self.ask(who, expected, where, **how), self.ask(who, expected, "nowhere", **how)
        if theirs != nobodys:
            self.note(who, f"{where} can be told from nowhere")

    def leaks(self, who, where, text):
        """Say whether an answer about one's own things shows another merchant's, or another store's to who is bound."""
        if where != "own" or who in PRINCIPALS["platform"]:
            return False
        hidden = [thing for thing in self.world.theirs.own.values() if isinstance(thing, UUID)]
        hidden.append(self.world.theirs.own["order"])
        if who in PRINCIPALS["bound"]:
            hidden += [self.world.ours.other["order"], self.world.ours.other["payout"]]
        return any(str(thing) in text for thing in hidden)

    def note(self, who, what):
        self.wrong.setdefault(what, []).append(who)


@pytest.mark.parametrize("name", LINES)
def test_every_answer_is_the_one_that_the_file_says(name, world):
    asker = asked(name, world)
    assert not asker.wrong, "\n".join(f"{what}: {', '.join(who)}" for what, who in asker.wrong.items())


def asked(name, world):
    line = Line(name, LINES[name])
    asker = Asker(world, line)
    for who in world.callers.keys() - PRINCIPALS["nobody"]:
        world.callers[who].prove()
    before = state()
    things = line.names - set(world.shared) - {"uuid", "new", "assertion"}
    for who in EVERYBODY:
        own = line.may(who)
        asker.ask(who, own)
        if line.where == "public" or own == "unauthenticated":
            continue
        if (other := line.another_store(who)) is not None:
            if other == HIDDEN:
                asker.hidden(who, HIDDEN, "another_store")
            else:
                asker.ask(who, other, "another_store")
        elsewhere(asker, who, own, things)
        if isinstance(own, int):
            if "wrong" in line.said:
                asker.ask(who, line.said["wrong"]["is"], wrong=True)
            if line.said.get("fresh") and not who.startswith("key_"):
                world.callers[who].prove(LONG_AGO)
                asker.ask(who, "step_up_needed")
                world.callers[who].prove()
    if state() != before:
        asker.note("somebody", "something moved")
    return asker


def elsewhere(asker, who, own, things):
    """Ask about another merchant's things, and under another merchant's number."""
    line, theirs = asker.line, asker.world.theirs.merchant_id
    expected = own
    hides = line.said.get("hides", ())
    if who in hides if hides is not True else who not in (*PRINCIPALS["platform"], "key_partner"):
        expected = HIDDEN
    elif isinstance(own, int):
        expected = own if line.said.get("listing") else line.said.get("theirs", HIDDEN)
    on_platform = who in PRINCIPALS["platform"]
    if things - {"merchant"}:
        hide = asker.ask if expected == own in STATUS else asker.hidden
        hide(who, expected, "another_merchant", keep=("merchant",))
    if on_platform or own in STATUS:
        return
    if "merchant" in things:
        asker.hidden(who, HIDDEN, "another_merchant")
    if line.where == "query":
        asker.ask(who, HIDDEN, merchant=theirs)


async def through_the_door(asked):
    """Send requests to the intake door, and return each answer's status and text; whoever reads a stream then goes."""
    door = serve.door("http://127.0.0.1:9")  # nobody is there: what the door does not answer itself fails
    found = []
    try:
        for method, path, headers, body in asked:
            began, said = asyncio.Event(), []

            given = [{"type": "http.request", "body": body}]

            async def receive(given=given, began=began):
                if given:
                    return given.pop()
                await began.wait()
                return {"type": "http.disconnect"}

            async def send(message, began=began, said=said):
                said.append(message)
                if message.get("body"):
                    began.set()

            scope = {
                "type": "http", "method": method, "path": f"/v1{path}", "query_string": b"", "client": ("192.0.2.1", 9),
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            }  # fmt: skip
            await door(scope, receive, send)
            found.append((said[0]["status"], b"".join(part.get("body", b"") for part in said).decode()))
    finally:
        await door.coalescer.close()
        await door.front.close()
        door.threads.close()
    return found


@pytest.mark.parametrize("name", FILE["door"])
def test_the_door_answers_as_the_file_says(name, world):
    said = FILE["door"][name]
    line, before = Line(name, said), state()
    who_asks = [who for who in EVERYBODY if said.get("by") != "keys" or who.startswith("key_")]
    path, body = line.request(lambda thing: world.ours.own[thing])
    content = json.dumps(body).encode() if body else b""
    kind = "application/x-ndjson" if path.endswith(":batch") else "application/json"
    asked = [(line.method, path, {**world.callers[who].headers, "Content-Type": kind}, content) for who in who_asks]
    answers = asyncio.run(through_the_door(asked))
    got = {}
    for who, (status, text) in zip(who_asks, answers, strict=True):
        code = re.search(r'"type": ?"urn:houfu:problem:(\w+)"', text)
        got[who] = code[1] if code else status
        if who in PRINCIPALS["bound"] and isinstance(got[who], int):
            assert f'"store_id":{world.ours.other["store"]},' not in text.replace(": ", ":")
            assert f'"store_id":{world.ours.own["store"]},' in text.replace(": ", ":")
    assert got == {who: line.may(who) for who in who_asks}
    assert state() == before


def test_every_operation_has_a_line_and_every_line_an_operation():
    there = {
        f"{method.upper()} {path.removeprefix('/v1')}"
        for path, operations in api.get_openapi_schema()["paths"].items()
        for method in operations
    }
    assert {name.split(" (")[0] for name in LINES} == there


def test_the_platforms_duties_are_operations_that_its_people_may_do_and_all_of_those():
    """What somebody of the platform may do to a merchant is a duty, and no duty is for nobody (4.6)."""
    lines = {name: Line(name, said) for name, said in LINES.items()}
    may = {
        f"{line.method} /v1{line.path}"
        for line in lines.values()
        if line.where in ("path", "query") and isinstance(line.may("operator"), int)
    }
    in_areas = {name for name in may if name.split(" ")[1].startswith(duties.AREAS_FOR_A_MERCHANT)}
    assert may - in_areas == duties.FOR_A_MERCHANT
    assert in_areas
    assert {f"{line.method} /v1{line.path}" for line in lines.values()} >= duties.FOR_ALL


def test_the_file_names_nobody_and_nothing_that_is_not_there(world):
    named = [*itertools.chain(*FILE["scopes"].values())]
    for said in [*LINES.values(), *FILE["door"].values()]:
        named += [*said.get("may", ()), *itertools.chain(*said.get("apart", {}).values())]
        assert said.get("needs", "nothing") in FILE["scopes"]
    assert set(named) <= set(EVERYBODY) == set(world.callers)
    assert not {name for name in FILE["scopes"] if name.endswith(":write")} - set(KEY_SCOPES) - {
        "approvals:write", "beneficiaries:write", "people:write", "webhooks:write",
    }  # fmt: skip
