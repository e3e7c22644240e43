"""Business time made to pass: a trial instance taken from day to day, with its channel and its worker keeping pace."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import httpx2
from django.conf import settings

from houfu.channels.simulator import signing
from houfu.kernel import clock
from houfu.kernel.errors import Refused
from houfu.kernel.models import Instance
from houfu.kernel.postgres import dies_with_us
from houfu.site import processes, upkeep, worker

STOPS = (time(10, 1), time(23, 50))  # after the run of a run day, and at the day's end


class LiveInstance(Refused):
    """Only a trial instance can be taken forward in time."""

    code = "forward_on_live_instance"


@dataclass(frozen=True)
class Traveller:
    """Business time in our hand."""

    hands: clock.FileClock
    channel: httpx2.Client

    def go(self, at: datetime) -> None:
        """Move to an instant and let channel and worker do all that is due by then."""
        self.hands.set(at)
        while True:
            done = self.channel.post("/control/work").json()
            if worker.round_() + sum(done.values()) == 0:
                return

    def days(self, first: date, last: date, evening: Callable[[date], None]) -> Iterator[date]:
        """Pass through days one by one; `evening` says what happened on a day before it ends."""
        day = first
        while day <= last:
            for stop in STOPS:
                at = datetime.combine(day, stop, clock.SHANGHAI)
                if at < self.hands.now():
                    continue
                if stop == STOPS[-1]:
                    self.hands.set(at)
                    evening(day)
                self.go(at)
            yield day
            day += timedelta(days=1)


@contextmanager
def travelling(starts_at: datetime) -> Iterator[Traveller]:
    """Take a trial instance's time in hand, with a simulated channel that works only when told to.

    Args:
        starts_at: where its clock is set if it was never set before.

    Raises:
        LiveInstance: this is none.
    """
    if Instance.objects.get().kind != "trial":
        raise LiveInstance()
    home = settings.HOME
    hands = clock.FileClock(home / upkeep.CLOCK)
    if not hands.path.exists():
        hands.set(starts_at)
    own, port = home / "simulator", processes.free_port()
    signing.make_keys(home / "keys" / "client.key", own / "clients" / "houfu.pub")
    command = [
        sys.executable, "-m", "houfu.channels.simulator.server", "--home", str(own), "--clients", str(own / "clients"),
        "--clock", str(hands.path), "--port", str(port), "--by-hand",
    ]  # fmt: skip
    channel = subprocess.Popen(dies_with_us(command, "TERM"), stdout=subprocess.DEVNULL)
    try:
        while not processes.answers(port) and channel.poll() is None:
            threading.Event().wait(processes.BEAT)
        upkeep.write_channel(
            "simulator",
            adapter="simulator",
            url=f"http://127.0.0.1:{port}",
            client_key="keys/client.key",
            channel_key="simulator/channel.pub",
        )
        address = f"http://127.0.0.1:{port}"
        with clock.standing_at(hands), httpx2.Client(base_url=address, timeout=60, trust_env=False) as http:
            yield Traveller(hands, http)
    finally:
        channel.terminate()
        channel.wait()
