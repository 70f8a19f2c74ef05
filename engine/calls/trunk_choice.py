"""In which order the trunks of a group are tried: by priority, and within one priority by weight.

The first of each priority is chosen by smooth weighted round robin: every member gains its weight, who has most is
chosen and pays the sum of all weights. Of ten calls to members of weight 7, 2 and 1 they get 7, 2 and 1, spread evenly
instead of in runs, and without randomness. The others of that priority follow in the order of what they have gained,
those of weight 0 last.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from engine.calls.trunk import GroupMember, TrunkGroup
from engine.ids import GroupName, TrunkName


class TrunkChoice:
    """The round robins of all groups."""

    def __init__(self) -> None:
        self._groups: dict[GroupName, tuple[TrunkGroup, tuple[tuple[GroupMember, ...], ...]]] = {}
        self._gained: dict[GroupName, dict[TrunkName, int]] = {}

    def order(self, group: TrunkGroup, usable: Callable[[TrunkName], bool]) -> list[TrunkName]:
        """The members that are usable now, first choice first. Members that are not gain nothing, so that the others
        share their calls by weight."""
        gained = self._gained_of(group)
        order: list[TrunkName] = []
        for tier in self._groups[group.name][1]:
            there = [member for member in tier if usable(member.trunk)]
            if not there:
                continue
            if not order:
                # Only the tier that gets the call gains and pays; those behind it are there in case it fails.
                for member in there:
                    gained[member.trunk] += member.weight
            there.sort(key=lambda member: (member.weight == 0, -gained[member.trunk]))
            if not order:
                gained[there[0].trunk] -= sum(member.weight for member in there)
            order += [member.trunk for member in there]
        return order

    def forget(self, group: GroupName) -> None:
        """The group is gone."""
        self._groups.pop(group, None)
        self._gained.pop(group, None)

    def _gained_of(self, group: TrunkGroup) -> dict[TrunkName, int]:
        known = self._groups.get(group.name)
        if known is None or known[0] is not group:
            members = sorted(group.parsed(), key=lambda member: member.priority)
            tiers = tuple(tuple(tier) for _, tier in groupby(members, key=lambda member: member.priority))
            self._groups[group.name] = (group, tiers)
            self._gained[group.name] = dict.fromkeys([member.trunk for member in members], 0)
        return self._gained[group.name]
