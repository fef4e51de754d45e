"""Speech: from an announcement's parts to sound files, and from a language's words to its prompts."""
