"""houfu people, as somebody at the terminal uses it."""

import json

import pytest
from click.testing import CliRunner

from houfu.merchants import actions as merchants
from houfu.people import queries
from houfu.people.actions.staff import OwnerExists
from houfu.people.cli import people
from houfu.testing.world import OPERATOR, new_identity, new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


def said(*words, **more):
    """Run a command and return its JSON, or what it raised."""
    done = CliRunner().invoke(people, [*map(str, words)], **more)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout) if "--json" in words else done


def test_the_first_person_of_a_merchant_is_invited_and_invites_the_others():
    merchant_id = merchants.register(by=OPERATOR, name="新", uscc=new_uscc()).merchant_id
    owner = said("create-owner", merchant_id, "--name", "王芳", "--identity", new_identity(), "--json")
    assert (owner["role"], owner["state"]) == ("owner", "invited")
    assert owner["invitation"].startswith(f"hi_{merchant_id}_{owner['id']}_")
    with pytest.raises(OwnerExists):
        said("create-owner", merchant_id, "--name", "x", "--identity", new_identity(), "--json")
    made = said("invite", merchant_id, "--name", "李雷", "--role", "legal", "--identity", new_identity(), "--json")
    assert [each["id"] for each in said("list", merchant_id, "--json")] == [owner["id"], made["id"]]


def test_an_identity_is_asked_for_unseen():
    shop, identity = open_shop(own_limit_fen=0), new_identity()
    done = said("invite", shop.merchant_id, "--name", "x", "--role", "auditor", input=f"{identity}\n")
    assert done.exit_code == 0
    assert identity not in done.output


def test_what_is_not_named_stays_as_it_is_and_a_new_role_begins_anew():
    shop = open_shop(stores=2, own_limit_fen=0)
    clerk = shop.hire("clerk", stores=[shop.store], per_payout_fen=100_000, daily_count=2).staff_id
    at = (shop.merchant_id, clerk)
    now = said("change", *at, "--monthly", "2,000", "--json")
    assert (now["role"], now["stores"], now["per_payout_fen"]) == ("clerk", [shop.store], 100_000)
    assert (now["monthly_fen"], now["daily_count"]) == (200_000, 2)
    now = said("change", *at, "--role", "legal", "--json")
    assert (now["role"], now["stores"], now["per_payout_fen"], now["monthly_fen"]) == ("legal", None, None, None)


def test_somebody_is_stopped_let_in_again_and_recovered_by_two():
    shop = open_shop(own_limit_fen=0)
    at = (shop.merchant_id, shop.assistant.staff_id)
    assert said("disable", *at, "--reason", "left").exit_code == 0
    assert queries.staff(*at).state == "disabled"
    assert said("enable", *at).exit_code == 0
    assert said("recover", *at, "--as", "li", "--json")["invitation"] == ""
    again = said("recover", *at, "--as", "han", "--json")
    assert (again["state"], again["invitation"][:3]) == ("invited", "hi_")
