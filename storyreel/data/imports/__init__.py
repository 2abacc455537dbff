"""Public datasets in their published layouts, written as our own dataset folders.

msr_vtt.py and howto100m.py read annotations and give entries; entries.py says what one is and finds videos;
folder.py cuts, resamples and writes them, and goes on where it was stopped.
"""
