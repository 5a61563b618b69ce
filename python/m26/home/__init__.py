"""What processes of one home share through files."""
