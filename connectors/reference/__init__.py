"""Takes over what a reference server's database holds: logins, logs, settings and call-down lists."""
