"""What of a request is no header and is needed later: it travels beside the headers.

No header's name begins with a colon (RFC 9110, token), so a sender can send none of these.
"""

METHOD = ":method"
#: The address that the sender was given: the stage's own and the source, without a query. Never the
#: Host header, which is the sender's to choose.
URL = ":url"
#: Stands before the name of a query parameter, whose case counts.
QUERY = ":query."
#: Says that the parts of the request that its signature covers are there (`signed_parts`). It never
#: travels.
PARTS = ":"
