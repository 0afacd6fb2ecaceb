"""The table that judges failed replies: texts by families, then JSON-RPC codes, then HTTP statuses. First match wins.

Nothing but data and the conditions it needs; `indexer.chain.failures` reads replies and asks it.
Texts: sources of geth, reth, erigon, nethermind, besu, anvil; public error references of the providers.
Codes: JSON-RPC 2.0, EIP-1474, and providers' own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from indexer.chain.base import Request
from indexer.chain.pins import pin_of
from indexer.errors import Verdict

When: TypeAlias = Callable[[Request, re.Match[str] | None], bool]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed reply: HTTP status, JSON-RPC code (0: none), text, revert data, headers."""

    status: int = 200
    code: int = 0
    text: str = ""
    data: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: it speaks of a failure where every condition it has holds."""

    verdict: Verdict
    text: re.Pattern[str] | None = None
    codes: frozenset[int] = frozenset()
    statuses: frozenset[int] = frozenset()
    when: When | None = None

    def holds(self, failure: Failure, request: Request) -> bool:
        """Whether this row speaks of this failure."""
        match = self.text.search(failure.text) if self.text else None
        if self.text and match is None:
            return False
        if self.codes and failure.code not in self.codes:
            return False
        if self.statuses and failure.status not in self.statuses:
            return False
        return self.when is None or self.when(request, match)


def decide(failure: Failure, request: Request) -> Row:
    """The row of the table that speaks of this failure."""
    return next(row for row in TABLE if row.holds(failure, request))


def _texts(verdict: Verdict, *families: str, when: When | None = None) -> Row:
    return Row(verdict, re.compile("|".join(families), re.IGNORECASE | re.DOTALL), when=when)


def _codes(verdict: Verdict, *codes: int, when: When | None = None) -> Row:
    return Row(verdict, codes=frozenset(codes), when=when)


def _statuses(verdict: Verdict, *statuses: int) -> Row:
    return Row(verdict, statuses=frozenset(statuses))


def _every_node_has(request: Request, _: re.Match[str] | None) -> bool:
    """Who says that it lacks one of these is out of order, not of another kind."""
    return request.method in CORE_METHODS


def _pinned_by_hash(request: Request, _: re.Match[str] | None) -> bool:
    return isinstance(pin_of(request), str)


def _asked_below(_: Request, match: re.Match[str] | None) -> bool:
    """Out of range on the lower side: the node's height and the asked block stand in the text."""
    return match is not None and int(match["asked"]) <= int(match["height"])


CORE_METHODS = frozenset({"eth_blockNumber", "eth_chainId", "eth_call", "eth_getBlockByNumber", "eth_getBlockByHash"})
_MORE = r"(too many|more than|at most|max(imum)?|limit\w*|up to|over|exceed\w*)"
_LARGE = r"(too (large|wide|big|long|many)|exceed|limit|max|(greater|larger|bigger|more) than|over the)"
_ABSENT = r"(not (be )?(found|known|available|exist)|unknown|n't exist|missing|does not exist)"
_DENIED = (
    r"(not (be )?(found|supported|available|allowed|enabled|implemented|whitelisted|exist)"
    r"|n't exist|unsupported|unknown|disabled|forbidden|deprecated|blocked)"
)
_KEY = r"(api|access|project|app|auth)[ _-]?(key|id|token|secret)"
_BLOCK = r"\b(blocks?|headers?|hash|height|resource|epoch)\b"
_HEAD = r"\b(head|latest|current|best|tip|canonical|last accepted|finalized|chain height)\b"
_CANONICAL = r"(not|no longer|non).{0,20}canonical"

_REVERTED = (
    r"^.{0,60}?\b(execution|transaction|vm|evm|call|always|message)\b.{0,40}?\brevert(ed|s)?\b",
    r"^(error: |err: )?revert(ed)?\b",
)
_OUT_OF_GAS = (
    r"out ?of ?gas",
    r"\bgas (required|limit|cap|allowance|uint64|amount).{0,60}(exceed|overflow|too low)",
    r"(exceed|above|over|higher).{0,40}\bgas (limit|cap|allowance)",
    r"intrinsic gas",
)
_HALTED = (
    r"\b(invalid|bad|undefined|unknown) ?(opcode|instruction|jump)",
    r"opcode.{0,20}(not (defined|found)|invalid|unknown)|InvalidFEOpcode",
    r"stack ?(under|over)flow|stack limit reached",
    r"write protection|StateChangeDuringStaticCall|static ?call.{0,20}(violation|state)",
    r"return ?data out ?of ?bounds|out ?of ?offset",
)
_NOT_LET_IN = (
    r"must be authenticated|\bunauthori[sz]ed\b|not authori[sz]ed|authentication (is )?(failed|required)",
    r"\b(invalid|missing|unknown|wrong|expired|disabled|inactive|revoked|no) " + _KEY,
    _KEY + r"\b.{0,40}(invalid|missing|required|disabled|expired|not (found|valid|exist)|inactive|revoked|unknown)",
    r"(access|permission) (is )?denied|account.{0,20}(suspended|disabled|blocked)",
    r"\b(origin|ip|address|domain|referr?er)\b.{0,40}not (white|allow)\w*",
    r"\b(invalid|expired|missing) (jwt|token|credentials)",
)
_USED_UP = (
    r"payment required|\bquota\b",
    r"\b(daily|monthly|24[ -]?h(our)?s?|per (day|month))\b"
    r".{0,60}(limit|count|capacity|allowance|exceed|reach|request|credit|usage|exhaust)",
    r"(limit|count|capacity|allowance|credits?|usage|requests).{0,40}"
    r"\b(daily|monthly|per day|per month|for (today|this month|the (day|month)))\b",
    r"\b(credits?|balance|plan|subscription|trial|allowance|package)\b"
    r".{0,30}(exhausted|used up|depleted|run out|expired|ended|insufficient)",
    r"\b(out of|insufficient|not enough|no more) (api )?(credits|balance)",
)
_BATCH_TOO_LARGE = (  # "Too many requests in this batch" is about the batch, not about the pace.
    r"\bbatch(es)?\b(?! rate).{0,50}"
    r"(too (large|big|many|long)|exceed|limit|max|size|more than|not (supported|allowed|enabled)|unsupported|disabled)",
    r"(too many|max(imum)?|more than|up to|exceed\w*|unsupported).{0,50}\bbatch",
)
_OUT_OF_ORDER = (
    r"\bno (healthy |available )?(backend|upstream|node|server)s?\b",
    r"\b(bad gateway|gateway time-?out|service (is )?(temporarily )?unavailable|temporarily (unavailable|down))",
    r"\b(node|server|backend|client) (is )?(still |currently )?"
    r"(syncing|not (synced|ready)|starting|overloaded|busy|shutting down)",
    r"(internal (server |json-?rpc )?error|upstream (connect )?(error|request failed|failed))$",
    r"connection (refused|reset)|unexpected eof|method handler crashed",
)
_TOO_FAST = (
    r"rate[ -]?limit|throttl|\b1015\b|slow down|too many (requests|connections|calls)",
    r"\b(requests?|credits?|units?|calls?|cu|cups|rps|capacity|quer(y|ies))\b"
    r".{0,60}(/ ?|\b(per|a|each) )(s|sec|second|m|min|minute)\b",
    r"(enough|exceed\w*|over|out of|insufficient).{0,30}\b(compute units|cups?|rps|throughput)",
    r"\bover .{0,20}\brate\b|(request|call)s?( rate| count)? (limit|capacity).{0,20}(exceed|exhaust|reach)",
    r"(concurren\w+|simultaneous|parallel).{0,40}(limit|exceed|max|too many)",
    r"(limit|exceed\w*|max|too many).{0,30}(concurren|simultaneous|parallel)",
)
_STATE_GONE = (
    r"missing trie node|\bpruned?\b|\bpruning\b|\barchiv(e|al)\b",
    r"historical (state|data|block|rpc|execution)|history.{0,20}(not available|unavailable)",
    r"layer (is )?stale|stale layer|metadata (is )?not found|proof window|reexec|version does not exist",
    r"\bstate\b.{0,90}(not available|unavailable|not found|missing|does not exist|not stored|deleted|too old)",
    r"\b(no|missing|(cannot|failed to|unable to) (load|get|find|open)) (the )?(\w+ )?state\b(?! override)",
    r"(older|earlier|lower|before|behind|prior).{0,40}"
    r"(oldest|earliest|lowest|retention|retained|kept|available|snapshot)",
    r"(lowest|oldest|earliest) (available |known )?(block|height)|only.{0,20}(last|recent|latest) \d+ blocks",
)
_NOT_THERE_YET = (
    r"(beyond|past|ahead of|exceed\w*|above|after|(greater|higher|larger) than).{0,40}" + _HEAD + r"(?! \d)",
    r"BlockOutOfRange|unfinalized|future block|block.{0,20}in the future|not (yet )?(mined|produced|imported|synced)",
)
_TOO_MUCH = (
    r"\brange\b.{0,70}(too (large|wide|big|long|many)|exceed|limit|max|threshold|(greater|larger|bigger) than"
    r"|must be (less|smaller|at most|within)|no more than|not (supported|allowed))",
    r"(exceed\w*|limit\w*|max(imum)?|over|up to|at most|more than|within|reduce|narrow\w*|smaller|shorter)"
    r".{0,60}\brange",
    r"\branges? (over|of more|larger|wider|above)|" + _MORE + r".{0,50}\bblocks\b",
    _MORE + r".{0,50}\b(results?|logs|events|records|entries|matches)\b",
    r"\b(results?|logs|events|records|entries)\b.{0,40}(exceed|limit|too (many|large)|max)",
    r"\b(response|result|body|payload|reply|request|content|entity|message|return ?data|query|output)\b.{0,40}"
    + _LARGE,
    r"(too (large|big|long)|exceed\w*|max(imum)?).{0,40}"
    r"\b(response|result|body|payload|reply|content|entity|message) ?(size|length)?",
    r"(larger|greater|bigger|more) than \d+ ?[kmg]i?b",
    _MORE + r".{0,40}\b(addresses|topics|filters?)\b|\b(addresses|topics)\b.{0,40}(exceed|limit|max|too many)",
)
_TOO_SLOW = (
    r"time(d)?[ -]?out|deadline exceeded|context cancell?ed|(took|taking) too long|execution aborted",
    r"(query|execution|request) (time|duration).{0,20}(exceed|limit)",
)
_NO_METHOD = (
    r"\b(method|namespace|module|api|function|procedure|endpoint)\b.{0,80}" + _DENIED,
    r"\b(unsupported|unknown|invalid|no such|disabled) (rpc )?(method|namespace)\b",
    r"\beth_\w+ (is )?(not (supported|available|allowed|enabled|implemented)|disabled|unsupported)",
)
_NO_PARAMETER = (
    r"cannot unmarshal|invalid type: (map|sequence)|not (supported|implemented)\b",
    r"(state|block) overrides?.{0,40}not",
    r"(unknown|invalid|unsupported) (block )?(tag|parameter|param|argument)",
)
_NOT_FOUND = (
    _BLOCK + r".{0,80}" + _ABSENT,
    r"\b(unknown|missing|no|(cannot|could not|unable to|can't) find) (the )?(such )?" + _BLOCK,
)

TABLE: tuple[Row, ...] = (
    # What follows "revert" is a contract's own word: first, so that no contract can pass for its provider.
    _texts(Verdict.REVERT, *_REVERTED),
    _texts(Verdict.GASCAP, *_OUT_OF_GAS),
    _texts(Verdict.REVERT, *_HALTED),
    _texts(Verdict.AUTH, *_NOT_LET_IN),
    _texts(Verdict.QUOTA, *_USED_UP),
    _texts(Verdict.SPLIT, *_BATCH_TOO_LARGE),
    _texts(Verdict.SERVER, *_OUT_OF_ORDER),
    _texts(Verdict.RATE, *_TOO_FAST),
    _texts(
        Verdict.PRUNED,
        r"block height is (?P<height>\d{1,18}) but requested was (?P<asked>\d{1,18})",
        when=_asked_below,
    ),
    _texts(Verdict.PRUNED, *_STATE_GONE),
    _texts(Verdict.MISSING_TIP, *_NOT_THERE_YET),
    _texts(Verdict.WRONG_FORK, _CANONICAL, when=_pinned_by_hash),
    _texts(Verdict.MISSING_TIP, _CANONICAL),
    _texts(Verdict.TIMEOUT, *_TOO_SLOW),
    _texts(Verdict.SPLIT, *_TOO_MUCH),
    _texts(Verdict.SERVER, *_NO_METHOD, when=_every_node_has),
    _texts(Verdict.UNSUPPORTED, *_NO_METHOD, *_NO_PARAMETER),
    _texts(Verdict.MISSING_TIP, *_NOT_FOUND),
    _codes(Verdict.REVERT, 3, -32015),
    _codes(Verdict.RATE, 429, 1015, -32005, -32007, -32009, -32012, -32016, -32029),
    _codes(Verdict.QUOTA, 402),
    _codes(Verdict.AUTH, 401, 403),
    _codes(Verdict.SPLIT, 413, -32008, -32614),
    _codes(Verdict.PRUNED, 4444),
    _codes(Verdict.MISSING_TIP, -32001),
    _codes(Verdict.TIMEOUT, -32002),
    _codes(Verdict.SERVER, -32601, when=_every_node_has),
    _codes(Verdict.UNSUPPORTED, -32601, -32602, -32004, -32612, -32613),
    _codes(Verdict.MALFORMED, -32700),
    _statuses(Verdict.AUTH, 401, 403),
    _statuses(Verdict.QUOTA, 402),
    _statuses(Verdict.RATE, 429),
    _statuses(Verdict.SPLIT, 413),
    _statuses(Verdict.TIMEOUT, 408),
    Row(Verdict.SERVER),
)
UNKNOWN = TABLE[-1]
