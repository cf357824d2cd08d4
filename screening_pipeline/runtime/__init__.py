"""What a cycle works with, the values its steps hand on, and plans put into practice.

May import everything from base to orders, and the sandbox's server.
"""
