"""Storyreel turns text into video, and everything that this takes."""
