"""The page over HTTP: routes, live parts, what every answer carries."""
