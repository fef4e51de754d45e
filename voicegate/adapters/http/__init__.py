"""The HTTP doors: the server, who asks, requests and answers, problems, OpenAPI."""
