"""Our side of the simulated channel: everything that is not clear, signed and matching becomes UNKNOWN (I-09, I-12)."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2

from houfu.channels.port import (
    Answer,
    BuyerScore,
    ChannelDown,
    Dedupe,
    Line,
    Notice,
    NoticeRejected,
    Payee,
    PayeeState,
    Report,
    Settlement,
    Statement,
    Transfer,
    Verdict,
)
from houfu.channels.simulator import signing
from houfu.kernel import clock, crash

STATUS = {
    "processing": Verdict.PROCESSING,
    "paid": Verdict.PAID,
    "denied": Verdict.DENIED,
    "returned": Verdict.RETURNED,
}
COLUMNS = ["no", "kind", "ref", "amount_fen", "fee_fen", "at"]
SKEW = timedelta(minutes=10)


class _Unbelievable(Exception):
    """An answer from which nothing may be concluded; says what was wrong with it."""


class SimulatorChannel:
    """Speaks to the simulated channel over HTTP.

    Args:
        base_url: where it listens.
        client_key: file with our private key.
        channel_key: file with the channel's public key.
        timeout: seconds until an answer is given up.
        dedupe: what the channel is known to do with a request number that it has seen.
        acceptance_window: how long it takes a request after the instant for which that was signed.
    """

    name = "simulator"

    def __init__(
        self,
        base_url: str,
        client_key: Path,
        channel_key: Path,
        timeout: float = 5,
        dedupe: Dedupe = Dedupe.STRICT,
        acceptance_window: timedelta = timedelta(seconds=300),
    ) -> None:
        self.dedupe = dedupe
        self.acceptance_window = acceptance_window
        self._timeout = timeout
        self._client_key = client_key
        self._channel_key = channel_key
        self._http = httpx2.Client(base_url=base_url, timeout=timeout, trust_env=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def transfer(self, transfer: Transfer) -> Answer:
        """Send a transfer, signed for its own instant."""
        wanted = {
            "request_no": transfer.request_no,
            "amount_fen": transfer.amount_fen,
            "fee_fen": transfer.fee_fen,
            "currency": "CNY",
            "payee": {"kind": transfer.payee.kind, "account": transfer.payee.account, "name": transfer.payee.name},
            "purpose": transfer.purpose,
        }
        return self._about("POST", "/v1/transfers", transfer, json.dumps(wanted).encode(), transfer.at)

    def query(self, transfer: Transfer) -> Answer:
        """Ask what became of a transfer."""
        return self._about("GET", f"/v1/transfers/{transfer.request_no}", transfer, b"", clock.now())

    def _about(self, method: str, path: str, transfer: Transfer, body: bytes, at: datetime) -> Answer:
        try:
            status, content = self._ask(method, path, transfer.principal, body, at)
            said = self._read(content)
            if status == 404 and said.get("code") == "not_found":
                return Answer(Verdict.NOT_FOUND, "not_found")
            if status != 200:
                raise _Unbelievable(str(said.get("code") or f"http_{status}"))
            return _judged(transfer, said)
        except _Unbelievable as wrong:
            return Answer(Verdict.UNKNOWN, str(wrong))

    def payee_state(self, principal: str, payee: Payee) -> PayeeState:
        """Ask in which state an account is; UNKNOWN when no answer can be believed."""
        body = json.dumps({"kind": payee.kind, "account": payee.account, "name": payee.name}).encode()
        try:
            status, content = self._ask("POST", "/v1/payees/query", principal, body, clock.now())
            return PayeeState(self._read(content).get("state")) if status == 200 else PayeeState.UNKNOWN
        except (_Unbelievable, ValueError):
            return PayeeState.UNKNOWN

    def report(self, principal: str, reports: Sequence[Report]) -> int:
        """Tell of receipts and refunds."""
        said = [
            {"kind": r.kind, "order_id": r.order_id, "ref": r.ref, "amount_fen": r.amount_fen, "at": r.at.isoformat()}
            for r in reports
        ]
        status, content = self._surely("POST", "/v1/reports", principal, json.dumps({"reports": said}).encode())
        taken = self._read(content).get("taken")
        if status != 200 or not isinstance(taken, int) or not 0 <= taken <= len(reports):
            raise ChannelDown(status=status)
        return taken

    def settlement(self, principal: str, order_id: str) -> Settlement | None:
        """Ask whether an order's money was credited."""
        status, content = self._surely("GET", f"/v1/settlements/{order_id}", principal, b"")
        if status == 404:
            return None
        try:
            said = self._read(content)
            if status != 200 or said["order_id"] != order_id:
                raise ChannelDown(status=status)
            if said["status"] != "settled":
                return None
            return Settlement(order_id, int(said["gross_fen"]), int(said["fee_fen"]), _instant(said["at"]))
        except (_Unbelievable, KeyError, ValueError, TypeError) as error:
            raise ChannelDown(said=str(error)) from error

    def buyer_score(self, principal: str, buyer: str) -> BuyerScore | None:
        """Ask for a buyer's score; the answer names the buyer again, or it is none."""
        body = json.dumps({"buyer": buyer}).encode()
        status, content = self._surely("POST", "/v1/buyers/query", principal, body)
        try:
            said = self._read(content)
            if status == 404 and said.get("code") == "not_found":
                return None
            if status != 200 or said["buyer"] != buyer or not isinstance(said["score"], int):
                raise ChannelDown(status=status)
            return BuyerScore(said["score"], _instant(said["at"]), str(said["no"]))
        except (_Unbelievable, KeyError, ValueError, TypeError) as error:
            raise ChannelDown(said=str(error)) from error

    def statement(self, principal: str, day: date) -> Statement:
        """Fetch a day's statement; lines shown twice count once, and one number may not stand for two lines."""
        status, content = self._surely("GET", f"/v1/statements/{day.isoformat()}", principal, b"")
        if status != 200:
            raise ChannelDown(status=status)
        lines: dict[str, Line] = {}
        try:
            text = io.StringIO(content.decode(), newline="")
            head = text.readline()
            rows = csv.reader(text, strict=True)
            if not head.startswith(("#final,", "#open,")) or next(rows, None) != COLUMNS:
                raise ChannelDown(said="no statement")
            for no, kind, ref, amount_fen, fee_fen, at in rows:
                line = Line(no, kind, ref, int(amount_fen), int(fee_fen), _instant(at))
                if lines.setdefault(no, line) != line:
                    raise ChannelDown(said=f"line {no} stands for two")
        except (ValueError, csv.Error) as error:
            raise ChannelDown(said=str(error)) from error
        return Statement(principal, day, head.startswith("#final"), [x for x in lines.values() if x.kind != "top_up"])

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a notice's signature and time, and say what it is about."""
        given = {name.lower(): value for name, value in headers.items()}
        notice_id, principal = given.get(signing.NOTICE_ID, ""), given.get(signing.PRINCIPAL, "")
        timestamp = given.get(signing.TIMESTAMP, "")
        text = signing.notice_text(notice_id, timestamp, principal, body)
        if not signing.holds(signing.public_key(self._channel_key), text, given.get(signing.SIGNATURE, "")):
            raise NoticeRejected(why="signature")
        try:
            if abs(_instant(timestamp) - clock.now()) > SKEW:
                raise NoticeRejected(why="stamp")
            said = json.loads(body)
            return Notice(notice_id, principal, str(said["kind"]), str(said["ref"]))
        except (ValueError, KeyError, TypeError) as error:
            raise NoticeRejected(why="unreadable") from error

    def _surely(self, method: str, path: str, principal: str, body: bytes) -> tuple[int, bytes]:
        try:
            return self._ask(method, path, principal, body, clock.now())
        except _Unbelievable as wrong:
            raise ChannelDown(said=str(wrong)) from wrong

    def _ask(self, method: str, path: str, principal: str, body: bytes, at: datetime) -> tuple[int, bytes]:
        """Send a signed request and return status and body of an answer that is signed for it, and fresh."""
        timestamp = signing.stamp(at)
        text = signing.request_text(method, path, timestamp, principal, body)
        signature = signing.sign(signing.private_key(self._client_key), text)
        headers = {signing.PRINCIPAL: principal, signing.TIMESTAMP: timestamp, signing.SIGNATURE: signature}
        try:
            status, answered, content = self._fetch(method, path, headers, body)
        except httpx2.TimeoutException as error:
            raise _Unbelievable("timeout") from error
        except httpx2.HTTPError as error:
            raise _Unbelievable("connection") from error
        stamp = answered.get(signing.TIMESTAMP, "")
        expected = signing.answer_text(principal, signature, stamp, status, content)
        if not signing.holds(signing.public_key(self._channel_key), expected, answered.get(signing.SIGNATURE, "")):
            raise _Unbelievable(f"http_{status}" if status >= 429 else "signature")
        try:
            fresh = abs(_instant(stamp) - clock.now()) <= SKEW
        except ValueError:
            fresh = False
        if not fresh:
            raise _Unbelievable("stamp")
        return status, content

    def _fetch(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Fetch a whole answer within the timeout; a trickle of bytes does not extend it."""
        ends = monotonic() + self._timeout
        with self._http.stream(method, path, headers=headers, content=body) as answer:
            crash.point("wire.answer_begins")
            parts = []
            for part in answer.iter_bytes():
                parts.append(part)
                if monotonic() > ends:
                    raise httpx2.ReadTimeout("the answer trickles")
            return answer.status_code, answer.headers, b"".join(parts)

    @staticmethod
    def _read(content: bytes) -> dict[str, Any]:
        try:
            said = json.loads(content)
        except ValueError as error:
            raise _Unbelievable("unreadable") from error
        if not isinstance(said, dict):
            raise _Unbelievable("unreadable")
        return said


def _judged(transfer: Transfer, said: dict[str, Any]) -> Answer:
    """Believe an answer only if it is about this very transfer in every part (I-12)."""
    expected = {
        "request_no": transfer.request_no,
        "principal": transfer.principal,
        "amount_fen": transfer.amount_fen,
        "fee_fen": transfer.fee_fen,
        "currency": "CNY",
        "payee_account": transfer.payee.account,
    }
    for name, value in expected.items():
        if said.get(name) != value:
            raise _Unbelievable(name)
    if said.get("status") not in STATUS:
        raise _Unbelievable("status")
    try:
        at = _instant(said.get("at"))
    except ValueError as error:
        raise _Unbelievable("unreadable") from error
    return Answer(STATUS[said["status"]], str(said.get("code", "")), str(said.get("channel_no", "")), at)


def _instant(said: object) -> datetime:
    """Read an instant; one without an offset could be anybody's.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(str(said))
    if at.tzinfo is None:
        raise ValueError("an instant without an offset")
    return at
