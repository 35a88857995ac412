"""Every fault the engine must survive: what can be made to go wrong, how, and what a saved session then has to show."""
