"""The web face: pages that are pure functions of their address and a release. See `app` and `view`."""
