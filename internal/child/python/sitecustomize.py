# Every Python of the command runs this file at its start, because its directory is in
# PYTHONPATH. It imports only what Python has imported before: authsome_clients changes a
# client when a program imports it. An error here must never reach the program. It must also parse in Python 2.
import os
import sys


def _start():
    directory = os.path.dirname(os.path.abspath(__file__))
    if sys.version_info >= (3, 7):
        modules = ("ssl", "http.client", "asyncio.base_events", "uvloop", "aiohttp.client", "urllib3.connection", "websockets.sync.client", "httplib2")

        class Finder(object):
            """Calls authsome_clients after the import of one of the modules."""

            @staticmethod
            def find_spec(name, path=None, target=None):
                if name not in modules:
                    return None
                for finder in sys.meta_path:
                    if finder is Finder or not hasattr(finder, "find_spec"):
                        continue
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        return changed(spec)
                return None

        def changed(spec):
            try:
                run = spec.loader.exec_module

                def exec_module(module):
                    run(module)
                    if module.__name__ == spec.name:  # a loader may be shared
                        change(module)

                spec.loader.exec_module = exec_module
            except Exception:
                pass
            return spec

        def change(module):
            try:
                sys.path.insert(0, directory)
                try:
                    import authsome_clients
                finally:
                    sys.path.remove(directory)
                authsome_clients.change(module)
            except Exception:
                pass

        for name in modules:
            if name in sys.modules:
                change(sys.modules[name])
        sys.meta_path.insert(0, Finder)
    # The program sees neither the directory nor this module, and the sitecustomize that
    # Python would have imported is imported now.
    while directory in sys.path:
        sys.path.remove(directory)
    sys.path_importer_cache.pop(directory, None)


try:
    _start()
except Exception:
    pass
_own = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize
except ImportError as e:
    if getattr(e, "name", "sitecustomize") != "sitecustomize":
        raise
finally:
    sys.modules.setdefault("sitecustomize", _own)
