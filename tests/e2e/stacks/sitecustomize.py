"""On the path of the apps that browser tests start: a signal makes them write what each of their threads does."""

import faulthandler
import signal

faulthandler.register(signal.SIGUSR1, all_threads=True)
