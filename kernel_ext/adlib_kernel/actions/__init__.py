"""What the magics do, as plain functions that return rich objects; no IPython in here."""
