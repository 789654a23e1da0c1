"""Makes a Dask worker one with fakes: `dask worker --preload tests.elsewhere_worker`."""

from tests.elsewhere import install

install()
