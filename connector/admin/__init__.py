"""What operators do: check, status, control requests, dead letters, seek."""
