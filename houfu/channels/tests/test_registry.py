"""channels.toml: which channels there are, and what is said where it names none that can be used."""

from datetime import timedelta

import pytest

from houfu.channels import actions, registry
from houfu.channels.port import Dedupe
from houfu.channels.registry import ChannelNotConfigured

ENTRY = """
[till]
adapter = "simulator"
url = "http://127.0.0.1:1"
client_key = "client.key"
channel_key = "channel.pub"
"""


@pytest.fixture
def written(settings_home):
    """Write channels.toml into a data folder of the test's own."""

    def write(text):
        (settings_home / "channels.toml").write_text(text)

    return write


@pytest.fixture
def settings_home(monkeypatch, tmp_path):
    monkeypatch.setattr("django.conf.settings.HOME", tmp_path)
    monkeypatch.setattr(registry, "_open", {})
    yield tmp_path
    for _, channel in registry._open.values():
        channel.close()


def test_an_entry_is_read_with_its_defaults(written):
    written(ENTRY)
    channel = registry.channel("till")
    assert (channel.name, channel.dedupe, channel.acceptance_window) == (
        "simulator", Dedupe.STRICT, timedelta(seconds=300),
    )  # fmt: skip


@pytest.mark.parametrize("dedupe", list(Dedupe))
def test_what_a_channel_does_with_a_number_it_has_seen_is_declared(written, dedupe):
    written(ENTRY + f'dedupe = "{dedupe.value}"\nacceptance_seconds = 60\n')
    channel = registry.channel("till")
    assert (channel.dedupe, channel.acceptance_window) == (dedupe, timedelta(minutes=1))


def test_an_entry_that_was_changed_is_read_anew_and_else_kept(written):
    written(ENTRY)
    first = registry.channel("till")
    assert registry.channel("till") is first
    written(ENTRY + 'dedupe = "none"\n')
    second = registry.channel("till")
    assert second is not first
    assert second.dedupe is Dedupe.NONE
    assert first._http.is_closed


@pytest.mark.parametrize("text", [
    "",
    "[other]\nadapter = 'simulator'\n",
    ENTRY.replace('"simulator"', '"telegraph"'),
    ENTRY.replace("adapter", "adaptor"),
    ENTRY.replace("url", "uri"),
    ENTRY.replace("channel_key", "key"),
    ENTRY + 'dedupe = "sometimes"\n',
    ENTRY + 'acceptance_seconds = "long"\n',
    ENTRY + "not toml",
    "till = 5\n",
])  # fmt: skip
def test_what_cannot_be_used_is_not_configured(written, text):
    written(text)
    with pytest.raises(ChannelNotConfigured) as refused:
        registry.channel("till")
    assert (refused.value.code, refused.value.details) == ("channel_not_configured", {"channel": "till"})


def test_without_the_file_no_channel_is_configured(settings_home):
    with pytest.raises(ChannelNotConfigured):
        registry.channel("simulator")
    with pytest.raises(ChannelNotConfigured):
        actions.take_notice("simulator", {}, b"{}")
