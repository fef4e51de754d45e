"""Pages for people, who set up, use and manage a telephone in a browser.

They work without JavaScript, by forms and refreshing; with it they are live. Each action goes to
`page_sessions`, in the name of the client that sent the person; nothing here decides who may do what.
"""
