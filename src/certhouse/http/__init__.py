"""What web, api and gateway share: who is asking, headers that protect, errors as problem documents, the listener."""
