"""Where messages may go: https, to a host whose every address is public. Pure: nothing here looks a name up."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit

import idna

from houfu.kernel.errors import Invalid

LONGEST = 2000
HTTPS = 443
_OWN = {"localhost", "127.0.0.1", "::1"}
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)

# What `is_global` lets pass, or did in some version of the library, and no message may go to.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # a cloud's host, answering its guests
        "192.88.99.0/24",  # relays of 6to4
        "192.0.0.0/24",
        "::/96",  # IPv4 written the old way
        "64:ff9b:1::/48",  # NAT64 of a local network
        "100::/64",
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class UrlRefused(Invalid):
    """An endpoint is an https URL of a public host: no credentials, no fragment, on a port that is allowed."""

    code = "webhooks_url_refused"


@dataclass(frozen=True)
class Target:
    """A URL that may be told something.

    Args:
        host: in ASCII, as a certificate has it; an IPv6 address without its brackets.
        path: with the query.
        tls: False for a trial's listener on the machine itself alone.
    """

    host: str
    port: int
    path: str
    tls: bool

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (HTTPS if self.tls else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path}"


def target(url: str, *, ports: Collection[int], trial: bool) -> Target:
    """Read a URL strictly, and return where it leads.

    Args:
        ports: that the operator allows beside 443.
        trial: whether a listener on this machine may be told in clear.

    Raises:
        UrlRefused: `details.why` says which rule the URL breaks.
    """
    if not 0 < len(url) <= LONGEST or any(char <= " " or char in '\\"<>`{}|^\x7f' for char in url):
        _refuse("form")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _refuse("form")
    if "@" in parts.netloc:
        _refuse("credentials")
    if "#" in url:
        _refuse("fragment")
    path = _path(parts)
    if parts.scheme == "http" and trial and parts.hostname in _OWN:
        return Target(str(parts.hostname), port or 80, path, tls=False)
    if parts.scheme != "https":
        _refuse("scheme")
    host = _host(parts.hostname or "")
    if (port or HTTPS) not in {HTTPS, *ports}:
        _refuse("port")
    return Target(host, port or HTTPS, path, tls=True)


def public(said: str) -> bool:
    """Say whether a message may go to an address: it is a public one, and so is every address packed into it."""
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if packed := _packed(address):
            return public(str(packed))
    if any(address.version == network.version and address in network for network in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def loopback(said: str) -> bool:
    """Say whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(said).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Say whether a host is an address and needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _packed(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 one carries: mapped, behind NAT64, or by 6to4."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _host(said: str) -> str:
    """Return a host in ASCII; a number that could be an address must be written as one, and be a public one."""
    if ":" in said:
        return said if public(said) else _refuse("address")
    try:
        host = idna.encode(said, uts46=True, std3_rules=True).decode().rstrip(".")
    except UnicodeError:
        _refuse("host")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host if public(host) else _refuse("address")
    if "." not in host:
        _refuse("host")
    return host


def _path(parts: SplitResult) -> str:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return path if path.isascii() else _refuse("form")


def _refuse(why: str) -> NoReturn:
    raise UrlRefused(why=why)
