"""How each sender of the table makes its request, by its library or by its documentation.

Nothing here uses the code that it tests.
"""
