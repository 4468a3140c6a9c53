"""The verbs of the manual: one module per procedure, a frozen command in, ports by keyword, one transaction."""
