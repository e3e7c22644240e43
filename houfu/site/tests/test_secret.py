"""The secret by which sessions are signed: of the data folder, and one for all of its processes."""

from django.conf import settings
from django.core import signing

from houfu.kernel import vault


def test_what_one_process_has_signed_another_can_read():
    assert str(settings.SECRET_KEY) == vault.web_secret()
    assert len(vault.web_secret()) == 64
    assert signing.loads(signing.dumps("said"), key=vault.web_secret()) == "said"
