"""Who gives way where a table is full."""

from __future__ import annotations

from engine.sip.eldest import Eldest


class Looks:
    """Counts how many entries were looked at. An entry may go where it is positive."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, entry: int) -> bool:
        self.count += 1
        return entry > 0


def test_the_oldest_that_may_go_is_found_and_those_after_it_in_order() -> None:
    table = dict(enumerate([0, 1, 0, 2, 3]))
    eldest = Eldest(table, lambda entry: entry > 0)
    found = []
    while (entry := eldest.next()) is not None:
        found.append(entry)
        table = {key: value for key, value in table.items() if value != entry}
        eldest._table = table
    assert found == [1, 2, 3]


def test_one_that_may_not_go_any_more_or_is_gone_is_passed_over() -> None:
    table = dict.fromkeys(range(64), 1)
    eldest = Eldest(table, lambda entry: entry > 0)
    assert eldest.next() == 1
    del table[0], table[1]
    table[2] = 0
    table[3] = 7
    assert eldest.next() == 7


def test_a_table_in_which_nothing_may_go_is_looked_through_seldom() -> None:
    looks = Looks()
    eldest = Eldest(dict.fromkeys(range(1600), 0), looks)
    assert [eldest.next() for _ in range(1010)] == [None] * 1010
    assert looks.count == 1600 * 10


def test_each_entry_that_goes_costs_some_looks_whatever_the_size() -> None:
    looks = Looks()
    table = dict.fromkeys(range(1600), 0) | dict.fromkeys(range(1600, 3200), 1)
    eldest = Eldest(table, looks)
    for expected in range(1600, 3200):
        assert eldest.next() == 1
        del table[expected]
    assert looks.count < 1600 * 24


def test_after_a_pass_that_found_nothing_what_may_go_later_is_found_in_the_end() -> None:
    table = dict.fromkeys(range(160), 0)
    eldest = Eldest(table, lambda entry: entry > 0)
    assert eldest.next() is None
    table[5] = 1
    assert [eldest.next() for _ in range(11)] == [None] * 10 + [1]
