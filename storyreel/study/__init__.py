"""A human study: raters compare the clips of two models, blind, on a page; a report says what their votes mean.

    folders of clips ──create──► study folder ──serve──► votes.sqlite ──report──► win rates with intervals

`folders` pairs clips by prompt, `create` copies them under opaque names, `plan` is the study folder, `assign` says who
sees what, `votes` keeps the answers, `server` and `page/` show them; `ballots`, `rates`, `bradley_terry`, `agreement`,
`binomial` and `report` are the statistics.
"""
