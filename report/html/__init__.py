"""The HTML report: one file that opens anywhere and asks the network for nothing.

    report/totals.py    what a session says, as plain data
    facts.py, story.py  the same for a page: tables as columns, sentences
    events.py           the calls one by one, as columns; levels.py sums them up for drawings
    spoken.py           what was said over HTTP: headers, messages, arrival times; bodies.py the bodies, conversation.py the LLM calls,
                        phases.py what the time went to, coverage.py how much of TLS was read
    gate.py             takes secrets out of all texts on their way into the page
    packing.py          columns to compressed bytes, that the browser inflates into typed arrays
    page.py             all of it and the bundle of report/web/ in one file
"""
