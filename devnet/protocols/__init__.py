"""One protocol a file: each puts the contracts its authors published on a devnet and says where they stand.
`deploy_protocols` puts all of them there, funds the users and seeds every pool, vault and market."""

from devnet.protocols.everything import deploy_protocols

__all__ = ["deploy_protocols"]
