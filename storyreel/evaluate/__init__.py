"""Measures clips: folders in, a report out. `storyreel.evaluate(...)` calls the package itself."""

from storyreel.callable_package import call

call(__name__, "command:evaluate")
