"""The gateway: profiles, commands, message signing, the HTTP client, what each reply means."""
