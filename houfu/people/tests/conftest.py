"""What all who sign in here stand on: a web process, quick hashes, and clocks in the hands of the test.

Imports are in the fixtures: this is read before Django is set up.
"""

from datetime import timedelta

import pytest


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Spend on passwords what tests can afford."""
    from houfu.people.sign_in.passwords import Argon2id

    monkeypatch.setattr(Argon2id, "memory_cost", 64)
    monkeypatch.setattr(Argon2id, "time_cost", 1)


@pytest.fixture(autouse=True)
def half_minute(monkeypatch):
    """Hold the time of code generators still."""
    from allauth.mfa.totp.internal import auth as totp

    from houfu.people.tests.somebody import HalfMinute

    monkeypatch.setattr(HalfMinute, "now", HalfMinute.now)
    monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter([HalfMinute.now]))


@pytest.fixture(scope="module")
def address():
    """Where a web process answers."""
    from houfu.testing.web import running_web

    with running_web() as found:
        yield found


@pytest.fixture
def own_shop(db):
    """A merchant; all who sign in come from one address, whose attempts are counted from nothing."""
    from houfu.kernel.db import rows
    from houfu.testing.world import open_shop

    rows("DELETE FROM people_memory")
    return open_shop(own_limit_fen=0)


@pytest.fixture
def later(monkeypatch):
    """Let the machine's clock go on, as sign-in sees it."""
    from houfu.kernel import clock

    gone = [timedelta()]
    monkeypatch.setattr(clock, "machine_now", lambda: clock.SystemClock().now() + gone[0])

    def move(**step):
        gone[0] += timedelta(**step)

    return move
