"""Words that the API of the front door and the functions behind it share."""

BASIC_CHALLENGE = 'Basic realm="webhooks", charset="UTF-8"'
"""What a 401 asks for (RFC 7617): some senders show a password only after that."""

TOKEN_PARAMETER = "token"  # noqa: S105 - its name
"""The name of the path's parameter that is a token."""
