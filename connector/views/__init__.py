"""The read side: a Faust worker that folds events, commands and results into order journeys and windows of figures."""
