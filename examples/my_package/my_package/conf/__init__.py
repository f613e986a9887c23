"""Settings of the components: hydra.searchpath=[pkg://my_package.conf]."""
