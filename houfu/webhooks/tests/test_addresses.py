"""Where messages may go, and where they may not, however it is written."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.webhooks.addresses import Target, UrlRefused, loopback, public, target


def read(url, ports=(), trial=False):
    return target(url, ports=ports, trial=trial)


@pytest.mark.parametrize(
    ("url", "host", "path", "normal"),
    [
        ("https://erp.example.com/houfu?x=1", "erp.example.com", "/houfu?x=1", "https://erp.example.com/houfu?x=1"),
        ("https://ERP.Example.com", "erp.example.com", "/", "https://erp.example.com/"),
        ("https://erp.example.com.:443/", "erp.example.com", "/", "https://erp.example.com/"),
        ("https://通知.例子.cn/收", None, None, None),
        ("https://通知.例子.cn/", "xn--k7y792c.xn--fsqu00a.cn", "/", "https://xn--k7y792c.xn--fsqu00a.cn/"),
        ("https://straße.de/", "xn--strae-oqa.de", "/", "https://xn--strae-oqa.de/"),
        ("https://erp。example。com/", "erp.example.com", "/", "https://erp.example.com/"),
        ("https://8.8.8.8/x", "8.8.8.8", "/x", "https://8.8.8.8/x"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111", "/x", "https://[2606:4700::1111]/x"),
    ],
)
def test_a_public_https_url_is_read_into_its_parts(url, host, path, normal):
    if host is None:
        with pytest.raises(UrlRefused) as refused:
            read(url)
        assert refused.value.details == {"why": "form"}
        return
    found = read(url)
    assert found == Target(host, 443, path, tls=True)
    assert found.url == normal
    assert read(found.url) == found


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "form"),
        ("https://erp.example.com/" + "x" * 2000, "form"),
        ("https://erp.example.com/a b", "form"),
        ("https://erp.example.com\\@evil.example.com/", "form"),
        ("https://erp.example.com/\r\nX-Evil: 1", "form"),
        ("https://erp.example.com/\x00", "form"),
        ("https://erp.example.com:99999/", "form"),
        ("https://[::1/", "form"),
        ("http://erp.example.com/", "scheme"),
        ("ftp://erp.example.com/", "scheme"),
        ("//erp.example.com/", "scheme"),
        ("erp.example.com", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https://user:secret@erp.example.com/", "credentials"),
        ("https://@erp.example.com/", "credentials"),
        ("https://8.8.8.8@127.0.0.1/", "credentials"),
        ("https://erp.example.com/#x", "fragment"),
        ("https://erp.example.com/#", "fragment"),
        ("https:///x", "host"),
        ("https://localhost/", "host"),
        ("https://intranet/", "host"),
        ("https://a..b/", "host"),
        ("https://-a.example.com/", "host"),
        ("https://a_b.example.com/", "host"),
        ("https://%6c%6fcalhost.example/", "host"),
        ("https://erp.example.com:8443/", "port"),
        ("https://erp.example.com:80/", "port"),
        # One address of this machine, in every writing that something somewhere takes for it.
        ("https://127.0.0.1/", "address"),
        ("https://127.0.0.1./", "address"),
        ("https://127.1/", "address"),
        ("https://127.0.1/", "address"),
        ("https://2130706433/", "address"),
        ("https://0x7f000001/", "address"),
        ("https://0X7F.0.0.1/", "address"),
        ("https://0x7f.1/", "address"),
        ("https://0177.0.0.1/", "address"),
        ("https://017700000001/", "address"),
        ("https://127.0.0.0x1/", "address"),
        ("https://127.0.0.0x/", "address"),
        ("https://１２７.０.０.１/", "address"),
        ("https://①②⑦.0.0.1/", "address"),
        ("https://127。0。0。1/", "address"),
        ("https://0.0.0.0/", "address"),
        ("https://0/", "address"),
        ("https://[::1]/", "address"),
        ("https://[::]/", "address"),
        ("https://[::ffff:127.0.0.1]/", "address"),
        ("https://[::ffff:7f00:1]/", "address"),
        ("https://[0:0:0:0:0:ffff:7f00:1]/", "address"),
        ("https://[64:ff9b::7f00:1]/", "address"),
        ("https://[2002:7f00:1::]/", "address"),
        ("https://[::7f00:1]/", "address"),
        ("https://[fe80::1%25eth0]/", "address"),
        ("https://169.254.169.254/latest/meta-data/", "address"),
        ("https://100.100.100.200/", "address"),
        ("https://168.63.129.16/", "address"),
        ("https://[fd00:ec2::254]/", "address"),
        ("https://10.0.0.1/", "address"),
        ("https://192.168.1.1/", "address"),
        ("https://172.16.0.1/", "address"),
    ],
)
def test_anything_else_is_refused_and_says_which_rule_it_breaks(url, why):
    with pytest.raises(UrlRefused) as refused:
        read(url)
    assert refused.value.details == {"why": why}


def test_an_operator_may_allow_a_port():
    assert read("https://erp.example.com:8443/", ports={8443}).authority == "erp.example.com:8443"
    assert read("https://[2606:4700::1111]:8443/", ports={8443}).authority == "[2606:4700::1111]:8443"
    with pytest.raises(UrlRefused):
        read("https://erp.example.com:8444/", ports={8443})


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/x", "http://localhost:9000/", "http://[::1]:9000/"])
def test_a_trial_alone_may_tell_a_listener_on_this_machine_in_clear(url):
    assert (read(url, trial=True).tls, read(url, trial=True).port) == (False, 9000)
    with pytest.raises(UrlRefused):
        read(url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.2/", "http://127.1/", "http://localhost.example.com/", "http://10.0.0.1/", "https://localhost/",
     "http://localhost@10.0.0.1/", "http://0.0.0.0/", "https://127.0.0.1/"],
)  # fmt: skip
def test_not_even_a_trial_tells_others_in_clear(url):
    with pytest.raises(UrlRefused):
        read(url, trial=True)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::", "::ffff:8.8.8.8"]
)
def test_public_addresses(address):
    assert public(address)


@pytest.mark.parametrize(
    "address",
    ["224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1", "198.18.0.1", "192.0.0.9",
     "203.0.113.1", str(ipaddress.IPv4Address(0)), "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "fec0::1",
     "ff02::1", "fc00::1", "100::1", "64:ff9b:1::808:808", "64:ff9b::a00:1", "2002:a00:1::", "::ffff:169.254.169.254",
     "::8.8.8.8", "fe80::1%eth0", "8.8.8.8%eth0", "localhost", "", "8.8.8.8 "],
)  # fmt: skip
def test_addresses_that_are_not(address):
    assert not public(address)


PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PRIVATE).flatmap(lambda n: st.integers(int(n[0]), int(n[-1]))))
def test_no_way_of_packing_a_private_address_makes_it_public(number):
    plain = ipaddress.IPv4Address(number)
    packings = [
        str(plain),
        f"::ffff:{plain}",
        f"64:ff9b::{plain}",
        f"::{plain}",
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b:1::")) | number)),
    ]
    assert not any(public(each) for each in packings)
    for each in (str(number), hex(number), f"0{number:o}"):
        with pytest.raises(UrlRefused):
            read(f"https://{each}/")


def test_this_machine_is_known_by_its_addresses_alone():
    assert loopback("127.0.0.1")
    assert loopback("::1")
    assert not loopback("10.0.0.1")
    assert not loopback("localhost")
