"""Shops whose money lies at the simulated channel, and looking at their payouts."""

from houfu.payouts import queries


def earn(channel, shop, *amounts_fen, store=None):
    """Let a shop earn matured money that the channel has too, and return the orders."""
    channel.top_up(shop.principal, sum(amounts_fen))
    return shop.earn(*amounts_fen, store=store)


def state(shop, payout):
    return queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).state


def number(shop, payout):
    """Return the number under which a payout was sent; None if it was not."""
    sent = queries.attempt(shop.merchant_id, payout.id)
    return sent.request_no if sent else None
