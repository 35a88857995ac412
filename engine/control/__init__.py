"""How a decision becomes motion: impedance law, reference, chunk follower, jog; numpy, engine.types and engine.limits only."""
