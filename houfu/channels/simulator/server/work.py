"""What the channel does by the clock: settle orders, finish transfers, send money back, send notices."""

import json
from datetime import datetime, timedelta
from typing import Any

from houfu.channels.simulator.server import behaviours, splits
from houfu.channels.simulator.server.behaviours import Behaviour
from houfu.channels.simulator.server.store import SHANGHAI, Store


def finish(store: Store, now: datetime) -> dict[str, int]:
    """Do everything that is due but notices, and say how much of each."""
    with store.change():
        return {
            "settled": _settle(store, now),
            "finished": _finish_transfers(store, now),
            "returned": _give_back(store, now),
            "split": splits.finish(store, now),
        }


def _settle(store: Store, now: datetime) -> int:
    permille, notices = store.script["fee_permille"], store.script["notices"]
    due = store.all(
        "SELECT * FROM settlement WHERE settled_at IS NULL AND due_at <= ? AND gross_fen > 0 ORDER BY due_at",
        now.isoformat(),
    )
    for row in due:
        gross_fen, at = row["gross_fen"], datetime.fromisoformat(row["due_at"])
        fee_fen = (2 * gross_fen * permille + 1000) // 2000
        store.db.execute(
            "UPDATE settlement SET settled_at = ?, fee_fen = ? WHERE principal = ? AND order_id = ?",
            [row["due_at"], fee_fen, row["principal"], row["order_id"]],
        )
        store.book(row["principal"], "settlement", row["order_id"], gross_fen, fee_fen, gross_fen - fee_fen, at)
        if notices:
            store.notify(row["principal"], "settlement", row["order_id"], now, "once")
    return len(due)


def _finish_transfers(store: Store, now: datetime) -> int:
    due = store.all(
        "SELECT * FROM transfer WHERE status = 'processing' AND due_at <= ? ORDER BY due_at", now.isoformat()
    )
    for row in due:
        behaviour = Behaviour(**json.loads(row["behaviour"]))
        code = "denied_by_bank"
        if behaviour.done == "later":
            code = store.execute(
                row["principal"], row["request_no"], row["amount_fen"], row["fee_fen"], row["payee_account"], now
            )
        _conclude(store, row["principal"], row["request_no"], "denied" if code else "paid", code, behaviour, now)
    return len(due)


def _give_back(store: Store, now: datetime) -> int:
    due = store.all("SELECT * FROM transfer WHERE status = 'paid' AND due_at <= ?", now.isoformat())
    for row in due:
        back_fen = row["amount_fen"] + row["fee_fen"]
        store.book(row["principal"], "return", row["request_no"], back_fen, 0, back_fen, now)
        _conclude(
            store,
            row["principal"],
            row["request_no"],
            "returned",
            "returned_by_bank",
            Behaviour(**json.loads(row["behaviour"])),
            now,
        )
    return len(due)


def _conclude(
    store: Store, principal: str, request_no: str, status: str, code: str, behaviour: Behaviour, now: datetime
) -> None:
    store.db.execute(
        "UPDATE transfer SET status = ?, code = ?, due_at = NULL, hidden = 0, at = ?"
        " WHERE principal = ? AND request_no = ?",
        [status, code, now.isoformat(), principal, request_no],
    )
    notify(store, principal, request_no, behaviour, now)


def notify(store: Store, principal: str, request_no: str, behaviour: Behaviour, now: datetime) -> None:
    """Have notices sent about a transfer as its behaviour wants it."""
    variant = behaviour.notice
    if variant == "never":
        return
    due_at = now + {"late": timedelta(hours=25), "reordered": timedelta(seconds=2)}.get(variant, timedelta())
    store.notify(principal, "transfer", request_no, due_at, variant, 7 if variant == "many" else 1)


def transfer(
    store: Store, principal: str, wanted: dict[str, Any], digest: str, behaviour: Behaviour, now: datetime
) -> None:
    """Take a new transfer in, as its behaviour wants it."""
    with store.change():
        status, code, due_at = "paid", "", None
        if behaviour.done in ("later", "denied_later"):
            status, due_at = "processing", now + timedelta(seconds=behaviour.seconds)
        elif behaviour.done == "denied":
            status, code = "denied", "denied_by_bank"
        else:
            code = store.execute(
                principal,
                wanted["request_no"],
                wanted["amount_fen"],
                wanted["fee_fen"],
                wanted["payee"]["account"],
                now,
            )
            status = "denied" if code else "paid"
            if behaviour.name == "paid_then_returned" and not code:
                due_at = now + timedelta(days=behaviour.days)
        hidden = behaviour.name == "not_found_while_in_flight"
        store.keep_transfer(principal, wanted, digest, status, code, behaviour, now, due_at, hidden)
        if status != "processing":
            notify(store, principal, wanted["request_no"], behaviour, now)


def report(store: Store, principal: str, said: dict[str, Any], now: datetime) -> bool:
    """Take in that an order was received or refunded; False if the same was said before with another amount."""
    at = datetime.fromisoformat(said["at"])
    there = store.one(
        "SELECT amount_fen FROM report WHERE principal = ? AND order_id = ? AND kind = ? AND ref = ?",
        principal,
        said["order_id"],
        said["kind"],
        said["ref"],
    )
    if there:
        return bool(there["amount_fen"] == said["amount_fen"])
    store.db.execute(
        "INSERT INTO report VALUES (?, ?, ?, ?, ?, ?)",
        [principal, said["order_id"], said["kind"], said["ref"], said["amount_fen"], said["at"]],
    )
    if said["kind"] == "receipt":
        days = store.script["settle_after_days"]
        day = at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        due_at = max(day + timedelta(days=days) if days else at, now)  # never on a day that may have been stated
        store.db.execute(
            "INSERT INTO settlement (principal, order_id, gross_fen, due_at) VALUES (?, ?, ?, ?)",
            [principal, said["order_id"], said["amount_fen"], due_at.astimezone(now.tzinfo).isoformat()],
        )
        return True
    settlement = store.one("SELECT * FROM settlement WHERE principal = ? AND order_id = ?", principal, said["order_id"])
    if settlement and settlement["settled_at"]:
        number = f"{said['order_id']}/{said['ref']}"
        store.book(principal, "refund", number, said["amount_fen"], 0, -said["amount_fen"], now)
    elif settlement:
        store.db.execute(
            "UPDATE settlement SET gross_fen = gross_fen - ? WHERE principal = ? AND order_id = ?",
            [said["amount_fen"], principal, said["order_id"]],
        )
    return True


def choose(store: Store, seed: int) -> Behaviour:
    """Choose how the next new transfer fares: by the script's queue, by the seed, or by its default."""
    if said := store.next_from("transfers"):
        return behaviours.read(said)
    script = store.script
    if script["random"]:
        calls = store.one("SELECT times FROM call WHERE endpoint = 'post_transfer'")
        return behaviours.by_seed(seed, calls["times"] if calls else 0)
    return behaviours.read(script["default"])
