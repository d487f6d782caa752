"""What the sink asks of the POS: calls, their replies, and orders as the POS shows them."""
