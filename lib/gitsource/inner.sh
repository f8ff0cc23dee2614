# What runs in the sandbox before dockerfile.GitScript: the key or token comes on standard input, and stays in memory.
umask 077
cat >/run/secret
umask 022
