"""Sign-in: how a person at a browser or an app becomes an actor, by password and factor or by passkey alone."""
