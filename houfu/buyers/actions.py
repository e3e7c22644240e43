"""Scoring buyers. Lines are held and let go of with their orders, in SQL."""

from datetime import datetime

from houfu.buyers import queries, rules
from houfu.buyers.queries import Line
from houfu.channels import registry
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, NotFound
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("buyers_score_range", "buyers_score_source", "buyers_score_ref")
class BadScore(Invalid):
    """A score of 0 to 1,000,000 has an instant that is not ahead, says whose word it is, and names a buyer plainly."""

    code = "buyers_score_invalid"


@db.refuse_on("buyers_score_once")
class ScoreReused(Invalid):
    """Another score of this buyer and instant is on record."""

    code = "buyers_score_once"


@db.action
def score(
    *,
    by: Actor,
    channel: str,
    buyer: str,
    score: int,
    scored_at: datetime,
    source: str = "platform",
    ref: str = "",
    merchant_id: int | None = None,
    store_id: int | None = None,
) -> Line:
    """Record a buyer's credit score; the latest one makes their line, by the policy of its instant (O5).

    A lower line takes nothing away that is held. The same score again changes nothing.

    Args:
        channel: the channel that knows the buyer by this id.
        scored_at: the instant that the score is of.
        source: "platform", or "channel" where it is the channel's own word.
        ref: where it can be read again, such as a report's number.
        merchant_id, store_id: the store that grants the line; the platform does where none is named.

    Raises:
        BadScore, ScoreReused, NotFound: nothing was recorded.
    """
    by.require("platform:write")
    now = clock.now()
    if scored_at > now or not channel or not 1 <= len(buyer) <= 64 or (merchant_id is None) != (store_id is None):
        raise BadScore()
    if merchant_id is not None and store_id is not None:
        merchants.store(merchant_id, store_id)
    policy = policies.at(scored_at)
    limit_fen = rules.limit_fen(score, policy.buyers.lines)
    digest = queries.digest(channel, buyer)
    fresh = db.call(
        "buyers_score_v1", digest, score, scored_at, source, ref, limit_fen, merchant_id, store_id, policy.version,
        by.label, now,
    )[0].fresh  # fmt: skip
    if fresh:
        history.record(
            "buyer.scored",
            by=by,
            merchant_id=history.PLATFORM,
            subject=f"buyer/{digest.hex()}",
            score=score,
            scored_at=scored_at.isoformat(),
            source=source,
            ref=ref,
            limit_fen=limit_fen,
            policy=policy.version,
        )
    return queries.line(by, channel, buyer)


def ask(*, by: Actor, merchant_id: int, store_id: int, buyer: str) -> Line:
    """Ask a store's channel what it thinks of a buyer, and record its word; the line is the platform's to grant (O5).

    Raises:
        NotFound: no such store, or the channel has no score of this buyer; ChannelDown: no answer can be believed.
        BadScore, ScoreReused: what it says cannot be recorded.
    """
    by.require("platform:write")
    store = merchants.access_store(by, "merchants:read", merchant_id, store_id)
    account = merchants.channel_account(merchant_id, store.channel_account_id)
    if not 1 <= len(buyer) <= 64:
        raise BadScore()
    found = registry.channel(account.channel).buyer_score(account.principal, buyer)
    if found is None:
        raise NotFound()
    return score(
        by=by,
        channel=account.channel,
        buyer=buyer,
        score=found.score,
        scored_at=found.at,
        source="channel",
        ref=found.ref,
    )
