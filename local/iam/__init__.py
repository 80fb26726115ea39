"""Which calls of AWS a running pipeline makes, and whether the template's policies allow them."""
