"""The API: what can be asked for and how it is answered, for programs."""
