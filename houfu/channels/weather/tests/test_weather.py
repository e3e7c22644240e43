"""Rain lets more of a pool be used while it falls and the data is fresh; what is no answer changes nothing (L6)."""

import json
from datetime import UTC, timedelta
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.channels.weather import actions as weather
from houfu.channels.weather import queries as weather_queries
from houfu.channels.weather import registry, rules
from houfu.channels.weather.port import HOUR, Hour, WeatherNotConfigured, WeatherUnknown
from houfu.channels.weather.rules import Standing, Window
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.limits.models import Adjustment
from houfu.site import worker
from houfu.testing.plugin import MONDAY_TEN
from houfu.testing.weather import running_sky
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

TEN = MONDAY_TEN.astimezone(UTC)
HANGZHOU = "30.27,120.16"


@pytest.fixture
def sky():
    with running_sky(TEN) as (sky, url):
        sky.url = url
        yield sky


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A data folder of the test's own."""
    monkeypatch.setattr("django.conf.settings.HOME", tmp_path)
    return tmp_path


def configure(home, sky, adapter="open-meteo", **more):
    entry = {"adapter": adapter, "url": sky.url, **more}
    lines = [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
    (home / "channels.toml").write_text("[weather]\n" + "\n".join(lines) + "\n")


@pytest.fixture(params=["open-meteo", "qweather"])
def provider(request, home, sky):
    """Either provider, and a key of QWeather's customer."""
    more = {}
    if request.param == "qweather":
        key = Ed25519PrivateKey.generate()
        sky.public_key = key.public_key()
        (home / "weather.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        more = {"project": "P1", "key_id": "K1", "key": "weather.pem"}
    configure(home, sky, request.param, timeout_seconds=2, **more)
    return request.param


def observe():
    with registry.provider() as found:
        return found.observe(30.27, 120.16)


def test_both_providers_say_the_same_of_the_same_rain(provider, sky):
    sky.rains(TEN + HOUR, 0.1, 12.3)
    sky.rains(TEN + 5 * HOUR, 0.04)
    found = observe()
    assert (found.provider, found.observed_at) == (provider, TEN)
    assert [hour for hour in found.hours if hour.rain_tenths_mm] == [Hour(TEN + HOUR, 1), Hour(TEN + 2 * HOUR, 123)]
    ((path, asked),) = sky.asked
    if provider == "qweather":
        assert (path, asked["location"], asked["unit"]) == ("/v7/weather/24h", "120.16,30.27", "m")
    else:
        assert (path, asked["latitude"], asked["longitude"]) == ("/v1/forecast", "30.27", "120.16")


WRONG = [
    ({"status": 500}, "http_500"), ({"status": 429}, "http_429"), ({"status": 302}, "http_302"),
    ({"body": b"<html>"}, "unreadable"), ({"body": b"[]"}, "unreadable"), ({"body": b"{}"}, "unreadable"),
    ({"body": b"\xff\xfe"}, "unreadable"), ({"body": b"x", "encoding": "gzip"}, "unreadable"),
    ({"body": b"[" * 100_000}, "unreadable"), ({"body": b" " * 2_000_000}, "too_large"), ({"stall": 20}, "timeout"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "why"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_what_is_no_answer_is_unknown_and_says_why(provider, home, sky, how, why):
    if how.get("stall"):
        text = (home / "channels.toml").read_text().replace("timeout_seconds = 2", "timeout_seconds = 0.2")
        (home / "channels.toml").write_text(text)
    for name, value in how.items():
        setattr(sky, name, value)
    with pytest.raises(WeatherUnknown) as unknown:
        observe()
    assert unknown.value.details["why"] == why
    assert len(sky.asked) == 1  # nobody was sent elsewhere


def test_nobody_listening_is_unknown(home):
    (home / "channels.toml").write_text('[weather]\nadapter = "open-meteo"\nurl = "http://127.0.0.1:1"\n')
    with pytest.raises(WeatherUnknown) as unknown:
        observe()
    assert unknown.value.details["why"] == "connection"


@pytest.mark.parametrize(("change", "why"), [
    (lambda said: said["hourly_units"].update(precipitation="inch"), "units"),
    (lambda said: said["hourly_units"].update(time="iso8601"), "units"),
    (lambda said: said["hourly"].update(precipitation=said["hourly"]["precipitation"][1:]), "unreadable"),
    (lambda said: said["hourly"]["precipitation"].__setitem__(3, -0.1), "unreadable"),
    (lambda said: said["hourly"]["precipitation"].__setitem__(3, 501), "unreadable"),
    (lambda said: said["hourly"]["precipitation"].__setitem__(3, True), "unreadable"),
    (lambda said: said["hourly"]["time"].__setitem__(3, said["hourly"]["time"][2]), "unreadable"),
    (lambda said: said["hourly"]["time"].__setitem__(3, 10**30), "unreadable"),
    (lambda said: said["current"].update(time="2025-11-10T10:00"), "unreadable"),
    (lambda said: said.pop("current"), "unreadable"),
])  # fmt: skip
def test_open_meteo_is_not_believed_in_other_units_or_forms(home, sky, change, why):
    configure(home, sky)
    said = sky.open_meteo()
    change(said)
    sky.body = json.dumps(said).encode()
    with pytest.raises(WeatherUnknown) as unknown:
        observe()
    assert unknown.value.details["why"] == why


@pytest.mark.parametrize(("change", "why"), [
    (lambda said: said.update(code="402"), "code_402"),
    (lambda said: said.update(updateTime="2025-11-10T10:00"), "unreadable"),
    (lambda said: said["hourly"][0].update(precip="1.0 mm"), "unreadable"),
    (lambda said: said["hourly"][0].update(precip="nan"), "unreadable"),
    (lambda said: said["hourly"][0].update(precip=None), "unreadable"),
    (lambda said: said.update(hourly=[]), "unreadable"),
])  # fmt: skip
def test_qweather_is_not_believed_in_other_forms(home, sky, change, why):
    key = Ed25519PrivateKey.generate()
    sky.public_key = key.public_key()
    (home / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    configure(home, sky, "qweather", project="P1", key_id="K1", key="k.pem")
    said = sky.qweather()
    change(said)
    sky.body = json.dumps(said).encode()
    with pytest.raises(WeatherUnknown) as unknown:
        observe()
    assert unknown.value.details["why"] == why


def test_a_token_of_another_key_and_a_missing_api_key_are_refused_by_the_provider(home, sky):
    sky.public_key = Ed25519PrivateKey.generate().public_key()
    raw = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home / "k.pem").write_bytes(raw)
    configure(home, sky, "qweather", project="P1", key_id="K1", key="k.pem")
    for _ in range(2):
        with pytest.raises(WeatherUnknown) as unknown:
            observe()
        assert unknown.value.details["why"] == "http_401"
        sky.key = "secret"
        configure(home, sky)
    configure(home, sky, key="secret")
    assert observe().provider == "open-meteo"


@pytest.mark.parametrize("text", [
    "", "[weather]\nadapter = 'open-meteo'\n", "[weather]\nadapter = 'barometer'\nurl = 'https://x.example'\n",
    "[weather]\nadapter = 'open-meteo'\nurl = 'http://x.example'\n", "[weather]\nadapter = 'open-meteo'\nurl = 'file:///etc'\n",
    "[weather]\nadapter = 'open-meteo'\nurl = 'https://u:p@x.example'\n", "weather = 1\n", "[weather\n",
    "[weather]\nadapter = 'qweather'\nurl = 'https://x.example'\n",
    "[weather]\nadapter = 'qweather'\nurl = 'http://127.0.0.1:1'\nproject = 'P'\nkey_id = 'K'\nkey = 'none.pem'\n",
])  # fmt: skip
def test_a_provider_is_asked_at_the_host_of_the_settings_or_not_at_all(home, text):
    (home / "channels.toml").write_text(text)
    with pytest.raises(WeatherNotConfigured):
        observe()


# What it does to pools ------------------------------------------------------------------------------------------------


class Ground:
    """A pool that follows the weather of Hangzhou."""

    def __init__(self, *, auto_fen=5_000_000, grant_fen=100_000_000):
        self.shop = open_shop(own_limit_fen=1_000_000)
        self.pool_id = pool(self.shop, share=9, grant_fen=grant_fen)
        limits.set_dynamic(
            by=OPERATOR, merchant_id=self.shop.merchant_id, pool_id=self.pool_id, base_fen=10_000_000,
            auto_fen=auto_fen, place=HANGZHOU,
        )  # fmt: skip

    @property
    def usable_fen(self):
        return limit_queries.pool_figures(OPERATOR, self.shop.merchant_id, self.pool_id).usable_fen

    @property
    def adjustments(self):
        return list(Adjustment.objects.filter(merchant_id=self.shop.merchant_id).order_by("id"))

    @property
    def known(self):
        (found,) = weather_queries.known(OPERATOR, self.shop.merchant_id)
        return found


@pytest.fixture
def ground(fresh_db, home, sky, clock):
    configure(home, sky, timeout_seconds=2)
    return Ground()


def look(clock, sky, fresh=True, **step):
    """Let time pass, have the provider's data be of now, and look at the weather."""
    clock.move(**step)
    if fresh:
        sky.observed_at = clock.now().astimezone(UTC)
    return weather.look(by=WORKER)


def test_rain_lets_50_000_more_be_used_while_it_falls(ground, sky, clock):
    """L6."""
    sky.rains(TEN + HOUR, 0.5, 0.5)
    assert look(clock, sky) == 1
    (made,) = ground.adjustments
    assert (made.amount_fen, made.state, made.decided_by, made.kind) == (5_000_000, "accepted", "rule", "weather")
    assert (made.valid_from, made.valid_until) == (TEN + HOUR, TEN + 3 * HOUR)
    assert ground.usable_fen == 10_000_000
    clock.move(hours=1, microseconds=-1)
    assert ground.usable_fen == 10_000_000
    clock.move(microseconds=1)
    assert ground.usable_fen == 15_000_000
    clock.move(hours=2)
    assert ground.usable_fen == 10_000_000


def test_the_weather_is_asked_about_once_for_all_pools_of_a_place_and_not_too_often(ground, sky, clock):
    other = Ground()
    sky.rains(TEN, 1)
    assert look(clock, sky) == 1
    assert len(sky.asked) == 1
    assert [g.usable_fen for g in (ground, other)] == [15_000_000, 15_000_000]
    assert look(clock, sky, minutes=30, microseconds=-1) == 0
    assert look(clock, sky, microseconds=1) == 1
    assert len(sky.asked) == 2


@pytest.mark.parametrize(("beyond", "usable_fen"), [(-1, 15_000_000), (0, 10_000_000), (1, 10_000_000)])
def test_when_the_provider_falls_silent_the_pool_falls_back_to_base_to_the_second(
    ground, sky, clock, beyond, usable_fen
):
    """L6: data of six hours is too old; a failure in between changes nothing."""
    sky.rains(TEN, *[1] * 24)
    look(clock, sky)
    sky.status = 503
    assert look(clock, sky, hours=3) == 0
    assert (ground.usable_fen, ground.known.failure, ground.known.observed_at) == (15_000_000, "http_503", TEN)
    clock.move(hours=3, seconds=beyond)
    assert ground.usable_fen == usable_fen


@pytest.mark.parametrize(("beyond", "count"), [(-1, 1), (0, 0), (1, 0)])
def test_data_that_comes_too_old_proposes_nothing(ground, sky, clock, beyond, count):
    """L6."""
    sky.rains(TEN, *[1] * 24)
    assert look(clock, sky, fresh=False, hours=6, seconds=beyond) == 1
    assert len(ground.adjustments) == count
    assert ground.usable_fen == 10_000_000 + 5_000_000 * count


def test_data_of_the_future_is_not_believed(ground, sky, clock):
    sky.rains(TEN, 1)
    sky.observed_at = TEN + timedelta(minutes=10, seconds=1)
    assert weather.look(by=WORKER) == 0
    assert (ground.known.failure, ground.adjustments, ground.usable_fen) == ("future", [], 10_000_000)


def test_an_adjustment_lives_on_newer_data_that_says_the_same(ground, sky, clock):
    sky.rains(TEN, *[1] * 10)
    look(clock, sky)
    for _ in range(9):
        look(clock, sky, hours=1)
        assert ground.usable_fen == 15_000_000
    assert len(ground.adjustments) == 1
    look(clock, sky, hours=1)
    assert ground.usable_fen == 10_000_000
    assert limits.expire_adjustments(by=WORKER) == 1
    assert [each.state for each in ground.adjustments] == ["expired"]


def test_what_fell_back_to_base_is_proposed_anew_by_fresh_data(ground, sky, clock):
    sky.rains(TEN, *[1] * 24)
    look(clock, sky)
    clock.move(hours=7)
    assert ground.usable_fen == 10_000_000
    look(clock, sky)
    assert ground.usable_fen == 15_000_000
    first, second = ground.adjustments
    assert (first.ends_at, second.starts_at) == (TEN + 6 * HOUR, TEN + 7 * HOUR)


def test_when_the_rain_stops_early_the_adjustment_is_withdrawn(ground, sky, clock):
    sky.rains(TEN, *[1] * 5)
    look(clock, sky)
    sky.rain.clear()
    look(clock, sky, hours=1)
    assert ([each.state for each in ground.adjustments], ground.usable_fen) == (["withdrawn"], 10_000_000)
    sky.rains(TEN + 2 * HOUR, 1)
    look(clock, sky, hours=1)  # it was we who withdrew it: rain that comes again counts again
    assert ground.usable_fen == 15_000_000


def test_what_a_person_withdrew_is_not_proposed_again_for_the_same_rain(ground, sky, clock):
    sky.rains(TEN, *[1] * 5)
    sky.rains(TEN + 7 * HOUR, 1)
    look(clock, sky)
    (made,) = ground.adjustments
    limits.withdraw_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=made.id)
    look(clock, sky, hours=1)
    assert ([each.state for each in ground.adjustments], ground.usable_fen) == (["withdrawn"], 10_000_000)
    look(clock, sky, hours=6)
    assert ground.usable_fen == 15_000_000  # another rain


def test_above_the_amount_of_the_settings_a_person_accepts(fresh_db, home, sky, clock):
    configure(home, sky)
    ground = Ground(auto_fen=4_999_999)
    sky.rains(TEN, *[1] * 5)
    look(clock, sky)
    (made,) = ground.adjustments
    assert (made.state, ground.usable_fen) == ("proposed", 10_000_000)
    look(clock, sky, hours=1)
    assert len(ground.adjustments) == 1
    limits.accept_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=made.id)
    assert ground.usable_fen == 15_000_000


def test_a_manual_adjustment_goes_on_beside_the_weather_within_the_floating_part(ground, sky, clock):
    sky.rains(TEN, *[1] * 5)
    look(clock, sky)
    made = limits.propose(
        by=ground.shop.owner, merchant_id=ground.shop.merchant_id, pool_id=ground.pool_id, kind="manual",
        amount_fen=-5_000_000, valid_from=clock.now(), valid_until=clock.now() + HOUR, reason="封路", source={},
    )  # fmt: skip
    limits.accept_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=made.id)
    assert ground.usable_fen == 10_000_000
    look(clock, sky, minutes=45)
    assert ground.usable_fen == 10_000_000


def test_the_worker_looks_and_writes_down_what_is_over(ground, sky, clock):
    sky.rains(TEN, 1)
    worker.round_()
    assert ground.usable_fen == 15_000_000
    sky.status = 500
    clock.move(hours=1)
    worker.round_()
    assert [each.state for each in ground.adjustments] == ["expired"]


def test_where_nobody_is_to_be_asked_nothing_is_done(fresh_db, home, clock):
    ground = Ground()
    assert weather.look(by=WORKER) == 0
    assert weather_queries.known(OPERATOR, ground.shop.merchant_id) == []


# The rule by itself ---------------------------------------------------------------------------------------------------

tenths = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@settings(max_examples=300)
@given(tenths, st.integers(1, 3), st.integers(0, 30), st.integers(0, 30))
def test_times_of_rain_cover_the_hours_with_rain_and_no_others(rain, least, now, until):
    hours = [Hour(TEN + n * HOUR, each) for n, each in enumerate(rain)]
    found = rules.windows(hours, least, TEN + now * HOUR, TEN + until * HOUR)
    for before, after in pairwise(found):
        assert before.end < after.start
    wet = {n for n, each in enumerate(rain) if each >= least}
    covered = {n for n in range(40) if any(w.start <= TEN + n * HOUR < w.end for w in found)}
    assert covered <= wet
    for n in wet - covered:  # left out only with the whole of its rain: over by now, or too far ahead
        first = last = n
        while first - 1 in wet:
            first -= 1
        while last + 1 in wet:
            last += 1
        assert last + 1 <= now or first >= until


@settings(max_examples=300)
@given(tenths, st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=4), st.integers(0, 20))
def test_after_a_plan_each_rain_has_one_adjustment_or_a_person_against_it(rain, standing, now):
    at = TEN + now * HOUR
    hours = [Hour(TEN + n * HOUR, each) for n, each in enumerate(rain)]
    found = rules.windows(hours, 1, at, TEN + 30 * HOUR)
    all_ = [Standing(n, TEN + start * HOUR, TEN + (start + long) * HOUR) for n, (start, long) in enumerate(standing)]
    open_ = [each for each in all_ if each.id % 2 and each.end > at]
    ended = [each for each in all_ if not each.id % 2 and each.end > at]
    plan = rules.plan(found, open_, ended, at)
    left = [Window(max(each.start, at), each.end) for each in open_ if each.id in plan.refresh] + plan.propose
    for window in found:
        shown = [each for each in left if each == Window(max(window.start, at), window.end)]
        against = [each for each in ended if each.start < window.end and window.start < each.end]
        assert len(shown) == 1 or (not shown and against)
    assert len(left) <= len(found)
    assert sorted([*plan.refresh, *plan.withdraw]) == sorted(each.id for each in open_)
