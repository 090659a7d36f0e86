"""Who gets in, from where, and what every answer carries so that nothing foreign runs."""
