"""The commands behind `make secret`, `make deploy` and so on; not a part of the deployed function.

Standard output is a command's answer; progress, questions and hints go to standard error. What the operator chose
comes in environment variables, so that no value has to be quoted for a shell.
"""
