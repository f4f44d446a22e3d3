"""The screen, drawn from a picture of the bridge. Pure.

Terms:

frame       the lines of one screen, each of exactly its width.
panel       a part of the frame with a title and rows.
style       how a text is shown: colors and bold.
alert       the line below the title that names what is urgent.
symptom     one part of the alert: what keeps callers from answers.

In reading order: layout (the frame, from panels) · alert, symptoms · totals (the bridge as a whole) · panels,
provider_details (tables) · fleet (several replicas) · text (cells, bars, sparklines, numbers, styles).
"""
