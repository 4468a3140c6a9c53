"""Decisions as pure functions. The time is an argument; nothing here reads or writes anything."""
