"""Networks of the literature, each with its shapes, its number of parameters and its paper."""
