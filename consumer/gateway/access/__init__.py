"""Who may use the gateway: keys, tokens, and what each of them allows.

Import what is needed from its module: `authenticator` needs PyJWT, and what makes keys does not.
"""
