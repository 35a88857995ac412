"""Studies of the safety core: the real engine in lock-step, scene after scene, with what decides left whole or with a layer put off."""
