"""How a decision becomes motion: impedance law, reference, chunks, jog; on numpy, engine.types, engine.limits and engine.safety."""
