"""Services of a node as its own bindings have them: started, stopped, restarted, asked what they serve."""

from certhouse.adapters.control.bindings import Binding, Bindings, Check, read_bindings
from certhouse.adapters.control.services import BoundServices

__all__ = ["Binding", "Bindings", "BoundServices", "Check", "read_bindings"]
