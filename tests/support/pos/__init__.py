"""Points of sale that tests play: odd, hostile, scripted ones, and requests to the sandbox."""
