"""From a request to clips.

shelf.py finds models, model.py runs one, asked.py is what a person asks for, story.py and prompts.py read files of
it, batch.py makes many and resumes, words.py knows whether a prompt is in a model's language.
"""
