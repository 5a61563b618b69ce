"""A market to judge a planner in: traces, an upstream with variants, the dialogue, the scores.

It shares no code with m26, which it starts as a program.
"""
