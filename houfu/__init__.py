"""Houfu (后付): limits, books and payouts for merchants who sell on pay-later terms."""

__version__ = "0.1.0"
