"""Deliveries in, one release of protected counts out. Persons never leave this package."""
