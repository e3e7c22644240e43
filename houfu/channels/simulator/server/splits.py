"""Splits: relations, parts of settled orders for receivers, and parts taken back, with the channel's own laws."""

import asyncio
import hashlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from houfu.channels.simulator.server.behaviours import SPLIT_DONE, Behaviour, read
from houfu.channels.simulator.server.store import Store

TOGETHER = 5  # receivers of a synchronous call at most


def bind(store: Store, principal: str, wanted: dict[str, Any]) -> str:
    """Let an account receive parts of a principal's orders, unless the script refuses it; return what it is now."""
    if wanted["account"] in store.script["refuses_relations"] or wanted["relation"] not in ("supplier", "carrier"):
        return "refused"
    store.db.execute(
        "INSERT OR REPLACE INTO relation VALUES (?, ?, ?)", [principal, wanted["account"], wanted["relation"]]
    )
    return "bound"


def release(store: Store, principal: str, account: str) -> str:
    """Let an account receive nothing any more."""
    store.db.execute("DELETE FROM relation WHERE principal = ? AND account = ?", [principal, account])
    return "released"


def find(store: Store, table: str, principal: str, request_no: str) -> Any:
    """Return a split or a taking back under its number."""
    return store.one(f"SELECT * FROM {table} WHERE principal = ? AND request_no = ?", principal, request_no)  # noqa: S608  ours


async def take(
    store: Store, table: str, queue: str, principal: str, wanted: dict[str, Any], now: datetime
) -> tuple[int, dict[str, Any], str]:
    """Take a split or a taking back in, once or as often as this channel's dedupe lets it, as the script wants it.

    Args:
        table: "split" or "split_return".
        queue: the script's queue of behaviours for it.
    """
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    dedupe = store.script["dedupe"]
    there = find(store, table, principal, wanted["request_no"])
    if there and dedupe != "none":
        same = there["digest"] == digest
        return (200, view(store, table, there), "") if same else (409, {"code": "request_no_reused"}, "")
    if dedupe == "racy":
        await asyncio.sleep(0.05)  # another request of this number may come in now, and is not noticed
    behaviour = read(store.next_from(queue) or "ok", SPLIT_DONE)
    if behaviour.done == "never":
        return 200, {}, behaviour.name
    with store.change():
        (_keep_split if table == "split" else _keep_return)(store, principal, wanted, digest, behaviour, now)
        if behaviour.done not in ("later", "denied_later"):
            _execute(store, table, principal, wanted["request_no"], behaviour, now)
    return 200, view(store, table, find(store, table, principal, wanted["request_no"])), behaviour.name


def finish(store: Store, now: datetime) -> int:
    """Execute or deny what was left for later and is due, within the caller's change; return how much that was."""
    done = 0
    for table in ("split", "split_return"):
        due = store.all(
            f"SELECT * FROM {table} WHERE status = 'processing' AND due_at <= ? ORDER BY due_at",  # noqa: S608  ours
            now.isoformat(),
        )
        for row in due:
            behaviour = Behaviour(**json.loads(row["behaviour"]))
            _execute(store, table, row["principal"], row["request_no"], behaviour, now)
        done += len(due)
    return done


def view(store: Store, table: str, row: Any) -> dict[str, Any]:
    """Return what is said of a split or of a taking back."""
    said = {name: row[name] for name in ("request_no", "principal", "status", "code", "at")}
    said["currency"] = "CNY"
    if table == "split_return":
        return {**said, "split_no": row["split_no"], "payee_account": row["account"], "amount_fen": row["amount_fen"]}
    parts = _receivers(store, row["principal"], row["request_no"])
    return {
        **said,
        "order_id": row["order_id"],
        "amount_fen": sum(part["amount_fen"] for part in parts),
        "payee_account": ",".join(part["account"] for part in parts),
        "receivers": [{name: part[name] for name in ("account", "amount_fen", "status", "code")} for part in parts],
    }


def _receivers(store: Store, principal: str, request_no: str) -> list[Any]:
    return store.all(
        "SELECT * FROM receiver WHERE principal = ? AND request_no = ? ORDER BY place", principal, request_no
    )


def _keep_split(
    store: Store, principal: str, wanted: dict[str, Any], digest: str, behaviour: Behaviour, now: datetime
) -> None:
    request_no, due_at = wanted["request_no"], now + timedelta(seconds=behaviour.seconds)
    hidden = behaviour.name == "not_found_while_in_flight"
    store.db.execute(
        "INSERT OR REPLACE INTO split VALUES (?, ?, ?, ?, 'processing', '', ?, ?, ?, ?)",
        [principal, request_no, digest, wanted["order_id"], now.isoformat(), json.dumps(asdict(behaviour)),
         due_at.isoformat(), hidden],
    )  # fmt: skip
    for place, each in enumerate(wanted["receivers"], 1):
        store.db.execute(
            "INSERT OR REPLACE INTO receiver VALUES (?, ?, ?, ?, ?, 'processing', '', 0)",
            [principal, request_no, place, each["account"], each["amount_fen"]],
        )


def _keep_return(
    store: Store, principal: str, wanted: dict[str, Any], digest: str, behaviour: Behaviour, now: datetime
) -> None:
    due_at, hidden = now + timedelta(seconds=behaviour.seconds), behaviour.name == "not_found_while_in_flight"
    store.db.execute(
        "INSERT OR REPLACE INTO split_return VALUES (?, ?, ?, ?, ?, ?, 'processing', '', ?, ?, ?, ?)",
        [principal, wanted["request_no"], digest, wanted["split_no"], wanted["account"], wanted["amount_fen"],
         now.isoformat(), json.dumps(asdict(behaviour)), due_at.isoformat(), hidden],
    )  # fmt: skip


def _execute(store: Store, table: str, principal: str, request_no: str, behaviour: Behaviour, now: datetime) -> None:
    denied = "denied_by_channel" if behaviour.done in ("denied", "denied_later") else ""
    execute = _execute_split if table == "split" else _execute_return
    code = execute(store, principal, request_no, denied, behaviour, now)
    store.db.execute(
        f"UPDATE {table} SET status = ?, code = ?, due_at = NULL, hidden = 0, at = ?"  # noqa: S608  ours
        " WHERE principal = ? AND request_no = ?",
        ["denied" if code else "paid", code, now.isoformat(), principal, request_no],
    )


def _execute_split(
    store: Store, principal: str, request_no: str, denied: str, behaviour: Behaviour, now: datetime
) -> str:
    """Give every receiver its part, or say why not; return why none of them got any, empty where one did."""
    code = denied or _law_against(store, principal, request_no)
    codes = []
    for part in _receivers(store, principal, request_no):
        why = code
        if not why and not _bound(store, principal, part["account"]):
            why = "not_bound"
        if not why and behaviour.name == "partial" and part["place"] > 1:
            why = "denied_by_receiver"
        if not why and store.balance(principal) < part["amount_fen"]:
            why = "balance_not_enough"
        if not why:
            store.executed(principal, f"{request_no}/{part['place']}", part["amount_fen"], now)
            store.book(
                principal, "split", f"{request_no}/{part['place']}", part["amount_fen"], 0, -part["amount_fen"], now
            )
        store.db.execute(
            "UPDATE receiver SET status = ?, code = ? WHERE principal = ? AND request_no = ? AND place = ?",
            ["denied" if why else "paid", why, principal, request_no, part["place"]],
        )
        codes.append(why)
    return codes[0] if codes and all(codes) else ""


def _law_against(store: Store, principal: str, request_no: str) -> str:
    """Return which of the channel's laws a split would break: its order, its receivers, or its part of the net."""
    split = find(store, "split", principal, request_no)
    parts = _receivers(store, principal, request_no)
    order = store.one(
        "SELECT * FROM settlement WHERE principal = ? AND order_id = ? AND settled_at IS NOT NULL",
        principal,
        split["order_id"],
    )
    if order is None:
        return "order_not_settled"
    if not 1 <= len(parts) <= TOGETHER:
        return "too_many_receivers"
    given = store.one(
        "SELECT coalesce(sum(r.amount_fen), 0) AS fen FROM receiver r JOIN split s USING (principal, request_no)"
        " WHERE s.principal = ? AND s.order_id = ? AND r.status = 'paid'",
        principal,
        split["order_id"],
    )
    assert given
    wanted_fen = given["fen"] + sum(part["amount_fen"] for part in parts)
    most = (order["gross_fen"] - order["fee_fen"]) * store.script["max_ratio_permille"] // 1000
    return "ratio_exceeded" if wanted_fen > most else ""


def _bound(store: Store, principal: str, account: str) -> bool:
    return store.one("SELECT 1 FROM relation WHERE principal = ? AND account = ?", principal, account) is not None


def _execute_return(
    store: Store, principal: str, request_no: str, denied: str, behaviour: Behaviour, now: datetime
) -> str:
    """Take a part back, or say why it cannot be: from no receiver comes more than it has got."""
    row = find(store, "split_return", principal, request_no)
    part = store.one(
        "SELECT * FROM receiver WHERE principal = ? AND request_no = ? AND account = ? AND status = 'paid'",
        principal,
        row["split_no"],
        row["account"],
    )
    if denied:
        return denied
    if part is None or part["returned_fen"] + row["amount_fen"] > part["amount_fen"]:
        return "more_than_given"
    store.db.execute(
        "UPDATE receiver SET returned_fen = returned_fen + ? WHERE principal = ? AND request_no = ? AND place = ?",
        [row["amount_fen"], principal, row["split_no"], part["place"]],
    )
    store.executed(principal, request_no, row["amount_fen"], now)
    store.book(principal, "split_return", request_no, row["amount_fen"], 0, row["amount_fen"], now)
    return ""
