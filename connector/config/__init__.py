"""The configuration: one frozen tree, read once, from the environment and an optional TOML file."""
