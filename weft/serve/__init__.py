"""A run behind an address: a page and a REST interface for many callers at once."""
