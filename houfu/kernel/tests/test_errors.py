"""Every reason to say no has one class, one code and one sentence."""

import importlib
import pkgutil
import re

import pytest

import houfu
from houfu.kernel.errors import Forbidden, Reason, codes


@pytest.fixture(scope="module", autouse=True)
def whole_product():
    """Every module there is, so that every refusal is known."""
    for module in pkgutil.walk_packages(houfu.__path__, "houfu."):
        if not {"tests", "migrations", "__main__", "testing"} & set(module.name.split(".")):
            importlib.import_module(module.name)


def test_no_two_refusals_share_a_code():
    known = [code for code, _ in codes()]
    assert len(known) > 60
    assert sorted(known) == sorted(set(known))


def test_every_refusal_has_a_code_a_status_and_a_sentence_of_its_own():
    for code, refusal in codes():
        assert "code" in vars(refusal), refusal
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
        assert refusal.status in {401, 403, 404, 409, 413, 422, 429, 500, 502, 503}, refusal
        assert refusal.__doc__
        assert re.search(r"[.)]\Z", refusal().message), refusal


def test_a_refusal_says_what_it_knows_in_one_line():
    reason = Reason("too_late", "P2", {"closes": "21:00"}, "Come back tomorrow.")
    message = "Your key or role does not cover this operation."
    assert str(Forbidden()) == message
    assert str(Forbidden(store_id=7)) == f"{message} (store_id=7)"
    assert str(Forbidden(reason, store_id=7)) == f"{message} (store_id=7) [too_late]"
    assert Forbidden(reason).reasons == (reason,)
