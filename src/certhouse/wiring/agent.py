"""A node agent: keys, files and services of its machine. No database and no web framework is within reach."""

from dataclasses import dataclass
from pathlib import Path

from certhouse.adapters.clock import SystemClock
from certhouse.adapters.control import Bindings, BoundServices, read_bindings
from certhouse.adapters.control.bindings import bindings_path, group_of
from certhouse.adapters.vault import FileKeys, FileVault
from certhouse.ports.world import Clock
from certhouse.vocabulary import NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWiring:
    keys: FileKeys
    vault: FileVault
    services: BoundServices
    clock: Clock


def read_node_bindings(data: Path, own_listener: Bindings) -> Bindings:
    """Gives the node's bindings as they are now, over the one for Certhouse's own listener."""
    return read_bindings(bindings_path(data), own_listener)


def wire_agent(data: Path, node: NodeName, own_listener: Bindings | None = None) -> AgentWiring:
    """Puts a node's ports together. ``own_listener`` is the binding of the listener that runs beside the agent, if any."""
    clock = SystemClock()
    default = own_listener or {}
    keys = FileKeys(data, node)
    vault = FileVault(data, keys, lambda purpose: group_of(read_node_bindings(data, default), purpose))
    return AgentWiring(
        keys=keys,
        vault=vault,
        services=BoundServices(
            lambda: read_node_bindings(data, default), clock, vault.key_type, data / "run" / "self.sock"
        ),
        clock=clock,
    )
