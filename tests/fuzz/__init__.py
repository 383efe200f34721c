"""Inputs that nobody should give, by the thousand: each ends in success or in one `InputError`, never in a traceback or a crash.

`python -m tests.fuzz --count 10000` runs them in child processes, so that a crash of one is a finding and not the end; a few
hundred are among the tests. An input is determined by its kind and its number.
"""
