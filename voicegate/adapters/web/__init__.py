"""Pages for people: a telephone is set up, signed in with and managed in a browser.

They work without a script, by forms and refreshing; with one they are live. What people do is asked of
`page_sessions`, in the name of the client that sent them; nothing here decides who may do what.
"""
