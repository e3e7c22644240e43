"""What can be named must be documented: codes, commands, settings, states; what documents point at must be there."""

import importlib
import re
from pathlib import Path

import click
import pytest

import houfu
from houfu.cli.main import NOUNS
from houfu.kernel import errors, states
from houfu.limits.states import LOAN, POOL
from houfu.merchants.states import STORE
from houfu.orders.states import ORDER
from houfu.payouts.states import BENEFICIARY, PAYOUT

ROOT = Path(houfu.__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "houfu").rglob("README.md")])


def sources():
    """Return the product's own Python and SQL, tests left out."""
    files = [*(ROOT / "houfu").rglob("*.py"), *(ROOT / "houfu").rglob("*.sql")]
    return {path: path.read_text() for path in files if "tests" not in path.parts}


def rooms():
    """Import every module, so that every refusal is known."""
    for path in sorted((ROOT / "houfu").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not {"tests", "testing", "migrations", "__main__", "wsgi"} & set(parts):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def commands():
    """Yield every command as it is typed."""
    for noun, (where, _) in sorted(NOUNS.items()):
        module, _, attribute = where.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, click.Group):
            yield from (f"houfu {noun} {verb}" for verb in command.commands)
        else:
            yield f"houfu {noun}"


def test_every_code_stands_in_the_list_with_its_status():
    rooms()
    text = (DOCS / "errors.md").read_text()
    missing = [
        f"{code} {refusal.status}" for code, refusal in errors.codes() if f"| `{code}` | {refusal.status} |" not in text
    ]
    assert sorted(missing) == []


def test_every_reason_stands_in_the_list():
    text = (DOCS / "errors.md").read_text()
    given = set()
    for path, source in sources().items():
        if path.suffix == ".py":
            given |= set(re.findall(r'\b(?:Reason|Refusal|BadLine)\(\s*"([a-z_]+)"', source))
            given |= set(re.findall(r'Finding\("break", "([a-z_]+)"\)', source))
    assert len(given) > 30
    assert sorted(reason for reason in given if f"`{reason}`" not in text) == []


def test_every_command_stands_in_the_list_and_no_other():
    listed = set(re.findall(r"^\| `(houfu [a-z -]+)`", (DOCS / "cli.md").read_text(), re.MULTILINE))
    assert listed == set(commands())


def test_every_setting_is_explained():
    text = (DOCS / "cli.md").read_text()
    used = {name for source in sources().values() for name in re.findall(r"\b(?:HOUFU_[A-Z_]+|DATABASE_URL)\b", source)}
    assert {"HOUFU_HOME", "DATABASE_URL"} <= used
    assert sorted(name for name in used if f"`{name}`" not in text) == []


@pytest.mark.parametrize(
    "moves",
    [ORDER, PAYOUT, POOL, LOAN, STORE, BENEFICIARY],
    ids=["order", "payout", "pool", "loan", "store", "beneficiary"],
)
def test_the_diagrams_are_those_of_the_tables(moves):
    assert "\n".join(states.diagram(moves)) in (DOCS / "states.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_a_page_points_at_is_there(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_decisions_are_short_and_each_can_be_quoted():
    records = sorted((DOCS / "decisions").glob("*.md"))
    assert len(records) >= 10
    for record in records:
        lines = record.read_text().splitlines()
        assert len(lines) <= 40, record.name
        assert [line for line in lines if line.startswith("**") and line.endswith("**")], record.name


def test_both_readmes_show_the_same_commands():
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh-CN.md"))

    def shown(text):
        return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]

    assert shown(english) == shown(chinese)
