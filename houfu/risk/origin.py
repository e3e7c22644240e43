"""Where an address is: looked up in a file of the operator's, never over a network."""

import ipaddress
import logging
from functools import lru_cache
from typing import Any

import maxminddb
from django.conf import settings

log = logging.getLogger("houfu.risk")


def country(ip: str) -> str:
    """Return the country of an address as two capital letters; "" where there is no file or it does not say.

    A payout never waits for this: what cannot be looked up is unknown, and then no rule about origins hits.
    """
    reader = _reader(settings.COUNTRY_DB) if settings.COUNTRY_DB and ip else None
    try:
        found: Any = reader.get(ip) if reader else None
    except ValueError:  # no address, or one of a family that the file does not have
        return ""
    if not isinstance(found, dict):
        return ""
    nested = found.get("country")
    code = found.get("country_code") or (nested.get("iso_code") if isinstance(nested, dict) else nested)
    return code if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isupper() else ""


def network(ip: str) -> str:
    """Return the network around an address, as large as providers hand them out: /16, of IPv6 /32; "" for none."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 16 if address.version == 4 else 32), strict=False))


@lru_cache(maxsize=4)
def _reader(path: str) -> maxminddb.Reader | None:
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        log.warning("countries are not known: %s", error)
        return None
