"""The unified social credit code: its last character checks the others."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum.cn import uscc as peer

from houfu.kernel import db
from houfu.merchants import actions as merchants
from houfu.merchants.actions import BadUscc, UsccTaken
from houfu.merchants.models import Merchant
from houfu.testing.world import OPERATOR, new_uscc

pytestmark = pytest.mark.usefixtures("db")
LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
bodies = st.text(LETTERS, min_size=17, max_size=17)
often = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def valid(*codes):
    """Ask the database, which keeps the law, about some codes at once."""
    found = db.rows(
        "SELECT code FROM unnest(%s::text[]) AS codes (code) WHERE merchants_uscc_valid_v1(code)",
        [list(codes)],
    )
    return [row.code for row in found]


def whole(body):
    """Complete a code with the check character that another library computes."""
    return body + peer.calc_check_digit(body)


def register(uscc):
    return merchants.register(by=OPERATOR, name="杭州某某服饰有限公司", uscc=uscc)


@pytest.mark.parametrize("code", ["91110000600037341L", "91330100799655058B", "9144030071526726XG"])
def test_codes_that_are_in_use_are_valid(code):
    assert valid(code) == [code]
    assert peer.is_valid(code)


@often
@given(bodies)
def test_of_all_last_characters_one_is_right_and_it_is_the_one_another_library_computes(body):
    assert valid(*(body + last for last in LETTERS)) == [whole(body)]


@often
@given(bodies, st.integers(0, 17), st.sampled_from(LETTERS))
def test_one_character_misread_is_always_noticed(body, place, other):
    code = whole(body)
    misread = code[:place] + other + code[place + 1 :]
    assert valid(misread) == ([code] if misread == code else [])


@often
@given(bodies, st.integers(0, 15))
def test_two_neighbours_swapped_are_always_noticed(body, place):
    code = whole(body)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert valid(swapped) == ([code] if swapped == code else [])


@pytest.mark.parametrize(
    "code",
    [
        "", "9111000060003734", "91110000600037341", "91110000600037341LL", "91110000600037341M", "91110000600037341I",
        "9111OOOO600037341L", "９1110000600037341L", "91110000600037341Ｌ", "91110000-600037341L", "91110000 600037341",
        "91110000600037341L\n1", "000000000000000001",
    ],
)  # fmt: skip
def test_what_is_no_code_registers_nobody(code):
    before = Merchant.objects.count()
    with pytest.raises(BadUscc):
        register(code)
    assert Merchant.objects.count() == before


def test_a_code_is_taken_in_capitals_and_without_the_blanks_around_it():
    code = new_uscc()
    assert register(f"  {code.lower()}\n").uscc == code


def test_a_legal_person_is_registered_once():
    code = new_uscc()
    register(code)
    before = Merchant.objects.count()
    for again in (code, code.lower()):
        with pytest.raises(UsccTaken):
            register(again)
    assert Merchant.objects.count() == before
