"""Markets whose values move, and how near to them a pricer comes."""
