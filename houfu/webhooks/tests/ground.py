"""A merchant with an endpoint, and a network that answers as it is told, without a socket."""

import json
import threading
from dataclasses import dataclass, field

from houfu.history import actions as history
from houfu.kernel import db
from houfu.testing.world import open_shop
from houfu.webhooks import actions, queries
from houfu.webhooks.sender import Sender
from houfu.webhooks.wire import Answer

URL = "https://hooks.example.com/houfu"


@dataclass
class Post:
    """What somebody was sent."""

    host: str
    headers: dict
    body: dict
    raw: bytes

    @property
    def id(self):
        return self.headers["webhook-id"]


@dataclass
class Told:
    """Stands where the wire does; `says` is the outcome for each host, or something that makes one of a post."""

    says: dict = field(default_factory=dict)
    posts: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, target, headers, body, line=None):
        post = Post(target.host, dict(headers), json.loads(body), body)
        with self.lock:
            self.posts.append(post)
        said = self.says.get(target.host, "delivered")
        outcome = said(post) if callable(said) else said
        status = {"delivered": 204, "gone": 410, "not_accepted": 500}.get(outcome)
        return Answer(outcome, status, 5), None

    def to(self, host="hooks.example.com"):
        """The verbs that a host was sent, in order."""
        return [post.body["type"] for post in self.posts if post.host == host]


@dataclass
class Ear:
    """An endpoint of a shop."""

    shop: object
    id: int
    signer: object

    @property
    def row(self):
        return queries.endpoint(self.shop.merchant_id, self.id)

    @property
    def log(self):
        return queries.deliveries(self.shop.owner, self.shop.merchant_id, endpoint_id=self.id, limit=1000)

    @property
    def states(self):
        return [each.state for each in reversed(self.log)]

    def do(self, verb, **said):
        return getattr(actions, verb)(by=self.shop.owner, merchant_id=self.shop.merchant_id, id=self.id, **said)


def shop():
    return open_shop(own_limit_fen=0)


def listen(shop, url=URL, verbs=("*",)):
    endpoint, signer = actions.add(by=shop.owner, merchant_id=shop.merchant_id, url=url, verbs=list(verbs))
    return Ear(shop, endpoint.id, signer)


@db.action
def happen(shop, *verbs, subject="store/1", **detail):
    """Let things happen to a shop, each a link in its chain."""
    for verb in verbs:
        history.record(verb, by=shop.owner, merchant_id=shop.merchant_id, subject=subject, **detail)


def notes(shop, verb):
    """What a shop's chain says of a verb."""
    links = db.rows(
        "SELECT subject, detail FROM history_link WHERE merchant_id = %s AND verb = %s ORDER BY seq",
        [shop.merchant_id, verb],
    )
    return [(link.subject, json.loads(link.detail)) for link in links]


def sender(told):
    return Sender(wire=told)


def hush():
    """Let no endpoint of an earlier test be told anything any more: a sender tells all there are."""
    db.rows("UPDATE webhooks_endpoint SET state = 'disabled', disabled_for = 'asked' WHERE state = 'active'")
