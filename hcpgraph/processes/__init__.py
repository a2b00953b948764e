"""Everything that starts a process. No other module does: a test reads the sources.

`commands`: programs that are spoken with over pipes. `readers`: what reads ahead beside a training. `parcel`: objects
on their way into another process.

Nothing forks this process, which has threads and perhaps a GPU. Whatever is started here sees no Ctrl-C, and ends with
its parent in whatever way that ends: its stdin or its sentinel closes.
"""
