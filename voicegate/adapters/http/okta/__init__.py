"""The Okta door: Okta's documented Factors API for the `call` factor, which is our own API for factors."""
