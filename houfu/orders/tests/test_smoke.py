from houfu.testing.world import open_shop, pool
from houfu.orders.models import Order

def test_all(db):
    shop = open_shop(own_limit_fen=100_000)
    d = shop.place(60_000, 70_000, 40_000)
    assert [x.state for x in d] == ["authorised", "declined", "authorised"]
    assert d[1].reasons == ("limit_exceeded",)
    print(d)
    print(shop.books())
    shop.receive(shop.placed[0])
    print(shop.books())
    shop.settle({shop.placed[0]: 60_000}, fee_fen=360)
    print(shop.books())
    import datetime
    from houfu.kernel import clock
    print(shop.mature(clock.now()+datetime.timedelta(days=2)))
    print(shop.books())
    p = shop.ask(30_000)
    print(p, shop.books())
    from houfu.history import queries
    for l in reversed(queries.links(shop.merchant_id)): print(l.seq, l.verb, l.subject, l.detail)
    assert queries.broken_links()==[]
    assert 0
