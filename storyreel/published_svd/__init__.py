"""Published weights of Stable Video Diffusion: their two layouts, a model from either, LoRAs in PEFT's layout."""
