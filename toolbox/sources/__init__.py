"""Sources in the making: samples, rehearsal, checks, and folders made from samples."""
