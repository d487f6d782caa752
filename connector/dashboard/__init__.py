"""The dashboard: one page for the whole deployment, from what its topics tell. It reads, and controls nothing."""
