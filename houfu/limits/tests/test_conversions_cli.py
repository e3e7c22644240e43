"""houfu recognition and conversion, as an operator meets them."""

import json

import pytest
from click.testing import CliRunner

from houfu.kernel.errors import Refused
from houfu.limits.conversions_cli import conversion, recognition
from houfu.testing.platforms import open_platforms

pytestmark = pytest.mark.usefixtures("fresh_db")


def houfu(group, *words, by="li", as_json=True):
    options = ["--as", by, *(["--json"] if as_json else [])]
    answer = CliRunner().invoke(group, [*map(str, words), *options])
    if isinstance(answer.exception, Refused):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output) if as_json else answer.output


def test_from_two_documents_to_a_conversion(tmp_path):
    both = open_platforms(recognised=False)
    documents = []
    for account in both.accounts:
        (tmp_path / str(account)).write_text(f"qualification {account}")
        documents += ["--document", account, f"商家资质 {account}", tmp_path / str(account)]
    made = houfu(recognition, "propose", both.m, *documents)
    both.recognition_id = made["id"]
    for account in both.accounts:
        both.sign(account)
        houfu(recognition, "accept", both.m, made["id"], account, by="chen")
    [shown] = houfu(recognition, "list", both.m)
    assert (shown["state"], len(shown["sides"])) == ("recognised", 2)

    asked = houfu(conversion, "ask", both.m, both.giving, both.taking, "100.00")
    assert (asked["state"], asked["given_fen"]) == ("asked", 8_000)
    with pytest.raises(Refused):
        houfu(conversion, "confirm", both.m, asked["id"])
    assert houfu(conversion, "confirm", both.m, asked["id"], by="chen")["state"] == "active"
    other = houfu(conversion, "ask", both.m, both.giving, both.taking, "1")
    houfu(conversion, "refuse", both.m, other["id"], "不再需要", as_json=False)
    assert [row["state"] for row in houfu(conversion, "list", both.m)] == ["refused", "active"]
    houfu(recognition, "withdraw", both.m, made["id"], as_json=False)
    again = houfu(recognition, "propose", both.m, *documents)
    houfu(recognition, "refuse", both.m, again["id"], "资质已过期", by="chen", as_json=False)
    assert [row["state"] for row in houfu(recognition, "list", both.m)] == ["refused", "withdrawn"]
