"""Where payouts come from: looked up in a file, and unusual only against what is known."""

import ipaddress
from uuid import uuid4

import pytest

from houfu.risk import actions as risk
from houfu.risk import origin, rules
from houfu.risk.models import Alert, Decision, Observation
from houfu.testing.world import open_shop

CHINA, FRANCE, NOWHERE = "223.5.5.5", "80.67.169.12", "198.51.100.1"


def field(value, name=""):
    """Write a value as a MaxMind file does; a number's width goes by its name."""
    if isinstance(value, str):
        raw = value.encode()
        return bytes([2 << 5 | len(raw)]) + raw
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(field(k) + field(v, k) for k, v in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(field, value))
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    kinds = {"node_count": bytes([6 << 5 | len(raw)]), "build_epoch": bytes([len(raw), 9 - 7])}
    return kinds.get(name, bytes([5 << 5 | len(raw)])) + raw


def country_file(path, networks):
    """Write a tiny MaxMind file: networks of IPv4, and what stands for each."""
    nodes, data = [[None, None]], b""
    for network, record in networks.items():
        net = ipaddress.ip_network(network)
        at = 0
        for depth in range(net.prefixlen):
            bit = int(net.network_address) >> (31 - depth) & 1
            if depth == net.prefixlen - 1:
                nodes[at][bit] = -len(data) - 1
            elif nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        data += field(record)
    count = len(nodes)
    tree = b""
    for node in nodes:
        for to in node:
            place = count if to is None else to if to >= 0 else count + 16 - to - 1
            tree += place.to_bytes(3, "big")
    about = {
        "node_count": count, "record_size": 24, "ip_version": 4, "database_type": "t", "languages": [],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1, "description": {},
    }  # fmt: skip
    path.write_bytes(tree + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + field(about))
    return str(path)


@pytest.fixture
def countries(tmp_path, settings_of):
    networks = {"223.5.5.0/24": {"country_code": "CN"}, "80.67.0.0/16": {"country": {"iso_code": "FR"}}}
    settings_of(COUNTRY_DB=country_file(tmp_path / "countries.mmdb", networks))


@pytest.fixture
def settings_of(monkeypatch):
    from django.conf import settings

    return lambda **said: [monkeypatch.setattr(settings, name, value) for name, value in said.items()]


def ask(shop, ip, person="wang"):
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=5, person=person, ip=ip)
    return risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{uuid4()}", facts=facts)


def alerts(shop):
    found = Alert.objects.filter(merchant_id=shop.merchant_id)
    return [(alert.rule, alert.concerns, alert.state, alert.times) for alert in found]


def test_countries_are_read_from_the_file(countries):
    found = {ip: origin.country(ip) for ip in (CHINA, FRANCE, NOWHERE, "", "::1", "not an address")}
    assert found == {CHINA: "CN", FRANCE: "FR", NOWHERE: "", "": "", "::1": "", "not an address": ""}


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind"])
def test_without_a_file_that_can_be_read_nothing_is_known(tmp_path, settings_of, content):
    path = tmp_path / "countries.mmdb"
    if content is not None:
        path.write_bytes(content)
    settings_of(COUNTRY_DB=str(path))
    assert origin.country(CHINA) == ""


@pytest.mark.usefixtures("db", "countries")
def test_a_persons_first_payout_from_another_country_alerts_and_goes_on():
    shop = open_shop(own_limit_fen=0)
    assert [ask(shop, ip).outcome for ip in (CHINA, CHINA, NOWHERE)] == ["allow"] * 3
    assert alerts(shop) == []
    assert ask(shop, FRANCE).outcome == "allow"
    assert alerts(shop) == [("unusual_origin", "person/wang", "open", 1)]
    ask(shop, FRANCE)
    ask(shop, FRANCE, person="zhao")
    assert alerts(shop) == [("unusual_origin", "person/wang", "open", 1)]


@pytest.mark.usefixtures("db", "countries")
def test_a_country_is_forgotten_after_so_many_payouts_from_elsewhere(clock):
    shop = open_shop(own_limit_fen=0)
    ask(shop, CHINA)
    for _ in range(20):
        ask(shop, FRANCE)
        clock.move(days=1)
    assert [times for *_, times in alerts(shop)] == [1]
    ask(shop, CHINA)
    assert [times for *_, times in alerts(shop)] == [2]


@pytest.mark.usefixtures("db")
def test_where_countries_are_not_known_origins_are_no_matter():
    shop = open_shop(own_limit_fen=0)
    for ip in (CHINA, FRANCE):
        ask(shop, ip)
    assert alerts(shop) == []
    assert set(Observation.objects.filter(merchant_id=shop.merchant_id).values_list("country", "ip")) == {
        ("", CHINA), ("", FRANCE),
    }  # fmt: skip


def test_networks_are_as_large_as_providers_hand_them_out():
    found = [origin.network(ip) for ip in (CHINA, "2400:3200::1", "", "not an address")]
    assert found == ["223.5.0.0/16", "2400:3200::/32", "", ""]


@pytest.mark.usefixtures("db")
def test_a_new_network_is_noticed_in_shadow_alone():
    shop = open_shop(own_limit_fen=0)
    for ip in (CHINA, "223.5.9.9", FRANCE):
        ask(shop, ip)
    decisions = Decision.objects.filter(merchant_id=shop.merchant_id).order_by("at", "id")
    said = [
        (each.mode, each.hit)
        for decision in decisions
        for each in rules.read_applied(decision.applied)
        if each.rule == "new_network"
    ]
    assert said == [("shadow", False), ("shadow", False), ("shadow", True)]
    assert alerts(shop) == []
