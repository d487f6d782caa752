"""What the page shows, folded from records, a file per topic. Pure."""
