"""The Twilio door: Verify v2 for the `call` channel, so that backends which speak it need no change."""
