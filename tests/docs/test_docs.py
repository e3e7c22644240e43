"""What can be named must be documented: codes, commands, settings, states; what documents point at must be there."""

import importlib
import re
from importlib import metadata
from pathlib import Path

import click
import pytest

import houfu
from houfu.approvals.states import APPROVAL
from houfu.channels.port import Dedupe, Verdict
from houfu.channels.simulator.server.behaviours import DONE, NOTICES, SPLIT_DONE
from houfu.channels.simulator.server.store import SCRIPT
from houfu.cli.main import NOUNS
from houfu.imports import mapping
from houfu.jobs.states import JOB
from houfu.kernel import errors, states
from houfu.kernel.data_keys import DATA_KEY
from houfu.limits.states import MACHINES as LIMITS
from houfu.merchants.states import STORE
from houfu.orders.states import BACK, ORDER
from houfu.payouts.states import BENEFICIARY, PAYOUT
from houfu.people.states import ACCESS, STAFF
from houfu.risk.rules import RULES
from houfu.risk.states import MACHINES as RISK
from houfu.splits.states import MACHINES as SPLITS
from houfu.webhooks.states import DELIVERY, ENDPOINT
from houfu.webhooks.wire import OUTCOMES

ROOT = Path(houfu.__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "houfu").rglob("README.md")])

# How a reason is given: by class, as the outcome of a step or a line, as a decision in SQL, as a fault of a chain.
REASONS = {
    ".py": (
        r'\b(?:Reason|Refusal|BadLine)\(\s*"([a-z_]+)"',
        r'Finding\("break", "([a-z_]+)"\)',
        r'"same" if .* else "refused".* else "([a-z_]+)"',
        r'"refused", "([a-z]+_[a-z_]+)"\)',
        r'Row\(line, .*\{\}, "([a-z_]+)"',
        r'return "([a-z]+_(?:amount|fee|needs)_[a-z]+)"',
        r'"(time_moved_up)"',
        r"'([a-z_]+)', joins, true",
    ),
    ".sql": (r"(?:reason := |\[i\] := |reason, |THEN )'([a-z]+(?:_[a-z]+)+)'", r"'((?:link|head)_[a-z]+)'"),
}


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
    given = {
        reason
        for path, source in sources().items()
        for pattern in REASONS[path.suffix]
        for reason in re.findall(pattern, source)
    }
    assert {"cover_too_thin", "order_event_reused", "csv_broken", "settlement_amount_differs"} <= given
    assert {"limit_exceeded", "order_id_reused", "head_differs"} <= given
    assert sorted(reason for reason in given if f"`{reason}`" not in text) == []


def test_every_command_stands_in_the_list_and_no_other():
    listed = set(re.findall(r"^\| `(houfu [a-z -]+)`", (DOCS / "cli.md").read_text(), re.MULTILINE))
    assert listed == set(commands())


def test_every_setting_is_explained():
    text = (DOCS / "cli.md").read_text()
    used = {name for source in sources().values() for name in re.findall(r"\b(?:HOUFU_[A-Z_]+|DATABASE_URL)\b", source)}
    assert {"HOUFU_HOME", "DATABASE_URL"} <= used
    assert sorted(name for name in used if f"`{name}`" not in text) == []


MACHINES = {
    "order": ORDER, "payout": PAYOUT, **LIMITS, "store": STORE, "staff": STAFF, "access": ACCESS, "data_key": DATA_KEY,
    "beneficiary": BENEFICIARY, "approval": APPROVAL, "job": JOB, "endpoint": ENDPOINT, "delivery": DELIVERY, **RISK,
    **SPLITS,
}  # fmt: skip


@pytest.mark.parametrize("moves", MACHINES.values(), ids=MACHINES)
def test_the_diagrams_are_those_of_the_tables(moves):
    assert "\n".join(states.diagram(moves)) in (DOCS / "states.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_a_page_points_at_is_there(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_end_of_a_dispute_is_drawn_too():
    text = (DOCS / "states.md").read_text()
    assert len(BACK) == 5
    assert [pair for pair in sorted(BACK) if f"    {pair[0]} --> {pair[1]}: " not in text] == []


def test_every_behaviour_of_the_simulated_channel_is_explained():
    text = (DOCS / "channels.md").read_text()
    words = [*DONE, *SPLIT_DONE, *NOTICES, *SCRIPT, *(v.name for v in Verdict), *(dedupe.value for dedupe in Dedupe)]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_rule_of_risk_is_explained_with_its_numbers_and_class():
    rows = {line.split("`")[1]: line for line in (DOCS / "risk.md").read_text().splitlines() if line.startswith("| `")}
    assert set(rows) == set(RULES)
    for name, rule in RULES.items():
        words = [*rule.numbers, rule.reason_class]
        assert [word for word in words if f"`{word}`" not in rows[name]] == [], name
        assert rule.ships in rows[name], name
    assert {f"`{rule.reason_class}`" for rule in RULES.values()} <= set(
        re.findall(r"`[a-z]+`", (DOCS / "errors.md").read_text())
    )


def test_every_way_in_which_a_delivery_ends_is_explained():
    text = (DOCS / "webhooks.md").read_text()
    assert [outcome for outcome, said in OUTCOMES.items() if f"| `{outcome}` | {said} |" not in text] == []


def test_every_field_of_a_mapping_is_explained():
    text = (DOCS / "imports.md").read_text()
    parts = (mapping.Layout, mapping.Table, mapping.Orders, mapping.StepRule, mapping.Events)
    names = {name for part in parts for name in part.__struct_fields__}
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_every_library_we_ask_for_is_accounted_for_with_its_licence():
    text = (DOCS / "decisions" / "0001-libraries.md").read_text().lower()
    for file in (ROOT / "requirements").glob("*.in"):
        for name in re.findall(r"^([a-z][a-z0-9-]*)", file.read_text(), re.MULTILINE):
            said = metadata.metadata(name)["License-Expression"] or ""
            family = re.split(r"[-. ]", said.lower())[0]
            row = [line for line in text.splitlines() if re.search(rf"(?<![a-z-]){name}(?![a-z-])", line)]
            assert any(family in line for line in row), f"{name} {said}"


def test_every_room_says_what_it_is_about_in_few_lines():
    packages = {path.parent for path in (ROOT / "houfu").glob("*/__init__.py")}
    pages = {page.parent: page for page in (ROOT / "houfu").glob("*/README.md")}
    assert sorted(room.name for room in packages - pages.keys()) == []
    assert [page.parent.name for page in pages.values() if len(page.read_text().splitlines()) > 30] == []


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
