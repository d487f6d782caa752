"""`mplus-connector`: one verb per module.

Errors are one line and an exit code: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration.
"""
