"""Passkeys that a trial instance keeps for its demo's people: a file in its data folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from houfu.testing.passkeys import SoftwarePasskey, b64, unb64

FILE = "trial_passkeys.json"
RP_ID = "localhost"


@dataclass(frozen=True)
class Account:
    """Somebody of the demo, with a passkey that this machine keeps."""

    username: str
    name: str
    role: str
    merchant: str
    credential_id: str
    private_key: str
    user_handle: str
    counter: int

    def passkey(self, origin: str) -> SoftwarePasskey:
        """Return the passkey, as a device at an origin holds it."""
        return SoftwarePasskey(
            origin=origin, rp_id=RP_ID, counter=self.counter, credential_id=unb64(self.credential_id),
            user_handle=unb64(self.user_handle), _key=load_pem_private_key(self.private_key.encode(), None),  # type: ignore[arg-type]
        )  # fmt: skip


def account_of(key: SoftwarePasskey, username: str, name: str, role: str, merchant: str) -> Account:
    """Return somebody of the demo with the passkey by which they have signed in."""
    private = key._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    handle, id = b64(key.user_handle), b64(key.credential_id)
    return Account(username, name, role, merchant, id, private, handle, key.counter)


def read(home: Path) -> list[Account]:
    """Return the people of a data folder's demo; none where none was played."""
    path = home / FILE
    return [Account(**each) for each in json.loads(path.read_text())] if path.exists() else []


def write(home: Path, accounts: list[Account]) -> None:
    """Keep these people, and no others."""
    draft = (home / FILE).with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps([vars(each) for each in accounts], ensure_ascii=False))
    draft.replace(home / FILE)


def keep(home: Path, account: Account) -> None:
    """Add somebody to a demo's people."""
    write(home, [*(each for each in read(home) if each.username != account.username), account])
