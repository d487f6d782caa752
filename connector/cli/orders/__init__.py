"""What the `order` verbs share: drafts, options, sending, reading."""
