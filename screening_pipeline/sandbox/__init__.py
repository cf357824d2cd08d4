"""The bundled vendor sandbox: one loopback server that answers as the six vendors do.

Written from the vendors' documents and not from the pipeline's client, so that the two witness each other:
nothing in here imports the rest of the program. Read `timeline`, one vendor module, `world`, then `app`.
"""
