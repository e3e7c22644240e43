"""Sign a request to Houfu (RFC 9421, Ed25519) with nothing but `cryptography`.

    python signed_request.py http://127.0.0.1:8900 hf_7_12_… key.pem POST /v1/payouts '{"id": "…"}'

The key is made with `openssl genpkey -algorithm ed25519 -out key.pem`; its public half goes to `houfu key create
--public-key` as `openssl pkey -in key.pem -pubout -outform DER | tail -c 32 | base64`.
"""

import base64
import hashlib
import secrets
import sys
import time
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def signed(
    key: Ed25519PrivateKey, token: str, method: str, path: str, body: bytes = b"", idempotency_key: str = ""
) -> dict[str, str]:
    """Return the headers of a signed request; `path` may carry a query."""
    path, _, query = path.partition("?")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    parts = {"@method": method, "@path": path, "@query": f"?{query}", "content-digest": f"sha-256=:{digest}:"}
    if idempotency_key:
        parts["idempotency-key"] = idempotency_key
    names = " ".join(f'"{name}"' for name in parts)
    key_id = "key/" + token.split("_")[2]  # a token is hf_<merchant>_<key>_<secret>
    params = f'({names});created={int(time.time())};keyid="{key_id}";nonce="{secrets.token_hex(16)}";alg="ed25519"'
    base = "\n".join([*(f'"{name}": {value}' for name, value in parts.items()), f'"@signature-params": {params}'])
    signature = base64.b64encode(key.sign(base.encode())).decode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Content-Digest": parts["content-digest"],
        "Signature-Input": f"houfu={params}",
        "Signature": f"houfu=:{signature}:",
    }
    return {**headers, "Idempotency-Key": idempotency_key} if idempotency_key else headers


def main() -> None:
    address, token, file, method, path, *rest = sys.argv[1:]
    with open(file, "rb") as pem:
        key = load_pem_private_key(pem.read(), None)
    assert isinstance(key, Ed25519PrivateKey)
    body = rest[0].encode() if rest else b""
    asked = Request(address + path, body or None, signed(key, token, method, path, body), method=method)  # noqa: S310
    with urlopen(asked) as said:  # noqa: S310  of our own address
        sys.stdout.write(said.read().decode())


if __name__ == "__main__":
    main()
