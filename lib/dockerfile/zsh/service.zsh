# service: later
