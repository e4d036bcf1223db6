"""Networks that say how a noisy value moves: one file, one network. A flow draws with any of them."""
