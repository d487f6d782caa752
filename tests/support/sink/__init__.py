"""Commands in tests: a worker that carries them out, answers that are lost, boxes between it and the POS."""
