"""Ids made here are unique, and in the order of time."""

from uuid import RFC_4122

from houfu.kernel import ids
from houfu.testing.threads import in_threads


def test_ids_of_one_millisecond_are_different_and_in_the_order_in_which_they_were_made(clock):
    made = [ids.new() for _ in range(5000)]
    assert made == sorted(set(made))
    assert {(id.version, id.variant) for id in made} == {(7, RFC_4122)}


def test_ids_of_later_milliseconds_come_later(clock):
    made = []
    for _ in range(500):
        made += [ids.new(), ids.new()]
        clock.move(milliseconds=1)
    assert made == sorted(set(made))


def test_an_id_says_when_it_was_made(clock):
    assert ids.new().int >> 80 == int(clock.now().timestamp() * 1000)


def test_a_clock_that_was_set_back_makes_no_id_twice(clock):
    made = []
    for step in (0, 5, -5, 5, -5):
        clock.move(milliseconds=step)
        made += [ids.new() for _ in range(300)]
    assert len(set(made)) == len(made)


def test_threads_that_make_ids_at_once_make_different_ones(clock):
    made = [id for several in in_threads(lambda _: [ids.new() for _ in range(500)], range(8)) for id in several]
    assert len(set(made)) == 4000


def test_several_ids_follow_one_another_and_no_other_comes_between(clock):
    made = [ids.new(), *ids.several(1000), ids.new()]
    assert made == sorted(set(made))
    assert ids.several(0) == []
    assert {(id.version, id.variant) for id in made} == {(7, RFC_4122)}
