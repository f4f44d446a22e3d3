"""The screen, drawn from a picture of the bridge. Pure.

layout: the frame, from blocks · alert, symptoms: the line of what is urgent · totals: the whole bridge ·
panels, provider_details: the tables · text: cells, bars, sparklines, numbers.
"""
