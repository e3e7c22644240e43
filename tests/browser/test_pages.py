"""Every page, in both languages and both themes: nothing goes wrong, nothing shuts anybody out, all of it fits."""

import pytest

ROWS: list[tuple[str, ...]] = []
PAGES = {
    "overview": ("owner", "/console/"),
    "orders": ("owner", "/console/orders"),
    "style": ("owner", "/console/style"),
    "sign-in": ("", "/console/sign-in"),
    "invitation": ("", "/console/invitation#hi_1_2_x"),
}


@pytest.fixture(scope="module", autouse=True)
def table(pytestconfig):
    """Print, at the end, what was found on each page."""
    yield
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\npage          language  theme  violations  first paint (ms)")
        for row in ROWS:
            print("{:13} {:9} {:6} {:>10} {:>17}".format(*row))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["zh-hans", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound(look, shots, name, lang, theme):
    role, address = PAGES[name]
    eye = look(role, lang, theme)
    eye.page.goto(address, wait_until="networkidle")
    for chart in eye.page.query_selector_all("[data-chart]"):
        chart.wait_for_element_state("visible")
    violations = eye.axe()
    eye.page.screenshot(path=shots / f"{name}-{lang}-{theme}.png", full_page=True)
    ROWS.append((name, lang, theme, str(len(violations) + len(eye.wrong)), str(eye.first_paint())))
    assert eye.wrong == []
    assert violations == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(look, shots, name):
    role, address = PAGES[name]
    eye = look(role, width=360)
    eye.page.goto(address, wait_until="networkidle")
    eye.page.screenshot(path=shots / f"{name}-phone.png", full_page=True)
    wide = eye.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"{wide} wide"
    assert eye.wrong == []
