"""Networks that predict the velocity of a noisy value, one in each file. A flow can use any of them."""
