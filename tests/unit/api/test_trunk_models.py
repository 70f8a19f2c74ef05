"""A trunk's settings stand in three places: what an operator sets, what the API takes, and what it shows."""

from __future__ import annotations

from dataclasses import MISSING, fields

from engine.api.trunk_models import GroupSettings, TrunkSettings
from engine.api.trunk_views import GroupView, TrunkView
from engine.calls.trunk import Trunk, TrunkGroup

SETTINGS = {field.name: field.default for field in fields(Trunk) if field.name != "name"}


def test_the_api_takes_every_setting_with_the_same_default() -> None:
    taken = TrunkSettings()
    assert list(TrunkSettings.model_fields) == list(SETTINGS)
    for name, default in SETTINGS.items():
        given = getattr(taken, name)
        expected = "" if default is MISSING else default
        assert (tuple(given) if isinstance(given, list) else given) == expected, name


def test_the_api_shows_every_setting_but_the_secret() -> None:
    shown = {field.name: field.default for field in fields(TrunkView)}
    assert set(SETTINGS) - set(shown) == {"secret"}
    for name in SETTINGS.keys() & shown.keys():
        assert shown[name] in (MISSING, SETTINGS[name]), name


def test_groups_too() -> None:
    settings = {field.name for field in fields(TrunkGroup)} - {"name"}
    assert set(GroupSettings.model_fields) == settings
    assert {field.name for field in fields(GroupView)} - {"name"} == settings
