"""Secrets of factors, sealed with the key of the merchant whose people they are of."""

import json
from typing import Any
from uuid import UUID

from houfu.kernel import data_keys, db
from houfu.people import queries

_PLACE = "mfa_authenticator"


def sealed(text: str, user_id: int) -> str:
    """Return a secret of somebody's factor as it is stored."""
    member = queries.member_of_login(user_id)
    assert member
    return data_keys.seal(text, _PLACE, member.merchant_id).hex()


def opened(stored: str) -> str:
    """Return a secret of a factor in clear."""
    return data_keys.unseal(bytes.fromhex(stored), _PLACE, None)


def _reseal(merchant_id: int, key_id: UUID, limit: int) -> int:
    found = db.rows(
        "SELECT a.id, a.data FROM mfa_authenticator a JOIN people_login l USING (user_id)"
        " WHERE l.merchant_id = %s AND a.data::text LIKE %s LIMIT %s FOR NO KEY UPDATE OF a",
        [merchant_id, f"%{key_id.hex}%", limit],
    )

    def again(said: Any) -> Any:
        if isinstance(said, list):
            return [again(part) for part in said]
        if not (isinstance(said, str) and said.startswith(key_id.hex)):
            return said
        return data_keys.sealed_again(bytes.fromhex(said), _PLACE, merchant_id).hex()

    for row in found:
        data = {name: again(said) for name, said in json.loads(row.data).items()}
        db.rows("UPDATE mfa_authenticator SET data = %s::jsonb WHERE id = %s", [json.dumps(data), row.id])
    return len(found)


RESEALING = data_keys.Resealing("mfa_authenticator", "vault", _reseal)
