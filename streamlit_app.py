"""The browser face: configuration and navigation, nothing else."""

from ui.navigation import navigate

navigate().run()
