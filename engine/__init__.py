"""Everything that decides: no terminal here, and no screen."""
