"""Both languages are complete: what a page says in Chinese has its English, once, and every code has both."""

import ast
import re
import tomllib

import pytest

from houfu.approvals.states import APPROVAL
from houfu.console import words
from houfu.orders.states import PAIRS
from houfu.payouts.states import BENEFICIARY, PAYOUT
from houfu.people.rules import ROLES
from houfu.people.states import STAFF

CHINESE = re.compile("[\u4e00-\u9fff]")
TAG = re.compile(r"\{%\s*(?:t|field|why|empty)\s+(.*?)%\}", re.DOTALL)
SAID_AS_THEY_ARE = {"中文"}


def in_templates() -> dict[str, str]:
    """Return what templates hand to the kit's tags, and where."""
    return {
        said: str(file.relative_to(words.HOUSE))
        for file in words.HOUSE.glob("*/templates/**/*.html")
        for tag in TAG.finditer(file.read_text("utf-8"))
        for said in re.findall(r'"([^"]*)"', tag[1])
        if CHINESE.search(said)
    }


def in_pages() -> dict[str, str]:
    """Return what the code of pages says in Chinese, and where."""
    found = {}
    for file in [*words.HOUSE.glob("*/**/*.py")]:
        text, inside = file.read_text("utf-8"), file.relative_to(words.HOUSE).parts
        if "tests" in inside or not ("from houfu.console" in text or inside[0] == "console"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CHINESE.search(node.value):
                found[node.value] = str(file.relative_to(words.HOUSE))
    return {said: where for said, where in found.items() if said not in SAID_AS_THEY_ARE}


def test_whatever_is_said_in_chinese_has_its_english():
    missing = {said: where for said, where in (in_templates() | in_pages()).items() if said not in words.english()}
    assert missing == {}


def test_nothing_is_kept_that_nobody_says():
    assert words.english().keys() - in_templates().keys() - in_pages().keys() == set()


def test_no_text_of_a_template_is_outside_the_tags():
    for file in words.HOUSE.glob("*/templates/**/*.html"):
        bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<title>.*?</title>", "", file.read_text("utf-8"), flags=re.DOTALL)
        for ours in ("Houfu 后付", '<b aria-hidden="true">付</b>', '<span lang="zh-Hans">中文</span>'):
            bare = bare.replace(ours, "")
        assert CHINESE.findall(bare) == [], file


def test_both_languages_name_the_same_figures():
    for said, english in words.english().items():
        assert set(re.findall(r"\{\w+\}", said)) == set(re.findall(r"\{\w+\}", english)), said


def test_a_text_has_one_english_in_all_rooms():
    seen: dict[str, str] = {}
    for file in words.HOUSE.glob("*/en.toml"):
        for said, english in tomllib.loads(file.read_text("utf-8")).items():
            assert seen.setdefault(said, english) == english, said


def given_reasons() -> dict[str, str]:
    """Return the codes with which code of ours makes reasons, and where."""
    found = {}
    for file in words.HOUSE.glob("*/**/*.py"):
        if "tests" in file.relative_to(words.HOUSE).parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Reason") and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and code.value:
                    found[str(code.value)] = str(file.relative_to(words.HOUSE))
    return found


def test_every_reason_says_what_stands_against_it_and_its_cure_in_both_languages():
    known, given = words.labels()["reason"], given_reasons()
    assert {"cover_too_thin", "bands_overlap", "party_unbound"} <= given.keys()
    lacking = {code: where for code, where in given.items() if known.get(code, {}).keys() < {"zh", "en", "cure"}}
    assert lacking == {}


def test_every_label_has_both_languages_and_a_known_tone():
    for group, codes in words.labels().items():
        for code, known in codes.items():
            assert known.keys() >= ({"zh"} if group == "refusal" else {"zh", "en"}), (group, code)
            assert known.get("tone", "calm") in {"good", "warn", "bad", "info", "calm"}, (group, code)


@pytest.mark.parametrize(
    ("group", "codes"),
    [
        ("order", {state for pair in PAIRS for state in pair} | {"declined"}),
        ("payout", {state for sources, target in PAYOUT.values() for state in {*sources, target}}),
        ("role", ROLES.keys()),
        ("role_does", ROLES.keys()),
        ("approval", {state for sources, target in APPROVAL.values() for state in {*sources, target}}),
        ("beneficiary", {state for sources, target in BENEFICIARY.values() for state in {*sources, target}}),
        ("staff", {state for sources, target in STAFF.values() for state in {*sources, target}}),
    ],
)
def test_every_code_that_is_shown_has_a_name(group, codes):
    assert set(codes) - words.labels()[group].keys() == set()


TABLE = re.compile(r"^\| `([a-z0-9_]+)` \| [0-9]{3} \|", re.MULTILINE)


def test_every_refusal_that_is_documented_can_be_read_in_chinese():
    codes = set(TABLE.findall((words.HOUSE.parent / "docs" / "errors.md").read_text("utf-8")))
    assert len(codes) > 100
    at_a_terminal = {code for code in codes if code.startswith(("demo_", "bench_"))}
    assert codes - at_a_terminal - words.labels()["refusal"].keys() == set()
