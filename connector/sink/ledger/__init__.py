"""What is known of every command of a partition."""
