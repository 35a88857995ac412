"""How a decision becomes motion: impedance law, reference, chunk follower, jog; numpy and engine.types only."""
