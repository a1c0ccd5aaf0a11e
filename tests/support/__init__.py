"""What several tests share: small networks, stand-ins for what takes long, and what the papers' own graphs answered."""
