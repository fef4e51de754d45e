"""A speech recogniser for every language: Whisper, which knows none of our recordings, tells what people
understand.

`whisper` loads the model, `digits` chooses among ten words, `lines` does to sound what a telephone line does,
`calls` handles whole calls, `phrases` sentences, `measuring` everything together, `table` the results.
English has its own recogniser too, `lab.ear`. Extra [hear]; the daemon imports none of it.
"""
