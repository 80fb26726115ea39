"""What an object of the archive has at most: its writer keeps to it, its reader relies on it.

Deflate packs up to 1,032 to 1, so the size of a packed object says little: a guard that compares
both would refuse the most repetitive of the archive's own objects.
"""

#: Unpacked. A writer begins another object before there is more; a reader becomes suspicious only
#: after it.
LARGEST_OBJECT = 64 * 1024 * 1024
#: In bytes. A record has 4.5 MB at most where it is base64 in an invocation of 6 MB; JSON's
#: escapes make each of its bytes two, or base64 again makes of three four.
LONGEST_LINE = 16 * 1024 * 1024
