"""The archive in S3: its prefixes and keys, its lines as they are written and read again."""
