"""Collections: many recorded episodes of simulated robots in whose worlds things go wrong."""
