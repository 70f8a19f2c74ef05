"""What is hardly meant of the stored trunks, beside this configuration; for those who check it without an engine."""

from __future__ import annotations

from engine.app.config import Config
from engine.app.trunk_warnings import all_trunk_warnings
from engine.errors import EngineError
from engine.store.database import open_database, parse_url, sqlite_file
from engine.store.directory_store import DirectoryStore
from engine.store.schema import SchemaState, check


def stored_doubts(config: Config) -> list[str]:
    """Trunks that no listener leads to, where the store is a file that is there. Nothing is made or changed, and a
    database elsewhere is not asked. Raises ConfigError for a store URL that cannot be used."""
    url = config.store_url
    if sqlite_file(parse_url(url)) is None:
        return []
    try:
        if check(url) is not SchemaState.OK:
            return []
        database = open_database(url, read_only=True)
        try:
            directory = DirectoryStore(database).load()
        finally:
            database.dispose()
    except EngineError as error:
        return [f"the trunks were not looked at: {error}"]
    return all_trunk_warnings(directory, config.sip.listeners)
