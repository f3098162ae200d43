"""`doctor`: what in an app would break on the real host, and the fix.

`project` reads the app once; each module of checks takes that and yields findings; `command` prints them. A new check
is a function in the module of its subject and a row of `command.CHECKS`.
"""
