"""The ear for every language: Whisper, which knows none of our recordings, says what people make of them.

`whisper` holds the model, `digits` the choice among ten words, `lines` what a telephone line does to sound,
`calls` whole calls, `phrases` sentences, `measuring` all of it together, `table` what came of it. English has
an ear of its own too, `lab.ear`. Extra [hear]; nothing of the daemon imports it.
"""
