"""What `make dist` builds, where it is installed: on each Python, and on other processors by an emulator."""
