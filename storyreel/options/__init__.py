"""What a person may set: each setting is declared once, with its type, range, help and conflicts.

declare.py is how, generation.py the settings of a generation; input_clip.py and story.py read the two that are files.
"""
