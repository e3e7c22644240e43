"""Small files in the layouts of the shipped mappings, made up here."""

import csv
import io
from pathlib import Path

from houfu.imports import actions, mapping

MARKETPLACE = (mapping.SHIPPED / "marketplace.toml").read_text()
EVENTS = (mapping.SHIPPED / "events.toml").read_text()
ORDERS = (
    "order_id", "customer_id", "order_status", "order_purchase_timestamp", "order_approved_at",
    "order_delivered_carrier_date", "order_delivered_customer_date",
)  # fmt: skip
ITEMS = ("order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value")
EVENT = ("kind", "order_id", "store", "amount", "at", "buyer", "ref", "evidence")
BOUGHT, APPROVED, CARRIED, DELIVERED = (
    "2025-11-01 10:00:00", "2025-11-01 10:20:00", "2025-11-02 09:00:00", "2025-11-04 16:30:00",
)  # fmt: skip


def table(columns, *rows):
    """Write rows, each a dict with some of the columns or a line as it is to stand, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if isinstance(row, str):
            text.write(row + "\n")
        else:
            writer.writerow([row.get(column, "") for column in columns])
    return text.getvalue()


def order(id, status="delivered", *, bought=BOUGHT, approved=APPROVED, carried=CARRIED, delivered=DELIVERED):
    """One row of the marketplace's orders."""
    return dict(zip(ORDERS, (id, f"buyer-{id}", status, bought, approved, carried, delivered), strict=True))


def item(order_id, price, freight="0.00", *, seller="S1", no=1):
    """One row of the marketplace's order items."""
    return dict(zip(ITEMS, (order_id, no, "p-1", seller, price, freight), strict=True))


def event(kind, order_id, at, **more):
    """One row of our own layout."""
    return {"kind": kind, "order_id": order_id, "at": at, **more}


def put(folder: Path, encoding="utf-8", **texts) -> list[Path]:
    """Write files of these names and return where they are, in the order given."""
    paths = []
    for name, text in texts.items():
        path = folder / f"{name}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        paths.append(path)
    return paths


def begin(shop, paths, mapping_text=MARKETPLACE):
    """Read files in, and return the import."""
    return actions.begin(
        by=shop.owner, merchant_id=shop.merchant_id, paths=paths, mapping_text=mapping_text, progress=lambda *said: None
    )


def work(shop, found):
    """Do all steps of an import."""
    while actions.work(by=shop.owner, found=found):
        pass


def take_in(shop, paths, mapping_text=MARKETPLACE):
    """Read files in and do all their steps."""
    found = begin(shop, paths, mapping_text)
    work(shop, found)
    return found
