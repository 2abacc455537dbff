"""A page to look at what `storyreel curate` wrote: kept and rejected clips, why, and what other thresholds would do."""
