"""A probe says whether channels answer, and changes nothing on either side."""

import pytest

from houfu.channels import probe
from houfu.channels.registry import names
from houfu.channels.simulator import signing
from houfu.kernel.errors import Forbidden
from houfu.site import upkeep
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("db")


def test_a_channel_that_knows_of_no_such_transfer_answers(channel):
    shop = open_shop()
    [found] = probe.probe(OPERATOR)
    assert channel.executions(shop.principal) == 0
    assert (found.channel, found.answers, found.code) == ("simulator", True, "not_found")
    assert names() == ["simulator"]


@pytest.mark.parametrize(("wrong", "code"), [
    ({"url": "http://127.0.0.1:9"}, "connection"),  # nobody listens there
    ({"channel_key": "other.pub"}, "signature"),
])  # fmt: skip
def test_an_answer_that_cannot_be_believed_is_none(channel, wrong, code):
    signing.make_keys(channel.home / "other.key", channel.home / "other.pub")
    said = {name: str(channel.home / value) if name == "channel_key" else value for name, value in wrong.items()}
    entry = {
        "adapter": "simulator", "url": f"http://127.0.0.1:{channel.port}", "timeout_seconds": 0.3,
        "client_key": str(channel.home / "client.key"), "channel_key": str(channel.home / "channel.pub"),
    }  # fmt: skip
    upkeep.write_channel("simulator", **{**entry, **said})
    [found] = probe.probe(OPERATOR)
    assert (found.answers, found.code) == (False, code)


def test_only_the_platforms_people_ask():
    with pytest.raises(Forbidden):
        probe.probe(open_shop().owner)
