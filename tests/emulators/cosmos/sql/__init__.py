"""Tests of the query language's pure middle: values, functions, plans."""
