"""A made-up chain of tokens, pairs and feeds: it emits the logs its contracts would, and knows every answer itself."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from indexer.model import Address, Hash, Log
from indexer.reads.abi import Function, function, interface, topic
from indexer.reads.ledger.rules import Surroundings
from indexer.reads.source import CallKey, Key

ERC20, PAIR, FEED = interface("erc20"), interface("uniswap_v2_pair"), interface("aggregator_v3")
TRANSFER = ERC20.events["Transfer"]
SYNC, ANSWERED = topic("Sync(uint112,uint112)"), FEED.events["AnswerUpdated"]
DEPOSIT, WITHDRAWAL = topic("Deposit(address,uint256)"), topic("Withdrawal(address,uint256)")

TOKENS = tuple(Address(f"0x{0xA0 + i:040x}") for i in range(3))
HOLDERS = tuple(Address(f"0x{0xB0 + i:040x}") for i in range(4))
PAIRS = tuple(Address(f"0x{0xC0 + i:040x}") for i in range(2))
PROXY, AGGREGATOR, REGISTRY = (Address(f"0x{0xD0 + i:040x}") for i in range(3))
WETH, NOBODY = TOKENS[0], Address("0x" + "0" * 40)
ITEMS = function("items()(uint256)")
SUMS = {name: function(f"{name}0CumulativeLast()(uint256)") for name in ("price", "reserve")}
AROUND = Surroundings(WETH, {PROXY: AGGREGATOR}, {REGISTRY: (REGISTRY,)})
PHASE = 3 << 64


def key_of(function: Function, target: Address, *args: object) -> CallKey:
    call = function(target, *args)
    return call.target, call.data


KEYS: tuple[CallKey, ...] = (
    *(key_of(ERC20.balanceOf, token, holder) for token in TOKENS for holder in HOLDERS),
    *(key_of(ERC20.totalSupply, token) for token in TOKENS[1:]),
    *(key_of(PAIR.getReserves, pair) for pair in PAIRS),
    key_of(FEED.latestRoundData, PROXY),
    key_of(ITEMS, REGISTRY),
)


def word(value: int | str) -> bytes:
    return (int(value, 16) if isinstance(value, str) else value % 2**256).to_bytes(32, "big")


def padded(value: int | str) -> Hash:
    return Hash("0x" + word(value).hex())


SUMMED: Mapping[str, Callable[[int, int], int]] = {
    "price": lambda reserve0, reserve1: (reserve1 << 112) // reserve0,
    "reserve": lambda reserve0, _: reserve0,
    "nothing": lambda *_: 0,
    "something else": lambda reserve0, reserve1: reserve1 * 10**18 // reserve0,
}
"""What pairs add up with every second, by the name of what they keep."""


@dataclass
class World:
    """The contracts' storage, changed by random deeds; `answers` is what a node would answer now.

    Its pairs add up what `keeps` says.
    """

    seed: int
    keeps: str = "price"
    number: int = 0
    sums: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    balances: dict[tuple[Address, Address], int] = field(default_factory=lambda: defaultdict(int))
    supplies: dict[Address, int] = field(default_factory=lambda: defaultdict(int))
    reserves: dict[Address, tuple[int, int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0, 0)))
    round: tuple[int, int, int] = (1, 5, 1)
    items: int = 0
    logs: list[Log] = field(default_factory=list)

    @property
    def timestamp(self) -> int:
        return 2**32 - 40 + 12 * self.number

    def block(self, salt: object = 0) -> tuple[int, int, list[Log]]:
        """Mine: the number, the timestamp and the logs of a new block, the same for the same seed and salt."""
        self.number, self.logs = self.number + 1, []
        dice = random.Random(f"{self.seed} {self.number} {salt}")
        for _ in range(dice.randrange(6)):
            dice.choice([self.transfer, self.mint, self.burn, self.wrap, self.sync, self.answer, self.register])(dice)
        return self.number, self.timestamp, self.logs

    def transfer(self, dice: random.Random) -> None:
        token, sender, receiver = dice.choice(TOKENS), dice.choice(HOLDERS), dice.choice(HOLDERS)
        amount = dice.randrange(self.balances[token, sender] + 1)
        self.move(token, sender, receiver, amount)

    def mint(self, dice: random.Random) -> None:
        token, amount = dice.choice(TOKENS[1:]), dice.choice([1, 10**18, 2**200])
        self.mint_to(token, dice.choice(HOLDERS), amount)

    def mint_to(self, token: Address, holder: Address, amount: int) -> None:
        self.supplies[token] += amount
        self.balances[token, NOBODY] += amount
        self.move(token, NOBODY, holder, amount)

    def burn(self, dice: random.Random) -> None:
        token, holder = dice.choice(TOKENS[1:]), dice.choice(HOLDERS)
        amount = dice.randrange(self.balances[token, holder] + 1)
        self.supplies[token] -= amount
        self.move(token, holder, NOBODY, amount)

    def wrap(self, dice: random.Random) -> None:
        holder, amount = dice.choice(HOLDERS), dice.randrange(10**18)
        if dice.random() < 0.5:
            self.balances[WETH, holder] += amount
            self.emit(WETH, (DEPOSIT, padded(holder)), word(amount))
        elif self.balances[WETH, holder] >= amount:
            self.balances[WETH, holder] -= amount
            self.emit(WETH, (WITHDRAWAL, padded(holder)), word(amount))

    def sync(self, dice: random.Random) -> None:
        pair, new = dice.choice(PAIRS), (dice.randrange(2**112), dice.randrange(2**112))
        reserve0, reserve1, since = self.reserves[pair]
        if reserve0 and reserve1:
            self.sums[pair] += SUMMED[self.keeps](reserve0, reserve1) * ((self.timestamp - since) % 2**32)
        self.reserves[pair] = (*new, self.timestamp % 2**32)
        self.emit(pair, (SYNC,), word(new[0]) + word(new[1]))

    def answer(self, dice: random.Random) -> None:
        self.round = (self.round[0] + 1, dice.randrange(-(10**9), 10**12), self.timestamp)
        number, current, updated_at = self.round
        self.emit(AGGREGATOR, (ANSWERED, padded(current), padded(number)), word(updated_at))

    def register(self, dice: random.Random) -> None:
        self.items += dice.randrange(2)
        self.emit(REGISTRY, (padded(7),), b"")

    def move(self, token: Address, sender: Address, receiver: Address, amount: int) -> None:
        self.balances[token, sender] -= amount
        self.balances[token, receiver] += amount
        self.emit(token, (TRANSFER, padded(sender), padded(receiver)), word(amount))

    def emit(self, address: Address, topics: Sequence[Hash], data: bytes) -> None:
        here = padded(self.number)
        self.logs.append(Log(address, tuple(topics), data, self.number, here, here, len(self.logs)))

    def answers(self) -> dict[Key, bytes]:
        """What every question is answered now."""
        number, current, updated_at = self.round
        feed = (PHASE | number, current, updated_at, updated_at, PHASE | number)
        said = [word(self.balances[token, holder]) for token in TOKENS for holder in HOLDERS]
        said += [word(self.supplies[token]) for token in TOKENS[1:]]
        said += [b"".join(map(word, self.reserves[pair])) for pair in PAIRS]
        return dict(zip(KEYS, [*said, b"".join(map(word, feed)), word(self.items)], strict=True)) | self._summed()

    def _summed(self) -> dict[Key, bytes]:
        getter = SUMS["reserve" if self.keeps == "reserve" else "price"]
        return {key_of(getter, pair): word(self.sums[pair]) for pair in PAIRS}
