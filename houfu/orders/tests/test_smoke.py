from houfu.testing.world import open_shop
from houfu.verify import queries as v


def test_all(db):
    shop = open_shop(own_limit_fen=100_000)
    shop.place(60_000, 70_000, 40_000)
    shop.receive(shop.placed[0])
    shop.settle({shop.placed[0]: 60_000}, fee_fen=360)
    shop.earn(10_000)
    p = shop.ask(5_000 + 5_000)
    r = v.run()
    print(r)
    assert not r.findings
