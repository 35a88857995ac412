"""How the work is likely to fail, and how soon: data, the model learnt from them, and what it foresees live."""
