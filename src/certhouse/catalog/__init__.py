"""The manual's tables as data: one TOML row is one record, and code reads rows, never names.

``rows`` has the shapes, ``reading`` turns text into them, ``shipped`` finds the catalogs that come with Certhouse.
"""
