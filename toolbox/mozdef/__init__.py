"""What MozDef does with a message: its worker, its plugins and its index, restated as a model."""
