"""The `houfu` command as people and programs meet it: nouns, help, exit codes, JSON."""

import importlib
import json
import os
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from houfu.cli.main import NOUNS, WITHOUT_DATABASE
from houfu.testing.world import new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


def command_of(noun):
    module, _, attribute = NOUNS[noun][0].partition(":")
    return getattr(importlib.import_module(module), attribute)


def every_command():
    """Yield every command with the words that call it."""
    waiting = [(noun, command_of(noun)) for noun in NOUNS]
    while waiting:
        words, command = waiting.pop()
        if isinstance(command, click.Group):
            waiting += [(f"{words} {name}", part) for name, part in command.commands.items()]
        else:
            yield words, command


COMMANDS = dict(sorted(every_command()))


def houfu(*arguments, **environment):
    """Run `houfu` in a process of its own and return exit code, output and errors."""
    done = subprocess.run(
        [sys.executable, "-m", "houfu", *arguments], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_help_lists_every_noun_with_what_it_is_and_needs_no_database(tmp_path):
    code, printed, _ = houfu("--help", DATABASE_URL="", HOUFU_HOME=str(tmp_path / "nothing"))
    lines = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    assert code == 0
    for noun, (_, text) in NOUNS.items():
        assert text.rpartition(" ")[2] in lines[noun]
    assert not (tmp_path / "nothing").exists()
    assert set(NOUNS) >= WITHOUT_DATABASE


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(words):
    answer = CliRunner().invoke(COMMANDS[words], ["--help"])
    said = " ".join(answer.output.split())
    assert answer.exit_code == 0
    assert re.search(rf"\. Example: (\w+=\S+ )?houfu {words}\b", said)


@pytest.mark.parametrize("words", COMMANDS)
def test_the_example_of_a_command_has_only_options_that_it_takes(words):
    said = " ".join((COMMANDS[words].help or "").split()).partition("Example: ")[2].partition("|")[0]
    options = {option for param in COMMANDS[words].params for option in param.opts}
    assert {word for word in said.split() if word.startswith("--")} <= options


@pytest.mark.parametrize("arguments", [["nonsense"], ["demo", "--nonsense"], ["merchant", "register"]])
def test_what_is_not_a_command_ends_with_two(arguments):
    code, printed, errors = houfu(*arguments)
    assert (code, printed) == (2, "")
    assert "Usage:" in errors


def test_a_command_that_is_done_ends_with_nought_and_prints_json_where_it_is_asked_to():
    uscc = new_uscc()
    arguments = ["merchant", "register", "杭州某某服饰有限公司", "--uscc", uscc]
    code, printed, errors = houfu(*arguments, "--json")
    merchant = json.loads(printed)
    assert (code, errors, merchant["uscc"], merchant["name"]) == (0, "", uscc, "杭州某某服饰有限公司")
    code, printed, _ = houfu("merchant", "list")
    assert code == 0
    assert "杭州某某服饰有限公司" in printed
    assert uscc in printed


def test_a_refusal_ends_with_three_and_says_its_code():
    arguments = ["merchant", "register", "某某", "--uscc", "91330106MA2H3X8Q5X"]
    code, printed, errors = houfu(*arguments)
    assert (code, printed) == (3, "")
    assert errors.startswith("refused: merchants_uscc_invalid: ")
    code, printed, errors = houfu(*arguments, "--json")
    assert (code, errors, json.loads(printed)["refused"]) == (3, "", "merchants_uscc_invalid")


def test_a_refusal_for_several_reasons_says_every_one_with_its_cure():
    """P10."""
    shop = open_shop()
    shop.payee()
    asked = ["payout", "request", str(shop.merchant_id), str(shop.store), "99.99", "--to", str(shop.beneficiary_id),
             "--purpose", "wages"]  # fmt: skip
    code, _, errors = houfu(*asked)
    assert code == 3
    assert [line.split()[0] for line in errors.splitlines()] == [
        "refused:", "below_minimum", "cover_too_thin", "purpose_denied",
    ]  # fmt: skip
    code, printed, _ = houfu(*asked, "--json")
    assert code == 3
    assert [(reason["code"], reason["rule"]) for reason in json.loads(printed)["reasons"]] == [
        ("below_minimum", "P4"), ("cover_too_thin", "P5"), ("purpose_denied", "P8"),
    ]  # fmt: skip
