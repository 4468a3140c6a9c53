"""A control-plane process: store, clock, names, bell, seal and passwords."""

import os
from dataclasses import dataclass

from certhouse.adapters.bell import ThreadBell
from certhouse.adapters.clock import SystemClock
from certhouse.adapters.configuration import Configuration, key_encryption_key
from certhouse.adapters.ids import TimeOrderedIds
from certhouse.adapters.passwords import Argon2Passwords
from certhouse.adapters.store import open_store
from certhouse.adapters.vault.keys import HpkeSeal
from certhouse.ports.store import Store
from certhouse.ports.world import Bell, Clock, Ids, PasswordHasher, Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    configuration: Configuration
    store: Store
    clock: Clock
    ids: Ids
    bell: Bell
    seal: Seal
    passwords: PasswordHasher


def wire_server(configuration: Configuration) -> Server:
    """Opens the database and puts the rest beside it. Raises Misconfigured."""
    clock = SystemClock()
    return Server(
        configuration=configuration,
        store=open_store(configuration.database_url, key_encryption_key(configuration, os.environ)),
        clock=clock,
        ids=TimeOrderedIds(clock),
        bell=ThreadBell(),
        seal=HpkeSeal(),
        passwords=Argon2Passwords(),
    )
