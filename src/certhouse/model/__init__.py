"""The nouns of Certhouse, as frozen dataclasses. All times are aware and in UTC; all certificates are DER bytes."""
