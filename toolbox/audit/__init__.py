"""The audit: is every event of a span accounted for?"""
