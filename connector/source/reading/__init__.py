"""Pages of an entity: asked for, judged, and asked smaller where they cannot be had."""
