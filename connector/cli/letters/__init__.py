"""What `dead-letters` says, in words."""
