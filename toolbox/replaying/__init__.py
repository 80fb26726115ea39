"""What only an operator of a replay needs: dry runs, and the words for its counts."""
