"""The door: who is let in, what is verified before the answer, how a handshake is answered."""
