"""The mathematics of diffusion, for any network: levels of noise, what a network tells, samplers, guidance.

It knows no paper's network and no system. A network becomes a `Denoiser`, and a `Sampler` is called with (denoiser, z,
levels); its step is a plain function. docs/diffusion.md says which is for what.
"""
