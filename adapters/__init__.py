"""One folder a robot; each keeps the protocols of ``adapters.base``."""
