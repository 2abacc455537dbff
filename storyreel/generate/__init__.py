"""From options to clips.

registry.py finds models, model.py runs one, prompts.py reads files of prompts, batch.py makes many videos and resumes,
provenance.py reads the options out of a clip, vocabulary.py knows whether a model knows the words of a prompt.
"""
