"""Sends webhook messages by HTTPS; fills the port `WebhookSender`."""

from voicegate.adapters.webhooks.sender import HttpSender, Receiver

__all__ = ["HttpSender", "Receiver"]
