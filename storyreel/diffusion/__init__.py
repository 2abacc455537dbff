"""The mathematics of diffusion, for any network: levels of noise, what a network tells, samplers, guidance.

It knows no paper's network and no system. A network becomes a `Denoise` (`guidance.denoiser`, `guidance.guided`), and
samplers are plain functions of (denoise, z, levels). docs/diffusion.md says which is for what.
"""
