"""What requests and answers contain, read in bounded memory and work. Pure: no I/O.

Terms:

answer          a provider's response; unary (one body) or streamed (server-sent events).
inspection      reading an answer while it passes, unchanged, to the caller.
evidence        what an answer shows of the provider's health (`core.breaker`).
usage           token counts that the provider reports in an answer.
member          a name and its value at the top level of a JSON request body.
fault           why a body's members are not known in full.

In reading order:

response        inspects one answer: evidence and usage.
plain_events    skips events of a stream that show neither.
usage           token counts in the providers' formats.
expected_output how many tokens an answer may have, before it comes.
output_estimate token counts of answers that report none.
secret_mask     hides the central key in an error that quotes it.
wanted_members  names to look for in a request body, and the values to expect.
embedded_data   about how much of a request body is data like images.
json_members    reads these members from a body that arrives in pieces.
json_lexer      patterns of JSON's tokens.
model           matches a model's name with configured patterns.
"""
