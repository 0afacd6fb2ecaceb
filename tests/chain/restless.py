"""What logs do not say, or say in an unusual way: deeds of random holders and tokens, block after block.

Everything is drawn from one seed. A token misbehaves once, and again when it was found out: two misdeeds that cancel
out before anybody looked are not seen by any comparison.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from devnet import Addresses, Devnet
from devnet.artifacts import own
from devnet.desk import Desk
from devnet.protocols.chainlink import OPENING_CENTS, answer_of_cents

TOKENS = 8
UNIT = 10**12
"""Restless tokens move in multiples of this, so that a rebase by a fifth or a quarter rounds nothing."""

LOUD = ("ETH/USD", "LINK/USD", "USDC/USD")
"""Feeds whose aggregators log their answers."""


@dataclass
class Restless:
    """Holders and tokens of whom anything may be expected. `found_out` says whether a token is known to misbehave.

    `tokens` by the block they were made in, `guilty` ones by that of their misdeed, `codes` of those that are gone.
    """

    net: Devnet
    addresses: Addresses
    dice: random.Random
    found_out: Callable[[str], bool]
    tokens: dict[str, int] = field(default_factory=dict)
    guilty: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    _busy: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.desk = Desk(self.net, self.addresses)
        self.actors = (*self.addresses.users, *self.net.accounts[8:10])
        self.pools = (*self.addresses.uniswap_v2.pairs.values(), *self.addresses.uniswap_v3.pools.values())

    def settle_in(self) -> None:
        """Some blocks in which the tokens are made, and feeds get aggregators that log."""
        for feed in LOUD:
            self._aggregator(feed, answer_of_cents(OPENING_CENTS[feed]))
        for _ in range(TOKENS):
            self.another_token()

    def another_token(self) -> None:
        """One more, in a block of its own, minted to everybody."""
        token = self.net.deploy(own("RestlessToken"))
        self.tokens[token] = self.net.block_number() + 1
        for holder in self.actors:
            self.net.send(token, "mint(address,uint256)", holder, self.dice.randint(1, 10**9) * UNIT)
        self.net.mine()

    def step(self, dt: int) -> None:
        """One block of one to five deeds."""
        self._busy.clear()
        self.guilty = {token: at for token, at in self.guilty.items() if at <= self.net.block_number()}
        for _ in range(self.dice.randint(1, 5)):
            self._do(self.dice.choice(_DEEDS))
        self.net.mine(dt=dt)

    def vanish_or_return(self) -> None:
        """After a block: a token's code is gone at its end, as a self-destruction left it, or there again."""
        for token in [token for token in self.codes if self.found_out(token)]:
            self.net.rpc("anvil_setCode", token, self.codes.pop(token))
            self.done["return"] += 1
            return
        for token in self._innocent():
            self.codes[token] = self.net.rpc("eth_getCode", token, "latest")
            self.net.rpc("anvil_setCode", token, "0x")
            self._misdeed(token, self.net.block_number())
            self.done["vanish"] += 1
            return

    def went_back(self) -> None:
        """The chain lost blocks: what is there, what is gone, and who is guilty, is as it is now."""
        here = self.net.block_number()
        self.tokens = {token: made for token, made in self.tokens.items() if made <= here}
        self.guilty = {token: at for token, at in self.guilty.items() if at <= here}
        codes = {token: self.net.rpc("eth_getCode", token, "latest") for token in self.tokens}
        whole = max(codes.values(), key=len)
        self.codes = {token: whole for token, code in codes.items() if code == "0x"}

    def _do(self, deed: Callable[[Restless], None]) -> None:
        deed(self)
        self.done[deed.__name__.strip("_")] += 1

    def _actor(self) -> str | None:
        """Somebody who has not sent anything in this block, so that amounts are what they seem."""
        free = [actor for actor in self.actors if actor not in self._busy]
        actor = self.dice.choice(free) if free else None
        self._busy.add(actor or "")
        return actor

    def _token(self) -> str:
        there = [token for token in self.tokens if token not in self.codes]
        return self.dice.choice([*there, *(token.address for token in self.addresses.tokens.values())])

    def _place(self, token: str) -> str:
        """Where a token may go: into pools only what they do not trade."""
        pools = self.pools if token in self.tokens else ()
        return self.dice.choice((*self.actors, self.addresses.escrow, *pools))

    def _part(self, token: str, holder: str) -> int:
        amount = self.desk.balance(token, holder) // self.dice.choice((2, 3, 10, 1_000))
        return amount // UNIT * UNIT if token in self.tokens else amount

    def _transfer(self) -> None:
        if sender := self._actor():
            token = self._token()
            self._send(token, sender, self._place(token), self._part(token, sender))

    def _send(self, token: str, sender: str, receiver: str, amount: int) -> None:
        self.net.send(token, "transfer(address,uint256)", receiver, amount, sender=sender)

    def _transfer_nothing(self) -> None:
        if sender := self._actor():
            token = self._token()
            self._send(token, sender, self._place(token), 0)

    def _transfer_to_oneself(self) -> None:
        if sender := self._actor():
            token = self._token()
            self._send(token, sender, sender, self._part(token, sender))

    def _there_and_back(self) -> None:
        sender, receiver, token = self._actor(), self._actor(), self._token()
        if sender and receiver and token not in self.guilty:
            amount = self._part(token, sender)
            self._send(token, sender, receiver, amount)
            self._send(token, receiver, sender, amount)

    def _mint(self) -> None:
        token = self._token()
        if token != self.addresses.token("WETH"):
            amount = self.dice.choice((0, 1, 10**6, 10**9)) * UNIT
            self.net.send(token, "mint(address,uint256)", self._place(token), amount)

    def _burn(self) -> None:
        there = [token for token in self.tokens if token not in self.codes]
        actor = self._actor()
        if actor and there:
            token = self.dice.choice(there)
            self.net.send(token, "burn(uint256)", self._part(token, actor), sender=actor)

    def _wrap(self) -> None:
        if actor := self._actor():
            self.net.send(self.addresses.token("WETH"), "deposit()", sender=actor, value=self.dice.randint(0, 10**18))

    def _unwrap(self) -> None:
        if actor := self._actor():
            weth = self.addresses.token("WETH")
            self.net.send(weth, "withdraw(uint256)", self._part(weth, actor), sender=actor)

    def _donate(self) -> None:
        """A little to a pair, which then may take note of it, or give it away."""
        name, pair = self.dice.choice(list(self.addresses.uniswap_v2.pairs.items()))
        actor, place = self._actor(), self.dice.randrange(2)
        if actor:
            token = self.addresses.token(name.split("/")[place])
            amount = min(self.desk.balance(token, actor), self.desk.reserves(name)[place] // 500)
            self._send(token, actor, pair, amount)
            call = self.dice.choice((None, "sync()", "skim(address)"))
            if call:
                self.net.send(pair, call, *([self.dice.choice(self.actors)] if "address" in call else []))

    def _release(self) -> None:
        symbol = self.dice.choice(("USDC", "WBTC", "LINK", "WETH"))
        amount = self.desk.balance(self.addresses.token(symbol), self.addresses.escrow) // 1_000
        self.desk.release(symbol, self.dice.choice(self.actors), amount)

    def _answer(self) -> None:
        """A round; two rounds in a block now and then."""
        feed = self.dice.choice(LOUD)
        for _ in range(self.dice.choice((1, 1, 1, 2))):
            self.desk.set_price(feed, self.desk.price(feed) * self.dice.randint(9_990, 10_010) // 10_000)

    def _another_aggregator(self) -> None:
        if self.dice.random() < 0.2 and "feed" not in self._busy:
            self._busy.add("feed")
            feed = self.dice.choice(LOUD)
            self._aggregator(feed, self.desk.price(feed))

    def _aggregator(self, feed: str, answer: int) -> None:
        proxy, successor = self.addresses.feeds[feed].proxy, self.net.deploy(own("LoudAggregator"), answer)
        self.net.send(proxy, "proposeAggregator(address)", successor)
        self.net.send(proxy, "confirmAggregator(address)", successor)

    def _misbehave(self) -> None:
        """Mint in silence, rebase, or take a fee from now on."""
        for token in self._innocent():
            holder, how = self.dice.choice(self.actors), self.dice.randrange(4)
            if how < 2:
                self.net.send(token, "mintInSilence(address,uint256)", holder, self.dice.randint(1, 10**6) * UNIT)
            elif how == 2:
                self.net.send(token, "tax(uint256)", self.dice.choice((0, 100)))
            else:
                self.net.send(token, "rebase(uint256,uint256)", *self.dice.choice(((5, 4), (4, 5))))
            self._misdeed(token, self.net.block_number() + 1)
            self.done[("mint in silence", "mint in silence", "fee", "rebase")[how]] += 1

    def _innocent(self) -> Iterator[str]:
        """Now and then a token that is there, and has done no wrong that is not known."""
        token = self.dice.choice(list(self.tokens))
        free = token not in self.codes and (token not in self.guilty or self.found_out(token))
        if free and token not in self._busy and self.dice.random() < 0.3:
            yield token

    def _misdeed(self, token: str, number: int) -> None:
        self.guilty.setdefault(token, number)
        self._busy.add(token)


_DEEDS: tuple[Callable[[Restless], None], ...] = (
    *[Restless._transfer] * 6,
    Restless._transfer_nothing,
    Restless._transfer_to_oneself,
    Restless._there_and_back,
    *[Restless._mint] * 2,
    Restless._burn,
    Restless._wrap,
    Restless._unwrap,
    *[Restless._donate] * 2,
    Restless._release,
    *[Restless._answer] * 2,
    Restless._another_aggregator,
    *[Restless._misbehave] * 2,
)
