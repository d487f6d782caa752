"""From the command partition to commands in hand: reading it, and which offsets are finished."""
