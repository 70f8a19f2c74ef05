"""`hearthline token`: who may use the API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.app.cli_common import ConfigOption, JsonOption, show
from engine.app.config import Config, load_config

if TYPE_CHECKING:
    from engine.store.token_store import TokenStore

app = typer.Typer(help="Make, list and revoke tokens for the API.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the token is for: wallboard, crm ...")], config: ConfigOption = None
) -> None:
    """Make a token and show it, once."""
    with _tokens(load_config(config)) as tokens:
        print(tokens.create(name, now=time.time()))


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the names of all tokens; the token of the state directory is not among them."""
    with _tokens(load_config(config)) as tokens:
        rows = [
            {"name": token.name, "created": token.created if as_json else _day_and_time(token.created)}
            for token in tokens.list()
        ]
    show(rows, ["name", "created"], as_json=as_json)


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Name of the token.")], config: ConfigOption = None) -> None:
    """Void a token; a running engine knows within half a minute."""
    with _tokens(load_config(config)) as tokens:
        tokens.revoke(name)
    print(f"token {name} revoked")


def _day_and_time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"


@contextmanager
def _tokens(config: Config) -> Iterator[TokenStore]:
    from engine.app.store_administration import opened_store  # noqa: PLC0415 - brings SQLAlchemy
    from engine.store.token_store import TokenStore  # noqa: PLC0415

    with opened_store(config) as database:
        yield TokenStore(database)
