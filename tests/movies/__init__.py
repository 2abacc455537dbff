"""Movies whose truth is known: what curation is tested, measured and fitted on."""
