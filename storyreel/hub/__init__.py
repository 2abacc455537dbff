"""Models of other people, by `diffusers`, and ours to and from the Hugging Face hub."""
