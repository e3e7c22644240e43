"""People of a story: they take their invitations, sign in with passkeys in software, ask, agree and decide."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from houfu.demo.stage import Stage, StoryStuck
from houfu.site import trial_keys
from houfu.testing.passkeys import SoftwarePasskey
from houfu.testing.web import Browser, signed_in

PASSWORD = "a-story-needs-a-long-password"  # noqa: S105  of people who live as long as a demo


@dataclass
class Person:
    """Somebody of a merchant's staff, at a browser of their own."""

    staff_id: int
    browser: Browser
    passkey: SoftwarePasskey

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and answer of one request, refusals included."""
        return self.browser(method, f"/v1{path}", body)

    def get(self, path: str) -> Any:
        return self._surely("GET", path, None)

    def post(self, path: str, body: Any = None) -> Any:
        return self._surely("POST", path, body)

    def prove(self) -> None:
        """Prove with the passkey that it is them (S8)."""
        if self.browser.answer(self.passkey, "reauthenticate") != 200:
            raise StoryStuck(passkey="does not open")

    def agree(self, approval_id: str) -> str:
        """Sign what the screen shows of a request for approval, and return the request's state."""
        shown = self.get(f"/approvals/{approval_id}")
        said = self.passkey.sign({"challenge": shown["challenge"]})
        answer = said["response"]
        assertion = {
            "credential_id": said["rawId"],
            "authenticator_data": answer["authenticatorData"],
            "client_data": answer["clientDataJSON"],
            "signature": answer["signature"],
        }
        state: str = self.post(f"/approvals/{approval_id}:sign", {"assertion": assertion})["state"]
        return state

    def ask_payout(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Ask for a payout and return it."""
        asked: dict[str, Any] = self.post("/payouts", {**wish, "id": str(uuid4())})
        return asked

    def _surely(self, method: str, path: str, body: Any) -> Any:
        status, said = self.ask(method, path, body)
        if status >= 300:
            raise StoryStuck(request=f"{method} {path}", status=status, said=said)
        return said


def hire(
    stage: Stage, merchant_id: int, role: str, name: str, *, store_id: int = 0, identity: str = "", monthly: str = ""
) -> Person:
    """Have somebody invited at the terminal, and let them come all the way to a session.

    Args:
        store_id: the store they are bound to, where their role is of one.
        identity: of their document; whoever has another account with the same is the same person.
        monthly: a cap of their own for a month, in yuan (S6).
    """
    verb = ["create-owner"] if role == "owner" else ["invite", "--role", role]
    bound = ["--store", str(store_id)] if store_id else []
    bound += ["--monthly", monthly] if monthly else []
    made = stage.command(
        "people", *verb, str(merchant_id), "--name", name, *bound,
        "--identity", identity or f"ID{uuid4().hex}", "--json",
    )  # fmt: skip
    address = stage.address.replace("127.0.0.1", "localhost")
    browser, passkey = signed_in(address, made["invitation"], f"{role}-{made['id']}@story.example", PASSWORD)
    return Person(made["id"], browser, passkey)


def let_in(stage: Stage, person: Person, role: str, name: str, merchant: str) -> None:
    """List somebody on the sign-in page: whoever looks at the demo may come in as them."""
    username = f"{role}-{person.staff_id}@story.example"
    trial_keys.keep(stage.home, trial_keys.account_of(person.passkey, username, name, role, merchant))
