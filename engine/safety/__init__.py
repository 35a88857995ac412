"""What decides how fast, stiff and strong the robot may be: one module a layer; numpy, engine.types and engine.limits only."""
