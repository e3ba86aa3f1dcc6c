"""The commands behind `make secret`, `make deploy` and so on; not a part of the deployed function.

A command's result goes to standard output; progress, questions and hints go to standard error. The operator's choices
are environment variables, so that no value needs quoting for a shell.
"""
