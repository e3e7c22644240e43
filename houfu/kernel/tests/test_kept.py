"""Answers that are kept: for their time, by what was asked, and never more than there is room for."""

from itertools import count

import pytest

from houfu.kernel import kept
from houfu.kernel.kept import Kept


@pytest.fixture
def hands(monkeypatch):
    """The machine's time, in our hands."""
    now = [100.0]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    return now


def test_an_answer_holds_for_its_time_and_is_found_anew_afterwards(hands):
    answers, numbers = Kept(), count()
    found = [answers.get("a", 10, lambda: next(numbers)) for _ in range(2)]
    hands[0] += 9.9
    found.append(answers.get("a", 10, lambda: next(numbers)))
    hands[0] += 0.1
    found.append(answers.get("a", 10, lambda: next(numbers)))
    assert found == [0, 0, 0, 1]


def test_what_another_asked_is_another_answer(hands):
    answers = Kept()
    assert [answers.get((1, who), 10, lambda who=who: who) for who in "xyx"] == ["x", "y", "x"]


def test_a_refusal_is_not_kept(hands):
    answers = Kept()
    with pytest.raises(ZeroDivisionError):
        answers.get("a", 10, lambda: 1 // 0)
    assert answers.get("a", 10, lambda: 5) == 5


def test_there_is_never_more_than_there_is_room_for(hands):
    answers = Kept(room=3)
    for n in range(10):
        answers.get(n, 10, lambda n=n: n)
        assert len(answers._answers) <= 3
