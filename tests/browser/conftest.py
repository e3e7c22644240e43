"""What pages are looked at with: Chromium where there is one, a web process, a scene, and an eye for faults."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / ".screenshots"
AXE = ROOT / ".assets/node_modules/axe-core/axe.min.js"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread; nothing of ours is asynchronous


def chromium() -> str | None:
    """Return where Chromium is."""
    return os.environ.get("HOUFU_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (
            "tests/browser" in str(item.path) and item.path.stem != "test_pages"
        ):  # what is done there is done in one scene
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if chromium() and AXE.exists():
        return
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.skip(reason="no Chromium here: `make test-browser` brings it where it may"))


ROWS = pytest.StashKey[list[tuple[str, ...]]]()


@pytest.fixture
def table(pytestconfig) -> list[tuple[str, ...]]:
    """What was found on each page, for the table at the end."""
    return pytestconfig.stash.setdefault(ROWS, [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was found on to the process that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["browser"] = session.config.stash.get(ROWS, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    rows = getattr(node, "workeroutput", {}).get("browser", [])
    node.config.stash.setdefault(ROWS, []).extend(tuple(row) for row in rows)


def pytest_terminal_summary(terminalreporter) -> None:
    """Print what was found on each page."""
    rows = sorted(terminalreporter.config.stash.get(ROWS, []))
    if rows:
        terminalreporter.write_line("page           language  theme  violations  first paint (ms)")
    for row in rows:
        terminalreporter.write_line("{:14} {:9} {:6} {:>10} {:>17}".format(*row))


@pytest.fixture(scope="session")
def browser():
    """Chromium, as installed on this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield chrome
        chrome.close()


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Spend on passwords what tests can afford."""
    from houfu.people.sign_in.passwords import Argon2id

    before = Argon2id.memory_cost, Argon2id.time_cost
    Argon2id.memory_cost, Argon2id.time_cost = 64, 1
    yield
    Argon2id.memory_cost, Argon2id.time_cost = before


@pytest.fixture(scope="module")
def scene():
    """A scene in a database of its own, behind a web process of its own."""
    from scene import play

    from houfu.insight import pages as insight
    from houfu.kernel import clock as clocks
    from houfu.site import trend
    from houfu.testing.plugin import MONDAY_TEN, own_database
    from houfu.testing.web import running_web

    for kept in (insight.KEPT, trend.KEPT):
        kept.clear()  # what an earlier scene in this process has shown
    with own_database(), clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)) as hands, running_web() as address:
        yield play(address, hands)


@dataclass
class Eye:
    """A page, and what went wrong on it: console errors, violations of the policy, requests elsewhere."""

    page: object
    address: str
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    answered: int = 0

    def go(self, address: str) -> None:
        """Open an address and wait until the page asks for nothing more by itself."""
        self.page.goto(address)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was asked for has come, and what came has asked for nothing more."""
        known = -1
        while self.answered < self.asked or known < self.asked:
            known = self.asked
            self.page.wait_for_timeout(60)

    def show_in(self, lang: str, theme: str) -> None:
        """Leave the page, and have what is opened from now on shown in a language and a theme."""
        prefs = {"houfu-language": lang, "houfu-theme": theme}
        cookies = [{"name": name, "value": value, "url": self.address} for name, value in prefs.items()]
        self.page.context.add_cookies(cookies)
        self.page.goto("about:blank")

    def axe(self, *rules: str) -> list[str]:
        """Return what is against WCAG 2.2 AA on the page as it is now, or against some of its rules alone."""
        self.page.evaluate(AXE.read_text())  # by the debugger, which no policy of the page binds
        only = rules or ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
        said = {
            "runOnly": {"type": "rule" if rules else "tag", "values": list(only)}, "resultTypes": ["violations"],
            "preload": False,
        }  # fmt: skip
        found = self.page.evaluate("said => axe.run(document, said)", said)
        return [
            f"{each['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else each['help']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    def first_paint(self) -> float:
        """Return after how many milliseconds something was to be seen."""
        paints = json.loads(self.page.evaluate("JSON.stringify(performance.getEntriesByType('paint'))"))
        return round(next((p["startTime"] for p in paints if p["name"] == "first-contentful-paint"), 0.0), 1)


@pytest.fixture
def look(browser, scene):
    """Open pages as somebody, in a language and a theme."""
    opened = []

    def open_(role: str = "", lang: str = "zh-hans", theme: str = "light", width: int = 1360) -> Eye:
        context = browser.new_context(viewport={"width": width, "height": 900}, base_url=scene.address)
        tell = "e => console.error('CSP', e.violatedDirective, e.blockedURI)"
        context.add_init_script(f"addEventListener('securitypolicyviolation', {tell})")
        prefs = {"houfu-language": lang, "houfu-theme": theme}
        context.add_cookies([{"name": name, "value": value, "url": scene.address} for name, value in prefs.items()])
        if role:
            context.add_cookies(scene.cookies(role))
        silence = {"content_type": "text/event-stream", "body": ": nothing\n\n"}
        context.route("**/v1/limits/stream", lambda route: route.fulfill(**silence))
        page = context.new_page()
        eye = Eye(page, scene.address)
        page.on(
            "console",
            lambda said: eye.wrong.append(f"console: {said.text}") if said.type in ("error", "warning") else None,
        )
        page.on("request", lambda _: setattr(eye, "asked", eye.asked + 1))
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda _: setattr(eye, "answered", eye.answered + 1))
        page.on("pageerror", lambda error: eye.wrong.append(f"script: {error}"))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((scene.address, "data:", "blob:"))
                else eye.wrong.append(f"elsewhere: {asked.url}")
            ),
        )
        opened.append(context)
        return eye

    yield open_
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def shots() -> Path:
    """The folder for screenshots, which no repository keeps."""
    SHOTS.mkdir(exist_ok=True)
    return SHOTS
