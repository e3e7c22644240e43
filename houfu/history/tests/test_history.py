from houfu.history import actions as history
from houfu.history import queries
from houfu.kernel import db
from houfu.people.actor import operator


@db.action
def say(*merchants):
    for m in merchants:
        history.record("test.said", by=operator("li"), merchant_id=m, subject="x/1", n=m, text="额度")


def test_chain(db):
    say(5, 6, 5)
    say(6)
    assert [link.seq for link in queries.links(5)] == [2, 1]
    assert queries.broken_links() == []
