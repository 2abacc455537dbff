"""From footage to a dataset folder, with reasons. `storyreel.curate(...)` calls the package itself."""

from storyreel.callable_package import call

call(__name__, "command:curate")
