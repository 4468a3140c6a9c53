"""The catalogs that come with Certhouse: ``uc`` is the manual's, ``services`` a plain frame for any TLS services."""

from functools import cache
from importlib.resources import files

from certhouse.catalog.reading import read_catalog
from certhouse.catalog.rows import Catalog

NAMES = ("uc", "services")


@cache
def shipped(name: str) -> Catalog:
    """Gives a shipped catalog by its name. Its text is part of the program, so that it is read once."""
    return read_catalog(files("certhouse.catalog").joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml")


def starting_catalog(name_or_text: str) -> Catalog:
    """Gives the catalog a cluster began with: a shipped one, or the text of the administrators' own."""
    return shipped(name_or_text) if name_or_text in NAMES else read_catalog(name_or_text, "starting catalog")
