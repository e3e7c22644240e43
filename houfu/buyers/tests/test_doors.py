"""Scoring buyers by the channel's word, and over the command line."""

import json

import pytest
from click.testing import CliRunner

from houfu.buyers import actions as buyers
from houfu.buyers.cli import cli
from houfu.buyers.tests.ground import CHANNEL, line, new_buyer, open_sharing, reasons, sell
from houfu.channels.port import ChannelDown
from houfu.kernel.errors import Forbidden, NotFound, Refused
from houfu.testing.world import OPERATOR

pytestmark = pytest.mark.usefixtures("db")


def houfu(*words):
    answer = CliRunner().invoke(cli, [*map(str, words), "--as", "li", "--json"])
    if isinstance(answer.exception, Refused):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_the_channels_word_makes_a_line(channel):
    shop, buyer, unknown = open_sharing(), new_buyer(None), new_buyer(None)
    channel.script(scores={buyer: [610, "2025-11-09T10:00:00+08:00"]})
    at = {"by": OPERATOR, "merchant_id": shop.merchant_id, "store_id": shop.store}
    found = buyers.ask(**at, buyer=buyer)
    assert (found.limit_fen, found.scores[0].source, found.scores[0].ref) == (
        150_000, "channel", f"S-{buyer}-2025-11-09",
    )  # fmt: skip
    assert buyers.ask(**at, buyer=buyer) == found  # the same word again
    assert reasons(sell(shop, (buyer, 150_001), (buyer, 150_000))) == ["buyer_line_exceeded", ""]
    with pytest.raises(NotFound):
        buyers.ask(**at, buyer=unknown)
    channel.script(scores={unknown: ["high", "2025-11-09T10:00:00+08:00"]})
    with pytest.raises(ChannelDown):
        buyers.ask(**at, buyer=unknown)
    with pytest.raises(Forbidden):
        buyers.ask(**{**at, "by": shop.owner}, buyer=buyer)
    with pytest.raises(NotFound):
        line(unknown)


def test_scores_and_lines_at_the_command_line(channel):
    shop, buyer = open_sharing(), new_buyer(None)
    said = houfu("score", CHANNEL, buyer, 560, "--at", "2025-11-08T10:00:00", "--ref", "R-1")
    assert (said["limit_fen"], said["scores"][0]["ref"]) == (50_000, "R-1")
    channel.script(scores={buyer: [640, "2025-11-09T10:00:00+08:00"]})
    assert houfu("ask", shop.merchant_id, shop.store, buyer)["limit_fen"] == 150_000
    shown = houfu("show", CHANNEL, buyer)
    assert [(each["score"], each["source"]) for each in shown["scores"]] == [(640, "channel"), (560, "platform")]
    with pytest.raises(NotFound):
        houfu("show", CHANNEL, "nobody")
