"""`make hostile`: the worst bodies against the local runtime, beside a light flow of good ones."""
