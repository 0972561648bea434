"""Loading and unloading."""

from adlib_kernel.catalogue import CATALOGUE


def test_loading_brings_the_magics_and_unloading_takes_them_away(ipython):
    manager = ipython.shell.magics_manager
    forms = [form for entry in CATALOGUE for form in entry.forms]

    def loaded():
        kinds = {"%": manager.magics["line"], "%%": manager.magics["cell"]}
        return [
            kind + name for kind, magics in kinds.items() for name in magics if kind + name in forms
        ]

    assert sorted(loaded()) == sorted(forms)
    ipython.run("%unload_ext adlib_kernel")
    assert loaded() == []
    ipython.run("%load_ext adlib_kernel")
    assert sorted(loaded()) == sorted(forms)


def test_loading_twice_leaves_one_matcher(ipython):
    count = len(ipython.shell.Completer.custom_matchers)
    ipython.run("%reload_ext adlib_kernel")
    assert len(ipython.shell.Completer.custom_matchers) == count
