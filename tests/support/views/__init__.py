"""The views and the page in tests: histories of orders, workers to kill, a browser."""
