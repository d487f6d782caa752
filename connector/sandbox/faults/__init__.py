"""What a sandbox does wrong when it is told to."""
