"""From raw files to clean, split, sharded data, and the card that says what is in them."""
