"""The formats that the generated validators check, each with a value of it."""

#: The values are those of the specifications that the formats name: RFC 3339, 3986, 4291, 5321, ….
FORMATS = {
    "date": "2026-11-24",
    "date-time": "2026-11-24T09:00:00Z",
    "duration": "P3D",
    "email": "alice@example.com",
    "hostname": "www.example.com",
    "idn-email": "alice@example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "iri": "https://example.com/a",
    "iri-reference": "/a",
    "json-pointer": "/a/b",
    "regex": "^a$",
    "relative-json-pointer": "1/a",
    "time": "09:00:00Z",
    "uri": "https://example.com/a",
    "uri-reference": "/a",
    "uri-template": "https://example.com/{a}",
    "uuid": "0b7f9c1e-5d1c-4c55-9d15-2f0f0f0f0f0f",
}

#: No value of any of them.
NO_FORMAT = "[ "
