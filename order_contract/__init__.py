"""The HTTP contract for consumers: OpenAPI 3.1, made from the models that both sides use at run time, and served.

Above both sides: it looks at their models and problems, and neither knows it.
"""
