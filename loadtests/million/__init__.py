"""A million events under faults, each accounted for from outside of the product."""
