"""The query language: lexer, parser, checks, compiler, functions, and one definition of values.

Pure: it knows neither HTTP nor SQLite's file. `statement.prepare` is the door.
"""
