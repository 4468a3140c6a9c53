"""The gateway: where node agents come in, over mutual TLS 1.3 and nothing less."""
