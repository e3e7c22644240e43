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
    Bond,
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
    Split,
    SplitAnswer,
    Statement,
    TakeBack,
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
            said = self._said(method, path, transfer.principal, body, at)
            return Answer(Verdict.NOT_FOUND, "not_found") if said is None else _judged(transfer, said)
        except _Unbelievable as wrong:
            return Answer(Verdict.UNKNOWN, str(wrong))

    def _said(self, method: str, path: str, principal: str, body: bytes, at: datetime) -> dict[str, Any] | None:
        """Return what is said of something under a request number; None where the channel knows no such number."""
        status, content = self._ask(method, path, principal, body, at)
        said = self._read(content)
        if status == 404 and said.get("code") == "not_found":
            return None
        if status != 200:
            raise _Unbelievable(str(said.get("code") or f"http_{status}"))
        return said

    def payee_state(self, principal: str, payee: Payee) -> PayeeState:
        """Ask in which state an account is; UNKNOWN when no answer can be believed."""
        body = json.dumps({"kind": payee.kind, "account": payee.account, "name": payee.name}).encode()
        try:
            status, content = self._ask("POST", "/v1/payees/query", principal, body, clock.now())
            return PayeeState(self._read(content).get("state")) if status == 200 else PayeeState.UNKNOWN
        except (_Unbelievable, ValueError):
            return PayeeState.UNKNOWN

    def bind(self, principal: str, payee: Payee, relation: str) -> Bond:
        """Ask that an account may receive parts of orders."""
        wanted = {"kind": payee.kind, "account": payee.account, "name": payee.name, "relation": relation}
        return self._bond("/v1/relations", principal, wanted)

    def release(self, principal: str, payee: Payee) -> Bond:
        """Ask that an account receives nothing any more."""
        return self._bond("/v1/relations:release", principal, {"kind": payee.kind, "account": payee.account})

    def _bond(self, path: str, principal: str, wanted: dict[str, Any]) -> Bond:
        try:
            status, content = self._ask("POST", path, principal, json.dumps(wanted).encode(), clock.now())
            said = self._read(content)
            same = status == 200 and said.get("account") == wanted["account"]
            return Bond(said.get("status")) if same else Bond.UNKNOWN
        except (_Unbelievable, ValueError):
            return Bond.UNKNOWN

    def max_ratio(self, principal: str) -> int:
        """Ask which part of an order's net may be split, per mille."""
        status, content = self._surely("GET", "/v1/max-ratio", principal, b"")
        try:
            permille = self._read(content).get("permille")
        except _Unbelievable as wrong:
            raise ChannelDown(said=str(wrong)) from wrong
        if status != 200 or not isinstance(permille, int) or not 0 <= permille <= 1000:
            raise ChannelDown(status=status)
        return permille

    def split(self, split: Split) -> SplitAnswer:
        """Send a split, signed for its own instant."""
        wanted = {
            "request_no": split.request_no,
            "order_id": split.order_id,
            "currency": "CNY",
            "receivers": [
                {"kind": each.payee.kind, "account": each.payee.account, "amount_fen": each.amount_fen}
                for each in split.receivers
            ],
        }
        return self._about_split("POST", "/v1/splits", split, json.dumps(wanted).encode(), split.at)

    def query_split(self, split: Split) -> SplitAnswer:
        """Ask what became of a split."""
        return self._about_split("GET", f"/v1/splits/{split.request_no}", split, b"", clock.now())

    def _about_split(self, method: str, path: str, split: Split, body: bytes, at: datetime) -> SplitAnswer:
        parts: tuple[Answer, ...] = ()
        try:
            said = self._said(method, path, split.principal, body, at)
            if said is None:
                return SplitAnswer(Answer(Verdict.NOT_FOUND, "not_found"))
            _match(said, _expected_of_split(split))
            whole = _answer(said)
            told = said.get("receivers")
            if not isinstance(told, list) or len(told) != len(split.receivers):
                raise _Unbelievable("receivers")
            for each, receiver in zip(told, split.receivers, strict=True):
                if not isinstance(each, dict):
                    raise _Unbelievable("receivers")
                _match(each, {"account": receiver.payee.account, "amount_fen": receiver.amount_fen})
                parts += (_answer({**each, "at": said.get("at")}),)
        except _Unbelievable as wrong:
            return SplitAnswer(Answer(Verdict.UNKNOWN, str(wrong)))
        return SplitAnswer(whole, parts)

    def take_back(self, wanted: TakeBack) -> Answer:
        """Ask a receiver's part back, signed for its own instant."""
        body = {
            "request_no": wanted.request_no,
            "split_no": wanted.split_no,
            "account": wanted.receiver.payee.account,
            "amount_fen": wanted.receiver.amount_fen,
            "currency": "CNY",
        }
        return self._about_take_back("POST", "/v1/split-returns", wanted, json.dumps(body).encode(), wanted.at)

    def query_take_back(self, wanted: TakeBack) -> Answer:
        """Ask what became of asking a part back."""
        return self._about_take_back("GET", f"/v1/split-returns/{wanted.request_no}", wanted, b"", clock.now())

    def _about_take_back(self, method: str, path: str, wanted: TakeBack, body: bytes, at: datetime) -> Answer:
        try:
            said = self._said(method, path, wanted.principal, body, at)
            if said is None:
                return Answer(Verdict.NOT_FOUND, "not_found")
            expected = {
                "request_no": wanted.request_no,
                "principal": wanted.principal,
                "split_no": wanted.split_no,
                "payee_account": wanted.receiver.payee.account,
                "amount_fen": wanted.receiver.amount_fen,
                "currency": "CNY",
            }
            _match(said, expected)
            return _answer(said)
        except _Unbelievable as wrong:
            return Answer(Verdict.UNKNOWN, str(wrong))

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
    _match(said, expected)
    return _answer(said)


def _expected_of_split(split: Split) -> dict[str, Any]:
    return {
        "request_no": split.request_no,
        "principal": split.principal,
        "order_id": split.order_id,
        "amount_fen": sum(each.amount_fen for each in split.receivers),
        "currency": "CNY",
        "payee_account": ",".join(each.payee.account for each in split.receivers),
    }


def _match(said: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse to believe an answer that differs in any part from what was asked."""
    for name, value in expected.items():
        if said.get(name) != value:
            raise _Unbelievable(name)


def _answer(said: Mapping[str, Any]) -> Answer:
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
