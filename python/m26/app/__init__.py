"""What puts the stages together: for a run, for the care of credentials, for one question."""
