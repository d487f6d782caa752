"""Reading topics: up to now, for ever, a record by its offset; and the consumer that no record stops."""
