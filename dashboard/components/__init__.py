"""Building blocks of pages. They know words and selections, never a release."""
