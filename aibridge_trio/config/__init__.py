"""Options, how their values are read, where each value came from, and the policies made of them."""
