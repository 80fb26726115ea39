"""How a deployment is at this moment: what `mozdef-ef status` shows."""
